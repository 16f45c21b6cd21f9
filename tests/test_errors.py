"""What messages tell to install, by a command that works in a clone; and what they say where nothing is."""

import ast
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from earful.errors import install, not_there, quoted

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


COMMAND = re.compile(
    r"\b(?:earful (?:adapt|transcribe|score|check|suggest|pretrain|corpus \w+)|ffmpeg|cd|rm|mv) [^;:`)]*$"
)
"""The end of a piece of a message in which a command stands that is to be typed."""


def unquoted(tree: ast.AST) -> Iterator[int]:
    """Lines where something is put into a command that is to be typed as it is, with spaces or quotes in it."""
    for message in ast.walk(tree):
        if not isinstance(message, ast.JoinedStr):
            continue
        command = ""
        for part in message.values:
            if isinstance(part, ast.Constant):
                command = " ".join((command, str(part.value)))
                continue
            how = part.value if isinstance(part, ast.FormattedValue) else part
            safe = isinstance(how, ast.Call) and ast.unparse(how.func) in ("quoted", "install")
            if COMMAND.search(command) and not safe:
                yield message.lineno
            command += "X"


def test_commands_in_messages_can_be_typed() -> None:
    seen = 'f"try it: earful transcribe {out} new.wav"\nf"as with: ffmpeg -i {quoted(a)} {b}"\nf"`earful check {a}`"'
    assert list(unquoted(ast.parse(seen))) == [1, 2, 3]
    fine = (
        'f"{out}: try earful check; it names {a}"\nf"earful adapt {quoted(a)} --out {quoted(b)}"\nf"earful reads {k}"'
    )
    assert list(unquoted(ast.parse(fine))) == []
    found = {str(path): list(unquoted(ast.parse(text))) for path, text in SOURCES.items()}
    assert not {path: lines for path, lines in found.items() if lines}


@pytest.mark.parametrize("name", ["a", "my clips", "it's", 'say "a"', "two\nlines", "$HOME", "été"])
def test_a_quoted_name_is_one_word(name: str) -> None:
    assert shlex.split(f"earful check {quoted(Path(name))}") == ["earful", "check", name]


def test_a_name_is_quoted_as_the_shells_of_windows_know_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "win32")
    assert quoted(r"C:\Mein Ordner\a.wav") == r'"C:\Mein Ordner\a.wav"' and quoted(r"C:\a.wav") == r"C:\a.wav"


@pytest.mark.parametrize(
    ("typed", "meant"), [("my recordngs", "My recordings"), ("my recordings", "My recordings"), ("talks", None)]
)
def test_a_name_that_is_nearly_there(tmp_path: Path, typed: str, meant: str | None) -> None:
    for name in ("My recordings", "a", "zzz"):
        (tmp_path / name).mkdir()
    hint = (
        f"did you mean {quoted(tmp_path / meant)}?" if meant else "check its spelling, and the folder that you are in"
    )
    assert not_there(tmp_path / typed) == f"no such file or folder; {hint}"
    assert not_there(tmp_path / "no" / "parent").endswith("you are in")
