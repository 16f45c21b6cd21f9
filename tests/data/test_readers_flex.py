"""FLEx's interlinear texts, in the form of its export."""

from pathlib import Path

import pytest

from earful.data.readers.flex import read
from earful.data.tiers import Lost, Span
from earful.errors import ManifestError

WORDS = (
    '<words><word><item type="{}" lang="qaa">{}</item></word><word><item type="{}" lang="qaa">{}</item></word></words>'
)
TEXT = f"""<?xml version="1.0" encoding="utf-8"?>
<document version="2"><interlinear-text guid="t"><item type="title" lang="en">A story</item>
<paragraphs><paragraph><phrases>
<phrase begin-time-offset="500" end-time-offset="2500" speaker="Anna" media-file="m1">
<item type="txt" lang="qaa">wuna kai.</item><item type="gls" lang="en">he came</item>
{WORDS.format("txt", "wuna", "txt", "kai")}</phrase>
<phrase begin-time-offset="3000" end-time-offset="4000" speaker="Anna" media-file="m1">
{WORDS.format("txt", "sina", "punct", "!")}<item type="gls" lang="en">look</item></phrase>
<phrase speaker="Anna"><item type="txt" lang="qaa">no time</item></phrase>
</phrases></paragraph></paragraphs>
<media-files offset-type=""><media guid="m1" location="file:///C:/field/tape%201.wav"/></media-files>
</interlinear-text></document>
"""


def written(folder: Path, text: str = TEXT) -> Path:
    (folder / "a.flextext").write_text(text, "utf-8")
    return folder / "a.flextext"


def test_lines_of_a_type_are_a_tier_and_words_stand_in_for_a_text(tmp_path: Path) -> None:
    (file,) = read(written(tmp_path))
    text, gloss = file.tiers
    assert (text.name, text.kind, text.speaker) == ("txt qaa@Anna", "txt qaa", "Anna")
    assert text.spans == (Span(0.5, 2.5, "wuna kai."), Span(3.0, 4.0, "sina !"))
    assert text.lost == (Lost("untimed", "no time"),)
    assert (gloss.kind, [span.text for span in gloss.spans]) == ("gls en", ["he came", "look"])


def test_its_recordings(tmp_path: Path) -> None:
    assert read(written(tmp_path))[0].recording == tmp_path / "a.wav"
    (tmp_path / "tape 1.wav").touch()
    assert read(written(tmp_path))[0].recording == tmp_path / "tape 1.wav"
    (tmp_path / "two.wav").touch()
    more = TEXT.replace("</media-files>", '<media guid="m2" location="two.wav"/></media-files>')
    second = more.replace('offset="4000" speaker="Anna" media-file="m1"', 'offset="4000" speaker="Ben" media-file="m2"')
    first, other = read(written(tmp_path, second))
    assert (first.recording.name, other.recording.name) == ("tape 1.wav", "two.wav")
    assert [tier.speaker for tier in other.tiers if tier.spans] == ["Ben", "Ben"]


def test_what_is_no_such_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"a\.flextext: expected FLEx's <document> .*, got <Trans>"):
        read(written(tmp_path, "<Trans/>"))
    with pytest.raises(ManifestError, match=r"a\.flextext:4: end-time-offset is '2.5', must be whole milliseconds"):
        read(written(tmp_path, TEXT.replace("2500", "2.5")))
