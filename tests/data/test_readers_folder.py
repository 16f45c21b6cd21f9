from pathlib import Path

import numpy as np
import pytest

from earful.audio.files import write
from earful.data.readers import folder
from earful.errors import ManifestError


def _clip(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write(path, np.full(8_000, 0.1, np.float32))


def test_clips_and_their_texts_in_all_folders(tmp_path: Path) -> None:
    for name in ("b.wav", "a.flac", "eva/a.wav", ".hidden.wav", ".git/x.wav"):
        _clip(tmp_path / name)
    (tmp_path / "a.txt").write_text("\ufeffgood\nmorning \n", "utf-8")
    (tmp_path / "eva" / "a.TXT").write_text("ahoj", "utf-8")
    (tmp_path / "README.txt").write_text("about", "utf-8")
    clips = folder.read(tmp_path)
    assert [(u.id, u.text, u.duration_s) for u in clips] == [
        ("a", "good morning", 0.5),
        ("b", None, 0.5),
        ("eva/a", "ahoj", 0.5),
    ]
    assert folder.texts_without_clip(tmp_path) == (tmp_path / "README.txt",)


def test_two_clips_of_one_name_share_the_text(tmp_path: Path) -> None:
    _clip(tmp_path / "a.wav")
    _clip(tmp_path / "a.flac")
    (tmp_path / "a.txt").write_text("hi", "utf-8")
    assert [(u.id, u.audio.name, u.text) for u in folder.read(tmp_path)] == [
        ("a", "a.flac", "hi"),
        ("a#2", "a.wav", "hi"),
    ]


def test_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="no sound files in this folder"):
        folder.read(tmp_path)
    _clip(tmp_path / "a.wav")
    (tmp_path / "b.txt").write_text("hi", "utf-8")
    with pytest.raises(ManifestError, match=r"none of its 1 clips has a text file beside it; write .* into a\.txt"):
        folder.read(tmp_path)
    (tmp_path / "a.txt").write_bytes(b"fine\nf\xfcr")
    with pytest.raises(ManifestError, match=r"a\.txt:2: not UTF-8; save the file as UTF-8$"):
        folder.read(tmp_path)
    for name in "cd":
        _clip(tmp_path / f"{name}.wav")
        (tmp_path / f"{name}.txt").write_bytes(b"f\xfcr")
    with pytest.raises(ManifestError, match=r"a\.txt:2: not UTF-8; .* \(and so with 2 more: c\.txt, d\.txt\)"):
        folder.read(tmp_path)
