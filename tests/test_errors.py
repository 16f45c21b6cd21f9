"""What messages tell to install: parts that there are, by a command that works in a clone."""

import re
import tomllib
from pathlib import Path

from earful.errors import install

ROOT = Path(__file__).resolve().parent.parent
SOURCES = {path: path.read_text("utf-8") for path in (ROOT / "src").rglob("*.py")}


def test_every_part_that_is_told_of_is_one() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    named = {name for text in SOURCES.values() for name in re.findall(r"\binstall\(['\"](\w+)['\"]\)", text)}
    assert {"speak", "vad", "hf"} <= named <= set(extras)
    assert install("vad") == 'pip install ".[vad]"'


def test_no_other_place_spells_the_command() -> None:
    (only,) = (path for path, text in SOURCES.items() if "pip install" in text)
    assert only == ROOT / "src" / "earful" / "errors.py"
