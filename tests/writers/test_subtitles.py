"""Transcripts as text, JSON, SRT, WebVTT and TSV."""

import itertools
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earful.errors import ConfigError
from earful.transcript import Transcript, Word
from earful.writers.formats import FORMATS, render
from earful.writers.phrases import CUE_LINES, LINE_CHARACTERS, LONGEST_CUE_S, cues

TWO = Transcript("dobrý den", (Word("dobrý", 0.5, 0.8, 0.9), Word("<den>", 3661.5, 3661.9996, 0.5)), 0.7, 3662.0)


def transcript(words: list[Word]) -> Transcript:
    return Transcript(" ".join(word.text for word in words), tuple(words), 0.5, 60.0)


def test_text() -> None:
    assert render(TWO, "text") == "dobrý den\n"


def test_json_is_one_line_that_holds_everything() -> None:
    line = render(TWO, "json", "řeč.wav")
    assert line.count("\n") == 1 and "řeč" in line
    row = json.loads(line)
    assert row["audio"] == "řeč.wav" and row["text"] == "dobrý den" and row["duration_s"] == 3662.0
    assert row["words"][0] == {"text": "dobrý", "start_s": 0.5, "end_s": 0.8, "confidence": 0.9}


def test_json_carries_a_file_name_that_is_no_unicode() -> None:
    line = render(TWO, "json", "caf\udce9.wav")
    assert json.loads(line.encode())["audio"] == "caf\udce9.wav"


def test_srt() -> None:
    assert render(TWO, "srt") == (
        "1\n00:00:00,500 --> 00:00:01,000\ndobrý\n\n2\n01:01:01,500 --> 01:01:02,000\n<den>\n"
    )


def test_vtt_escapes() -> None:
    assert render(TWO, "vtt") == (
        "WEBVTT\n\n00:00:00.500 --> 00:00:01.000\ndobrý\n\n01:01:01.500 --> 01:01:02.000\n&lt;den&gt;\n"
    )


def test_tsv() -> None:
    assert render(TWO, "tsv").splitlines() == [
        "start_s\tend_s\tconfidence\tword",
        "0.500\t0.800\t0.900\tdobrý",
        "3661.500\t3662.000\t0.500\t<den>",
    ]


@pytest.mark.parametrize("name", FORMATS)
def test_nothing_said(name: str) -> None:
    rendered = render(transcript([]), name)
    assert "-->" not in rendered and rendered == ("" if name == "srt" else rendered.rstrip("\n") + "\n")


def test_another_format_is_refused() -> None:
    with pytest.raises(ConfigError, match="must be one of text, json"):
        render(TWO, "doc")


@st.composite
def spoken(draw: st.DrawFn) -> list[Word]:
    steps = st.tuples(st.floats(0, 2), st.floats(0.02, 1.5), st.text("abč", min_size=1, max_size=60))
    words, now = [], 0.0
    for pause, length, text in draw(st.lists(steps, max_size=40)):
        start, now = now + pause, now + pause + length
        words.append(Word(text, start, now, 0.5))
    return words


@given(spoken())
def test_cues_hold_all_words_in_order_and_do_not_overlap(words: list[Word]) -> None:
    found = list(cues(words))
    assert " ".join(line for cue in found for line in cue.lines).split() == [word.text for word in words]
    for cue in found:
        assert 1 <= len(cue.lines) <= CUE_LINES
        assert all(len(line) <= LINE_CHARACTERS or " " not in line for line in cue.lines)
        assert 0 < cue.end_s - cue.start_s <= LONGEST_CUE_S + 1e-6
    assert all(a.end_s <= b.start_s + 1e-9 for a, b in itertools.pairwise(found))


@given(spoken())
def test_srt_can_be_read_back(words: list[Word]) -> None:
    blocks = [block for block in render(transcript(words), "srt").split("\n\n") if block]
    clock = r"\d\d:[0-5]\d:[0-5]\d,\d{3}"
    for number, block in enumerate(blocks, 1):
        first, times, *lines = block.splitlines()
        assert first == str(number) and re.fullmatch(f"{clock} --> {clock}", times) and lines


def test_no_spaces_among_characters() -> None:
    words = [Word(text, float(i), i + 0.5, 0.9) for i, text in enumerate(["我们", "去", "wifi", "银行"])]
    assert [cue.lines for cue in cues(words)] == [("我们去 wifi 银行",)]
