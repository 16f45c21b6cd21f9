"""Numbers of thousands of digits, which Python does not read: one line that names the file, whoever reads it."""

from pathlib import Path

import pytest

from earful.data.readers import nist, subtitles, textgrid
from earful.errors import ManifestError

ENDLESS = "9" * 5_000
GRID = (
    'File type = "ooTextFile"\nObject class = "TextGrid"\n\n0\n1.5\n<exists>\n{}\n"IntervalTier"\n'
    '"a"\n0\n1.5\n1\n0\n1\n"b"\n'
)


@pytest.mark.parametrize(
    ("name", "text", "read"),
    [
        ("a.srt", f"1\n{ENDLESS}:00:00,100 --> 00:00:00,900\nabba\n", subtitles.read),
        ("a.vtt", f"WEBVTT\n\n{ENDLESS}:00.100 --> 00:00.900\nabba\n", subtitles.read),
        ("a.TextGrid", GRID.format(ENDLESS), textgrid.read),
        ("a.ctm", f"a {ENDLESS} 0.1 0.4 abba\n", nist.read_words),
    ],
)
def test_a_number_without_end(tmp_path: Path, name: str, text: str, read) -> None:
    (tmp_path / "a.wav").touch()
    (tmp_path / name).write_text(text, "utf-8")
    try:
        read(tmp_path / name)
    except ManifestError as error:
        assert str(tmp_path / name) in str(error) and len(str(error)) < 1000
