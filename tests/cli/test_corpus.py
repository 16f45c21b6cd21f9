"""`earful corpus`: manifests of synthetic speech."""

from pathlib import Path

import pytest

from earful.data.manifest import read_manifest


def test_speak_a_text(earful, tmp_path: Path) -> None:
    pytest.importorskip("espeakng_loader")
    (tmp_path / "text.txt").write_text("Bonan tagon.\nĈu vi bone dormis?\n", "utf-8")
    words = ("corpus", "speak", "--language", "eo", "--text", tmp_path / "text.txt", "--out", tmp_path / "eo")
    run = earful(*words)
    assert run.status == 0 and run.out.startswith("2 clips")
    manifest = read_manifest(tmp_path / "eo" / "manifest.jsonl")
    assert [u.text for u in manifest] == ["Bonan tagon.", "Ĉu vi bone dormis?"] and manifest[0].extra["phones"]
    assert earful(*words).out == run.out, "run again, it keeps what is there"


def test_speak_an_unknown_language(earful, tmp_path: Path) -> None:
    pytest.importorskip("espeakng_loader")
    run = earful("corpus", "speak", "--language", "qqq", "--clips", "1", "--out", tmp_path / "x")
    assert run.status == 2 and "no language 'qqq'" in run.err and run.err.count("\n") == 1
    assert not (tmp_path / "x").exists()


def test_speak_how_much(earful, tmp_path: Path) -> None:
    pytest.importorskip("espeakng_loader")
    run = earful("corpus", "speak", "--language", "eo", "--out", tmp_path / "x")
    assert run.status == 2 and "hours or clips" in run.err
