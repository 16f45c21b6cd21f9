"""What a transcriber tells while it hears: words that are in the transcript, whatever comes."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from earful.text.alphabet import Alphabet
from earful.text.normalize import TextRules
from earful.transcriber import Transcriber, Writing

RATE = 16_000
TEXT = "abba cab acca bac caba ba ac ab cab abba bacca cab "


@pytest.fixture
def recording(tones: Any) -> np.ndarray:
    """37.44 s: two stretches of speech with a silence between, the first of which is longer than a window."""
    quiet_T = np.random.default_rng(0).normal(0, 1e-4, 4 * RATE).astype(np.float32)
    return np.concatenate([tones(TEXT * 3), quiet_T, tones(TEXT)])


def told(transcriber: Transcriber, samples_T: np.ndarray) -> tuple[list[tuple[float, list[str]]], list[str]]:
    """After how many seconds which words were told, and those of the transcript."""
    found, heard_s = list[tuple[float, list[str]]](), [0.0]

    def advance(seconds: float) -> None:
        heard_s[0] += seconds

    said = transcriber.transcribe(
        samples_T, advance=advance, certain=lambda words: found.append((heard_s[0], list(words)))
    )
    return found, [word.text for word in said.words]


def test_words_are_told_window_by_window(tones_heard: Callable[[], Transcriber], recording: np.ndarray) -> None:
    transcriber = tones_heard()
    found, words = told(transcriber, recording)
    texts, times = [text for _, part in found for text in part], [at for at, _ in found]
    assert texts == words[: len(texts)] and len(words) == 48
    if transcriber.writing.language is None:
        assert times == pytest.approx([15.0, 30.0, len(recording) / RATE]), "after each window"
        assert len(found[0][1]) >= 20 and len(texts) >= 46
    else:  # a search keeps other beginnings in mind for long
        assert times[:2] == [15.0, 30.0] and found[0][1] and len(texts) >= 30


def test_a_word_that_goes_on_is_not_told(tones_heard: Callable[[], Transcriber], tones: Any) -> None:
    """The window ends amid the last word: it waits."""
    transcriber = tones_heard()
    found, words = told(transcriber, tones("ab " + "abc" * 45))
    expected = [["ab"], ["abc" * 45]]
    assert [part for _, part in found] == expected[: len(found)] and words == ["ab", "abc" * 45]
    assert found[0][0] == 15.0 and len(found) == (2 if transcriber.writing.language is None else 1)


def test_syllables_are_told_with_their_accents(tones_heard: Callable[[], Transcriber], tones: Any) -> None:
    given = tones_heard()
    alphabet, rules = Alphabet((" ", "a", "ˉ", "ˇ")), TextRules(writing="pinyin", language="zh")
    heard = type(given)(Writing(alphabet, rules, 0.02))
    found, words = told(heard, tones("abac" * 30))
    texts = [text for _, part in found for text in part]
    assert texts == words[: len(texts)] and set(words) == {"ā", "ǎ"} and len(texts) > 30
    chosen = type(given)(replace(given.writing, rules=TextRules(writing="characters", language="zh")))
    assert told(chosen, tones(TEXT * 2))[0] == [], "characters are chosen by what follows"


def without_spaces_in_pauses(transcriber: Transcriber) -> Transcriber:
    """As a model is that learned from clips of a sentence each: in a pause it writes nothing."""
    hears = transcriber._logp_of

    def logp_of(samples_T: np.ndarray) -> np.ndarray:
        logp_FV = 3 * hears(samples_T)
        logp_FV -= np.logaddexp.reduce(logp_FV, axis=1, keepdims=True)
        edges = np.flatnonzero(np.diff(np.pad(logp_FV.argmax(1) == 1, 1).astype(int)))
        for begin, end in zip(edges[::2], edges[1::2], strict=True):
            if end - begin > 15:
                logp_FV[begin:end, [0, 1]] = logp_FV[begin:end, [1, 0]]
        return logp_FV

    transcriber._logp_of = logp_of  # type: ignore[method-assign]
    return transcriber


@pytest.mark.parametrize(("pause_s", "count"), [(0.1, 1), (0.9, 2), (1.6, 2)])
def test_a_pause_ends_a_word(tones_heard: Callable[[], Transcriber], tones: Any, pause_s: float, count: int) -> None:
    """Two sentences, and a pause that is no silence between: their words are not one, and are heard where they are."""
    quiet_T = np.random.default_rng(0).normal(0, 1e-4, round(pause_s * RATE)).astype(np.float32)
    sentences = [tones("abba cab"), tones("bacca ab")]
    found, words = told(without_spaces_in_pauses(tones_heard()), np.concatenate([sentences[0], quiet_T, sentences[1]]))
    joined = ["cab", "bacca"] if count == 2 else ["cabbacca"]
    assert words == ["abba", *joined, "ab"]
    texts = [text for _, part in found for text in part]
    assert texts == words[: len(texts)], "what is told is what is written"
