"""Nothing in a folder is left out in silence."""

from pathlib import Path

import numpy as np
import pytest

from earful.audio.files import write
from earful.data.clips import read_clips
from earful.data.readers.leftovers import left_over


def made(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".wav":
            write(path, np.full(8_000, 0.1, np.float32))
        else:
            path.write_text("abba" if path.suffix == ".txt" else "…", "utf-8")
    return folder


def test_every_file_is_accounted_for(tmp_path: Path) -> None:
    talks = [f"talk{number}.silk" for number in range(7)]
    made(
        tmp_path,
        "1.wav",
        "1.txt",
        "2.wav",
        "b.txt",
        "x/c.txt",
        "f.OGV",
        "r.pcm",
        "1.lab",
        "s.docx",
        ".x.wav",
        *talks,
    )
    (tmp_path / "noname").write_bytes(b"RIFF\0\0\0\0WAVE")
    (tmp_path / "notes.odd").write_bytes(b"nothing of that kind")
    found = {group.names: (group.files, group.reason) for group in left_over(tmp_path, read_clips(tmp_path))}
    assert found == {
        "f.OGV": (1, ".ogv is not read"),
        "talk0.silk, talk1.silk, talk2.silk, talk3.silk, talk4.silk and 2 more": (7, ".silk is not read"),
        "r.pcm": (1, ".pcm has no header, so its rate is unknown"),
        "noname": (1, "holds sound, but its name does not say so"),
        "1.lab": (1, ".lab is not read"),
        "s.docx": (1, ".docx is not read"),
        "b.txt, x/c.txt": (2, "no recording beside it"),
    }


def test_sound_that_the_list_does_not_name(tmp_path: Path) -> None:
    made(tmp_path, "1.wav", "2.wav", "readme.txt")
    (tmp_path / "clips.csv").write_text("path,text\n1.wav,abba\n", "utf-8")
    (group,) = left_over(tmp_path, read_clips(tmp_path))
    assert str(group) == "left out 2.wav: the list of clips does not name it; add it there, or remove it"
    assert left_over(tmp_path / "clips.csv", read_clips(tmp_path)) == ()


def test_nothing_is_left_over(tmp_path: Path) -> None:
    made(tmp_path, "1.wav", "1.txt", "x/2.wav", "x/2.txt")
    assert left_over(tmp_path, read_clips(tmp_path)) == ()


@pytest.mark.parametrize("installed", [True, False])
def test_media_of_a_sound_file_s_name_and_media_that_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, installed: bool
) -> None:
    monkeypatch.setattr("earful.data.readers.sound.is_installed", lambda: installed)
    made(tmp_path, "1.wav", "1.txt", "1.mp4", "2.m4a", "2.txt")
    clips = read_clips(tmp_path)
    assert [u.audio.name for u in clips] == (["1.wav", "2.m4a"] if installed else ["1.wav"])
    groups = {group.names: (group.reason, group.remedy) for group in left_over(tmp_path, clips)}
    if installed:
        assert groups == {"1.mp4": ("a sound file of the same name is read", "to read it, too, give it another name")}
    else:
        reason, remedy = groups["2.m4a"]
        assert reason == ".m4a is not read" and 'pip install ".[media]"' in remedy and "ffmpeg -i IN" in remedy
