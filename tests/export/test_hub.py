"""A folder for the hub, put there and fetched again: a hub on loopback, in a process of its own, keeps it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from earful.checkpoint import load_checkpoint
from earful.errors import ExportError
from earful.export.export import export
from earful.export.huggingface import push
from earful.export.place import ABOUT

pytest.importorskip("huggingface_hub")
HUB = Path(__file__).parent / "hub.py"


@pytest.fixture
def hub() -> Iterator[str]:
    """The address of a hub that knows no repository yet."""
    with subprocess.Popen([sys.executable, str(HUB)], stdout=subprocess.PIPE, text=True, encoding="utf-8") as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.terminate()


def earful(hub: str, cache: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """A command, which believes that the hub is there."""
    around = {**os.environ, "HF_ENDPOINT": hub, "HF_HOME": str(cache), "HF_TOKEN": "secret", "HF_HUB_DISABLE_XET": "1"}
    words = [sys.executable, "-m", "earful", *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, encoding="utf-8", env=around)


def test_there_and_back(hub: str, talker: Path, clips: Path, tmp_path: Path) -> None:
    made = earful(hub, tmp_path, "export", talker, "--to", "huggingface", "--out", tmp_path / "out")
    assert made.returncode == 0, made.stderr
    pushed = earful(hub, tmp_path / "cache", "push", tmp_path / "out", "me/tones", "--json")
    assert pushed.returncode == 0, pushed.stderr
    assert json.loads(pushed.stdout)["base"] == "hf-model:me/tones"
    asked = (
        "adapt",
        clips,
        "--base",
        "hf-model:me/tones",
        "--effort",
        "quick",
        "--out",
        tmp_path / "model",
        "--greedy",
    )
    adapted = earful(hub, tmp_path / "cache", *asked)
    assert adapted.returncode == 0, adapted.stderr
    there, here = load_checkpoint(tmp_path / "model").config.encoder, load_checkpoint(talker).config.encoder
    assert there == here
    missing = earful(hub, tmp_path / "cache", "adapt", clips, "--base", "hf-model:me/nothing", "--out", tmp_path / "no")
    assert missing.returncode == 2 and "no such repository" in missing.stderr and "\n" not in missing.stderr.strip()


def test_a_hub_that_refuses(talker: Path, tmp_path: Path) -> None:
    export(talker, "huggingface", tmp_path / "out")
    refused = earful("http://127.0.0.1:9", tmp_path / "cache", "push", tmp_path / "out", "me/tones")
    assert refused.returncode == 2 and "me/tones: the hub does not take it" in refused.stderr
    with pytest.raises(ExportError, match="is no export for a hub"):
        push(talker, "me/tones")


def test_what_is_in_the_folder(talker: Path, tmp_path: Path) -> None:
    export(talker, "huggingface", tmp_path / "out")
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"README.md", "config.json", "model.json", "model.safetensors", "vocab.json", ABOUT}
    vocabulary = json.loads((tmp_path / "out" / "vocab.json").read_text("utf-8"))
    assert vocabulary == {symbol: n for n, symbol in enumerate(["<blk>", *" abcde"])}
    export("earful-base", "huggingface", tmp_path / "base")
    card = (tmp_path / "base" / "README.md").read_text("utf-8")
    assert card.startswith("---\nlibrary_name: earful\n") and "OpenAI" in card
    assert (tmp_path / "base" / "NOTICE").is_file()
    assert load_checkpoint(tmp_path / "base").config == load_checkpoint("earful-base").config
