"""`earful transcribe --into`: the user's own ELAN file, whole and with what was there."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from lxml import etree

from earful.audio.files import probe
from earful.data.drafts import Draft, untouched
from earful.data.eaf import parse_eaf

EAF = """<?xml version="1.0" encoding="UTF-8"?>
<ANNOTATION_DOCUMENT AUTHOR="" DATE="2026-01-02T03:04:05+01:00" FORMAT="3.0" VERSION="3.0">
<HEADER MEDIA_FILE="" TIME_UNITS="milliseconds">
<MEDIA_DESCRIPTOR MEDIA_URL="file:///gone/clip0.wav" MIME_TYPE="audio/x-wav"/></HEADER>
<TIME_ORDER><TIME_SLOT TIME_SLOT_ID="ts1" TIME_VALUE="0"/>
<TIME_SLOT TIME_SLOT_ID="ts2" TIME_VALUE="{end}"/></TIME_ORDER>
<TIER LINGUISTIC_TYPE_REF="u" TIER_ID="mine"><ANNOTATION>
<ALIGNABLE_ANNOTATION ANNOTATION_ID="a1" TIME_SLOT_REF1="ts1" TIME_SLOT_REF2="ts2">
<ANNOTATION_VALUE/></ALIGNABLE_ANNOTATION>
</ANNOTATION></TIER>
<LINGUISTIC_TYPE LINGUISTIC_TYPE_ID="u" TIME_ALIGNABLE="true"/>
</ANNOTATION_DOCUMENT>
"""


def drafts_in(path: Path) -> frozenset[Draft]:
    return untouched(parse_eaf(path), path)


@pytest.fixture
def talk(tmp_path: Path, write_clips: Callable[[Path, int], Path]) -> Path:
    (write_clips(tmp_path, 1) / "clip0.txt").unlink()
    place = tmp_path / "talk.eaf"
    place.write_text(EAF.format(end=900), "utf-8")
    return place


def texts(place: Path, tier: str) -> list[str]:
    return [each.text or "" for each in etree.parse(place).iterfind(f"TIER[@TIER_ID='{tier}']//ANNOTATION_VALUE")]


def test_tiers_of_the_recording_that_is_linked(earful, tiny_base: Path, talk: Path) -> None:
    said = earful("transcribe", tiny_base, talk.parent / "clip0.wav").out.strip()
    run = earful("transcribe", tiny_base, "--into", talk)
    assert run.status == 0 and run.err == "" and "in new tiers of" in run.out
    assert " ".join(texts(talk, "earful words")) == said and texts(talk, "mine") == [""]
    assert len(drafts_in(talk)) == len(texts(talk, "earful words")) + len(texts(talk, "earful phrases"))


def test_empty_segments(earful, tiny_base: Path, talk: Path) -> None:
    run = earful("transcribe", tiny_base, "--into", talk, "--fill", "mine")
    assert run.status == 0 and run.err == "" and run.out.startswith("1 segment of tier mine filled in")
    (text,) = texts(talk, "mine")
    assert text and [(each.id, each.text, each.end_ms) for each in drafts_in(talk)] == [("a1", text, 900)]
    again = earful("transcribe", tiny_base, "--into", talk, "--fill", "mine")
    assert again.status == 0 and again.out.startswith("0 segments") and texts(talk, "mine") == [text]


def test_what_was_done_for_machines(earful, tiny_base: Path, talk: Path) -> None:
    done = json.loads(earful("transcribe", tiny_base, "--into", talk, "--fill", "mine", "--json").out)
    assert done == {"file": str(talk), "tiers": ["mine"], "filled": 1, "silent": 0}
    done = json.loads(earful("transcribe", tiny_base, "--into", talk, "--json").out)
    assert done["tiers"] == ["earful phrases", "earful words", "earful confidences"], "the names that it has now"
    assert (done["words"], done["left_out"]) == (len(texts(talk, "earful words")), 0)


def test_a_segment_that_ends_a_little_late_is_heard_to_the_end(earful, tiny_base: Path, talk: Path) -> None:
    late_ms = round(1000 * probe(talk.parent / "clip0.wav").duration_s) + 240
    talk.write_text(EAF.format(end=late_ms), "utf-8")
    run = earful("transcribe", tiny_base, "--into", talk, "--fill", "mine")
    assert run.status == 0 and run.err == "" and run.out.startswith("1 segment of tier mine filled in")


def test_a_failure_leaves_the_file_as_it_is(earful, tiny_base: Path, talk: Path) -> None:
    talk.write_text(EAF.format(end=900_000), "utf-8")
    before = talk.read_bytes()
    beyond = earful("transcribe", tiny_base, "--into", talk, "--fill", "mine")
    assert beyond.status == 2 and beyond.err.count("\n") == 1 and "clip0.wav" in beyond.err
    for arguments, message in (
        (("--fill", "yours"), "has no tier 'yours'"),
        (("--fill", "mine", "--channel", "each"), "name a channel"),
        (("--out", talk.parent / "out"), "--out and --into do not go together"),
        (("--format", "json"), "--format and --into do not go together"),
        ((talk.parent,), "it takes one recording"),
        ((talk.parent / "none.wav",), "none.wav"),
    ):
        run = earful("transcribe", tiny_base, *arguments[:1], *arguments[1:], "--into", talk)
        assert run.status == 2 and message in run.err and run.err.count("\n") == 1, arguments
    assert talk.read_bytes() == before and sorted(p.name for p in talk.parent.iterdir()) == ["clip0.wav", "talk.eaf"]


def test_what_is_missing(earful, tiny_base: Path, talk: Path) -> None:
    assert "no AUDIO to transcribe" in earful("transcribe", tiny_base).err
    assert "--fill TIER needs --into" in earful("transcribe", tiny_base, talk, "--fill", "mine").err
    (talk.parent / "clip0.wav").unlink()
    assert "name the recording" in earful("transcribe", tiny_base, "--into", talk).err
