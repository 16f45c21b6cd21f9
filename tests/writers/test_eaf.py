"""New documents of ELAN's: they keep its rules, link the recording, and hold times, words and confidences."""

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from earful.data.eaf import annotations, parse_eaf
from earful.errors import AudioError
from earful.transcript import Transcript, Word
from earful.writers.formats import render
from earful.writers.phrases import in_milliseconds


def parsed(text: str) -> etree._Element:
    return parse_eaf(Path("new.eaf"), text.encode())


def test_it_keeps_the_rules(talk: Transcript, check_eaf: Callable[[etree._Element], None]) -> None:
    check_eaf(parsed(render(talk, "eaf", "talk.wav")))
    check_eaf(parsed(render(Transcript("", (), 0.0, 1.0), "eaf", "talk.wav")))


def test_tiers_words_and_confidences(talk: Transcript) -> None:
    root = parsed(render(talk, "eaf", "talk.wav"))
    tiers = {tier.get("TIER_ID"): tier for tier in root.iterfind("TIER")}
    assert list(tiers) == [f"earful {kind}@speaker {n}" for n in (1, 2) for kind in ("phrases", "words", "confidences")]
    assert {tier.get("PARTICIPANT") for tier in tiers.values()} == {"speaker 1", "speaker 2"}
    found = [(each.tier.removeprefix("earful "), each.start_ms, each.end_ms, each.text) for each in annotations(root)]
    assert found[:2] == [
        ("phrases@speaker 1", 100, 700, 'how a<&" fine'),
        ("phrases@speaker 1", 2000, 2400, "day"),
    ]
    words = [row[1:] for row in found if row[0] == "words@speaker 1"]
    assert words == [(100, 300, "how"), (300, 301, 'a<&"'), (301, 700, "fine"), (2000, 2400, "day")]
    sure = [row[1:] for row in found if row[0] == "confidences@speaker 1"]
    assert sure[2] == (301, 700, "0.88") and len(sure) == 4
    parents = [tier.get("PARENT_REF") for tier in tiers.values()]
    assert parents[:3] == [None, "earful phrases@speaker 1", "earful words@speaker 1"]


def test_the_recording_is_linked(talk: Transcript, tmp_path: Path) -> None:
    audio, place = tmp_path / "sound" / "ein Gespräch.wav", tmp_path / "texts" / "a.eaf"
    media = parsed(render(talk, "eaf", str(audio), place=place)).find("HEADER/MEDIA_DESCRIPTOR")
    assert dict(media.attrib) == {
        "MEDIA_URL": f"file://{audio.as_posix()}",
        "MIME_TYPE": "audio/x-wav",
        "RELATIVE_MEDIA_URL": "../sound/ein Gespräch.wav",
    }
    beside = parsed(render(talk, "eaf", str(tmp_path / "a.mp3"), place=tmp_path / "a.eaf"))
    media = beside.find("HEADER/MEDIA_DESCRIPTOR")
    assert (media.get("RELATIVE_MEDIA_URL"), media.get("MIME_TYPE")) == ("./a.mp3", "audio/*")


def test_a_name_that_no_xml_holds(talk: Transcript) -> None:
    for format in ("eaf", "flextext"):
        with pytest.raises(AudioError, match="XML cannot hold; rename the recording"):
            render(talk, format, "caf\udce9.wav")


@given(
    st.lists(st.tuples(st.floats(0, 0.002), st.floats(0, 0.002)), max_size=30),
    st.sampled_from([0.0, 0.0005, 0.01]),
)
def test_times_of_whole_milliseconds(steps: list[tuple[float, float]], beyond_s: float) -> None:
    words, now = [], 0.0
    for pause, length in steps:
        words.append(Word("a", now + pause, now + pause + length, 0.5))
        now += pause + length
    found = in_milliseconds(words, now + beyond_s)
    spans = [(round(w.start_s * 1000), round(w.end_s * 1000)) for w in found]
    assert all(0 <= start < end for start, end in spans)
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(spans))
    assert not spans or spans[-1][1] <= max(round((now + beyond_s) * 1000), len(words))
    assert all(w.start_s == start / 1000 for w, (start, _) in zip(found, spans, strict=True))


def test_a_word_that_reaches_into_the_next_is_cut() -> None:
    found = in_milliseconds([Word("a", 0.0, 0.5, 0.5), Word("b", 0.3, 0.6, 0.5)], 1.0)
    assert [(w.start_s, w.end_s) for w in found] == [(0.0, 0.3), (0.3, 0.6)]
