"""A pause ends a word: where a space is put, and where none is."""

import numpy as np

from earful.ctc.greedy import best_path, merge
from earful.ctc.pauses import spaced

SPACE, A, B = 1, 2, 3
LONGEST = 6


def frames(said: str) -> np.ndarray:
    """Log-probabilities `[F, 4]`: a frame for each sign, `.` a blank."""
    p_FV = np.full((len(said), 4), 0.05)
    p_FV[np.arange(len(said)), [". ab".index(sign) for sign in said]] = 0.85
    return np.log(p_FV).astype(np.float32)


def text(said: str, silent: slice = slice(0, 0)) -> str:
    """What the best path says of it."""
    heard_F = np.ones(len(said), np.bool_)
    heard_F[silent] = False
    return "".join(" ab"[each.symbol - 1] for each in merge(*best_path(spaced(frames(said), heard_F, SPACE, LONGEST))))


def test_a_longer_pause_between_letters_is_a_space() -> None:
    assert text("ab.......ba") == "ab ba"
    assert text("ab......ba") == "abba", "it is no longer than the longest"
    assert text("ab.......ba.......b") == "ab ba b"
    assert text("a.......a") == "a a", "the same letter, too"


def test_before_the_first_letter_and_after_the_last_there_is_none() -> None:
    said = "..........ab.........."
    logp_FV = frames(said)
    assert spaced(logp_FV, np.ones(len(said), np.bool_), SPACE, LONGEST) is logp_FV
    assert text("..........") == "" and text("") == ""


def test_a_space_that_is_there_is_enough() -> None:
    for said in ("ab .......ba", "ab....... ba", "ab... .......ba"):
        assert text(said) == "ab ba"


def test_a_silence_parts_words_by_itself() -> None:
    assert text("ab.......ba", silent=slice(4, 6)) == "abba"
    assert text("ab.......ba.......b", silent=slice(4, 6)) == "abba b"


def test_the_space_is_certain_and_near_the_second_letter() -> None:
    said = "ab" + 50 * "." + "ba"
    logp_FV = frames(said)
    found_FV = spaced(logp_FV, np.ones(len(said), np.bool_), SPACE, LONGEST)
    (place,) = np.flatnonzero((found_FV != logp_FV).any(1))
    assert place == 52 - 1 - LONGEST // 2
    assert found_FV[place, SPACE] == 0 and (np.delete(found_FV[place], SPACE) < -20).all()
    assert (logp_FV == frames(said)).all(), "what it was given stays as it was"
