"""Transcriber's files, in the form of its manual's example."""

from pathlib import Path

import pytest

from earful.data.readers.transcriber import read
from earful.data.tiers import Span
from earful.errors import ManifestError

TRS = """<?xml version="1.0" encoding="ISO-8859-1"?>
<!DOCTYPE Trans SYSTEM "trans-14.dtd">
<Trans scribe="x" audio_filename="tape 3" version="1">
<Speakers><Speaker id="spk1" name="Anna Þór"/><Speaker id="spk2" name=""/></Speakers>
<Episode><Section type="report" startTime="0" endTime="12">
<Turn startTime="0" endTime="5.5" speaker="spk1">
<Sync time="0"/>
góðan
daginn
<Event desc="laughs" type="noise" extent="instantaneous"/>
þið
<Sync time="2.25"/>
<Background time="2.25" type="music" level="high"/>
og velkomin
</Turn>
<Turn startTime="5.5" endTime="8"><Sync time="5.5"/>

</Turn>
<Turn startTime="8" endTime="12" speaker="spk1 spk2">
<Sync time="8"/><Who nb="1"/>já<Who nb="2"/>nei<Who nb="1"/>víst
<Sync time="10"/><Who nb="1"/>takk
</Turn>
</Section></Episode></Trans>
"""


def written(folder: Path, text: str = TRS) -> Path:
    (folder / "a.trs").write_text(text, "latin-1")
    return folder / "a.trs"


def test_turns_between_their_marks_of_time(tmp_path: Path) -> None:
    (file,) = read(written(tmp_path))
    assert {tier.speaker: tier.spans for tier in file.tiers} == {
        "Anna Þór": (
            Span(0.0, 2.25, "góðan daginn [laughs] þið"),
            Span(2.25, 5.5, "og velkomin"),
            Span(8.0, 10.0, "já víst"),
            Span(10.0, 12.0, "takk"),
        ),
        "spk2": (Span(8.0, 10.0, "nei"),),
    }


def test_the_recording_is_the_one_that_is_named_or_of_the_name(tmp_path: Path) -> None:
    assert read(written(tmp_path))[0].recording == tmp_path / "a.wav"
    (tmp_path / "tape 3.flac").touch()
    assert read(written(tmp_path))[0].recording == tmp_path / "tape 3.flac"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('<Sync time="2.25"/>', '<Sync time="2,25"/>', "time is '2,25', must be a number of seconds"),
        ('endTime="5.5"', "", "endTime is None, must be a number"),
        ("Trans>", "Document>", r"not XML \(Opening and ending tag mismatch"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(ManifestError, match=rf"a\.trs(:\d+)?: {message}"):
        read(written(tmp_path, TRS.replace(old, new)))
    (tmp_path / "a.trs").write_text("<ANNOTATION_DOCUMENT/>")
    with pytest.raises(ManifestError, match=r"a\.trs: expected Transcriber's <Trans>, got <ANNOTATION_DOCUMENT>"):
        read(tmp_path / "a.trs")
