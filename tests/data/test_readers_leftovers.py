"""Nothing in a folder is left out in silence."""

from pathlib import Path

import numpy as np

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
    talks = [f"talk{number}.m4a" for number in range(7)]
    made(
        tmp_path,
        "1.wav",
        "1.txt",
        "2.wav",
        "b.txt",
        "x/c.txt",
        "f.MP4",
        "r.pcm",
        "1.trs",
        "s.srt",
        ".x.wav",
        *talks,
    )
    (tmp_path / "noname").write_bytes(b"RIFF\0\0\0\0WAVE")
    (tmp_path / "notes.odd").write_bytes(b"nothing of that kind")
    found = {group.names: (group.files, group.reason) for group in left_over(tmp_path, read_clips(tmp_path))}
    assert found == {
        "f.MP4": (1, ".mp4 is not read"),
        "talk0.m4a, talk1.m4a, talk2.m4a, talk3.m4a, talk4.m4a and 2 more": (7, ".m4a is not read"),
        "r.pcm": (1, ".pcm has no header, so nobody knows its rate"),
        "noname": (1, "holds sound, but its name does not say so"),
        "1.trs": (1, ".trs is not read"),
        "s.srt": (1, ".srt is not read"),
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
