"""Transcripts as LRC."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from earful.transcript import Transcript, Word, together
from earful.writers.formats import render

LINE = re.compile(r"\[(\d{2,}):([0-5]\d\.\d\d)\](.*)")


def said(words: list[Word], duration_s: float = 60.0) -> Transcript:
    return Transcript(" ".join(word.text for word in words), tuple(words), 0.5, duration_s)


def test_a_line_a_phrase_and_an_empty_one_at_a_pause() -> None:
    words = [Word("góðan", 0.5, 0.8, 0.9), Word("daginn", 0.9, 1.25, 0.9), Word("já", 3.0, 3.6, 0.9)]
    assert render(said(words, 4.0), "lrc") == (
        "[length:00:04.00]\n[00:00.50]góðan daginn\n[00:01.25]\n[00:03.00]já\n[00:03.60]\n"
    )


def test_hundredths_carry_and_minutes_go_beyond_an_hour() -> None:
    lines = render(said([Word("a", 59.996, 61.0, 0.9), Word("b", 6000.0, 6001.0, 0.9)], 6001.0), "lrc").splitlines()
    assert lines == ["[length:100:01.00]", "[01:00.00]a", "[01:01.00]", "[100:00.00]b", "[100:01.00]"]


def test_speakers_are_named_and_nobody_who_still_speaks_is_cleared() -> None:
    talk = together({
        "eva": said([Word("one", 0.0, 0.5, 0.9), Word("two", 0.6, 3.0, 0.9)], 9.0),
        "tom": said([Word("yes", 1.0, 1.4, 0.9)], 9.0),
        "ann": said([Word("no", 3.2, 4.0, 0.9)], 9.0),
    })  # fmt: skip
    assert render(talk, "lrc").splitlines()[1:] == [
        "[00:00.00]eva: one two",
        "[00:01.00]tom: yes",
        "[00:03.20]ann: no",
        "[00:04.00]",
    ]


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 2), st.floats(0.02, 1.5), st.text("abč", min_size=1, max_size=60)), max_size=40))
def test_all_words_are_there_in_order_and_time_goes_on(steps: list[tuple[float, float, str]]) -> None:
    words, now = [], 0.0
    for pause, length, text in steps:
        words.append(Word(text, now + pause, now + pause + length, 0.5))
        now += pause + length
    found = [LINE.fullmatch(line) for line in render(said(words, now), "lrc").splitlines()[1:]]
    assert " ".join(line[3] for line in found if line).split() == [word.text for word in words]
    times = [60 * int(line[1]) + float(line[2]) for line in found if line]
    assert None not in found and times == sorted(times) and (not times or times[-1] >= round(now, 2) - 0.011)
