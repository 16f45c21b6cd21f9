"""Audacity's labels, which are told from a transcript by their first line."""

from pathlib import Path

import numpy as np
import pytest

from earful.audio.files import write
from earful.data.clips import read_clips
from earful.data.readers.audacity import is_labels, read
from earful.data.tiers import Span
from earful.errors import ManifestError

LABELS = "0.500000\t1.250000\tgóðan dag\n\\\t120.0\t3000.0\n2,0\t3,5\tbless\n4.0\t4.0\t\n"


def test_labels(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(("\ufeff" + LABELS.replace("\n", "\r\n")).encode())
    (file,) = read(tmp_path / "a.txt")
    assert file.tiers[0].spans == (Span(0.5, 1.25, "góðan dag"), Span(2.0, 3.5, "bless"), Span(4.0, 4.0, ""))
    (tmp_path / "a.txt").write_text(LABELS + "more\n", "utf-8")
    with pytest.raises(ManifestError, match=r"a\.txt:5: expected start, end and label between tabs, got 'more'"):
        read(tmp_path / "a.txt")


@pytest.mark.parametrize("text", ["góðan dag", "1 2 3", "", "1.0\tx\ty", "3\t4", "path\ttext\na.wav\tx"])
def test_what_are_no_labels(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.txt").write_text(text, "utf-8")
    assert is_labels(tmp_path / "a.txt") == (text == "3\t4")  # a label without a text is one


def test_a_folder_with_labels_beside_one_recording_and_a_transcript_beside_another(tmp_path: Path) -> None:
    for name in ("long", "short"):
        write(tmp_path / f"{name}.wav", np.full(16_000 * 4, 0.1, np.float32))
    (tmp_path / "long.txt").write_text(LABELS, "utf-8")
    (tmp_path / "short.txt").write_text("takk", "utf-8")
    found = [(u.audio.name, u.start_s, u.text) for u in read_clips(tmp_path)]
    assert found == [("short.wav", 0.0, "takk"), ("long.wav", 0.5, "góðan dag"), ("long.wav", 2.0, "bless")]
    assert [u.text for u in read_clips(tmp_path / "long.txt")] == ["góðan dag", "bless"]
