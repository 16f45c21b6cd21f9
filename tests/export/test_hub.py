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


RUN = """
import contextlib, io, json, sys
from earful.cli.main import main
for words in json.loads(sys.argv[1]):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main(words)
    print(json.dumps([status, out.getvalue(), err.getvalue()]))
"""


def earful(hub: str, cache: Path, *commands: tuple[object, ...]) -> list[tuple[int, str, str]]:
    """Commands of one process, which believes that the hub is there: status, stdout and stderr of each."""
    around = {**os.environ, "HF_ENDPOINT": hub, "HF_HOME": str(cache), "HF_TOKEN": "secret", "HF_HUB_DISABLE_XET": "1"}
    words = json.dumps([[str(word) for word in command] for command in commands])
    done = subprocess.run(
        [sys.executable, "-c", RUN, words], capture_output=True, text=True, encoding="utf-8", env=around
    )
    assert done.returncode == 0, done.stderr
    return [tuple(json.loads(line)) for line in done.stdout.splitlines()]


def test_there_and_back(hub: str, talker: Path, clips: Path, tmp_path: Path) -> None:
    adapt = ("adapt", clips, "--base")
    made, pushed, adapted, missing = earful(
        hub,
        tmp_path / "cache",
        ("export", talker, "--to", "huggingface", "--out", tmp_path / "out"),
        ("push", tmp_path / "out", "me/tones", "--json"),
        (*adapt, "hf-model:me/tones", "--effort", "quick", "--steps", 2, "--out", tmp_path / "model", "--greedy"),
        (*adapt, "hf-model:me/nothing", "--out", tmp_path / "no"),
    )
    assert (made[0], pushed[0], adapted[0], missing[0]) == (0, 0, 0, 2), (made, pushed, adapted, missing)
    assert json.loads(pushed[1])["base"] == "hf-model:me/tones"
    there, here = load_checkpoint(tmp_path / "model").config.encoder, load_checkpoint(talker).config.encoder
    assert there == here
    assert "no such repository" in missing[2] and "\n" not in missing[2].strip()


def test_a_hub_that_refuses(talker: Path, tmp_path: Path) -> None:
    export(talker, "huggingface", tmp_path / "out")
    (refused,) = earful("http://127.0.0.1:9", tmp_path / "cache", ("push", tmp_path / "out", "me/tones"))
    assert refused[0] == 2 and "me/tones: the hub does not take it" in refused[2]
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
