"""SubRip and WebVTT: times, voices and marks, and lines that are none."""

from pathlib import Path

import pytest

from earful.data.readers.subtitles import read
from earful.data.tiers import Span
from earful.errors import ManifestError

SRT = """1
00:00:01,000 --> 00:00:02,500
<i>Halló</i>
þar

2
01:00:03,5 --> 01:00:04,250 X1:40
{\\an8}Tom &amp; Jerry

00:00:05,000 --> 00:00:06,000
án númers

4
00:00:07,000 --> 00:00:08,000
"""
VTT = """WEBVTT - a title
Kind: captions

NOTE 00:00 --> 00:01
a comment

STYLE
::cue(b) { }

name of it
00:01.000 --> 00:02.500 align:left
<v Anna>Halló <b>þar</b></v>

1:00:03.000 --> 1:00:04.000
<v.loud Ben Jonson>bless <00:00:03.500><c.x>já</c> a < b

00:06.000 --> 00:07.000
enginn
"""


def written(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8")
    return path


@pytest.mark.parametrize("change", [lambda t: t, lambda t: "\ufeff" + t.replace("\n", "\r\n"), lambda t: t + "\n\n\n"])
def test_subrip(tmp_path: Path, change) -> None:
    path = tmp_path / "a.srt"
    path.write_bytes(change(SRT).encode())
    (file,) = read(path)
    (tier,) = file.tiers
    assert (tier.name, tier.speaker, file.recording) == ("subtitles", None, tmp_path / "a.wav")
    assert tier.spans == (
        Span(1.0, 2.5, "Halló þar"),
        Span(3603.5, 3604.25, "Tom & Jerry"),
        Span(5.0, 6.0, "án númers"),
        Span(7.0, 8.0, ""),
    )


def test_webvtt_and_its_voices(tmp_path: Path) -> None:
    (file,) = read(written(tmp_path / "a.vtt", VTT))
    assert {tier.speaker: tier.spans for tier in file.tiers} == {
        "Anna": (Span(1.0, 2.5, "Halló þar"),),
        "Ben Jonson": (Span(3603.0, 3604.0, "bless já a < b"),),
        "nobody": (Span(6.0, 7.0, "enginn"),),
    }
    assert {tier.kind for tier in file.tiers} == {"subtitles"}


def test_the_recording_without_the_language_of_the_name(tmp_path: Path) -> None:
    (tmp_path / "talk.mp3").touch()
    assert read(written(tmp_path / "talk.is.srt", SRT))[0].recording == tmp_path / "talk.mp3"


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("00:00:05,000 -->", "00:00:05,000 ->", 10),
        ("01:00:03,5 -->", "1 hour -->", 6),
        ("þar", "þar\n\nog svo", 6),
        ("00:00:07,000 --> 00:00:08,000", "", 13),
    ],
)
def test_a_line_that_is_none_is_named(tmp_path: Path, old: str, new: str, line: int) -> None:
    with pytest.raises(ManifestError, match=rf"a\.srt:{line}: expected times such as 00:00:01,000 --> .*, got"):
        read(written(tmp_path / "a.srt", SRT.replace(old, new, 1)))


def test_a_file_without_subtitles(tmp_path: Path) -> None:
    for text in ("", "WEBVTT\n\nNOTE nothing\n"):
        with pytest.raises(ManifestError, match=r"a\.vtt: holds no subtitles; expected times"):
            read(written(tmp_path / "a.vtt", text))
