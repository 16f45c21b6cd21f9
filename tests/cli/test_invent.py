"""`earful corpus invent`: languages that nobody speaks."""

import json
from pathlib import Path

import pytest

from earful.data.manifest import read_manifest

pytest.importorskip("espeakng_loader")


def test_invent(earful, tmp_path: Path) -> None:
    words = ("corpus", "invent", "--count", "2", "--clips", "3", "--not-host", "nl", "--out", tmp_path / "x")
    run = earful(*words)
    assert run.status == 0 and run.out.startswith("3 clips"), run.err
    manifest = read_manifest(tmp_path / "x" / "manifest.jsonl")
    assert {u.language for u in manifest} == {"x-inv-0-0000", "x-inv-0-0001"} and manifest[0].extra["phones"]
    row = json.loads(earful(*words, "--json").out)
    assert row["clips"] == 3 and row["left_out"] == {}, "run again, it keeps what is there"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--count", "0", "--clips", "1"), "greater than or equal to 1"),
        (("--count", "1"), "give hours or clips"),
        (("--count", "1", "--clips", "1", "--hours", "1"), "both hours and clips given"),
    ],
)
def test_what_cannot_be_invented(earful, tmp_path: Path, words: tuple[str, ...], message: str) -> None:
    run = earful("corpus", "invent", *words, "--out", tmp_path / "x")
    assert run.status == 2 and message in run.err and run.err.count("\n") == 1
    assert not (tmp_path / "x").exists()
