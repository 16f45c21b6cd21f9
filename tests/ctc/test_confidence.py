"""Confidences of words: what they depend on, and how a recogniser's own held-out words move them."""

import numpy as np
import pytest

from earful.ctc.confidence import clues_of, confidences, shift_of
from earful.ctc.greedy import Emission
from earful.ctc.ngram import learn
from earful.ctc.words import Words, count_words
from earful.text.alphabet import Alphabet

TEXTS = ["de kat zit hier", "de hond zit daar"]
ALPHABET = Alphabet.learn(TEXTS)
NGRAM, KNOWN = learn(TEXTS, ALPHABET, 4), Words((count_words(TEXTS),), (0.5, 0.5), 0.8)


def word(text: str, heard: float = 0.9, sure: float = 0.9) -> list[Emission]:
    return [Emission(symbol, n, n + 1, heard, sure) for n, symbol in enumerate(ALPHABET.encode(text))]


def confidence(text: str, heard: float = 0.9, sure: float = 0.9, shift: float = 0.0) -> float:
    (found,) = confidences(clues_of([word(text, heard, sure)], [text], NGRAM, KNOWN), shift)
    return found


def test_what_is_heard_clearly_searched_surely_and_known_is_likelier_right() -> None:
    assert confidence("kat", heard=0.99) > confidence("kat", heard=0.6) > confidence("kat", heard=0.2)
    assert confidence("kat", sure=1.0) > confidence("kat", sure=0.3)
    assert confidence("kat") > confidence("tak"), "a word that is in no list"
    assert 0 < confidence("kat", heard=0.0, sure=0.0) < confidence("kat", heard=1.0, sure=1.0) < 1


def test_a_word_among_doubtful_ones_is_less_likely_right() -> None:
    def first(other: float) -> float:
        pair = [word("kat"), word("zit", heard=other)]
        return confidences(clues_of(pair, ["kat", "zit"], NGRAM, KNOWN))[0]

    assert first(0.9) > first(0.3)


def test_the_best_path_has_clues_of_its_own() -> None:
    clues = clues_of([word("kat"), word("zit", heard=0.4)], ["kat", "zit"], None, None)
    clear, unclear = confidences(clues)
    assert clues.shape == (2, 4) and clear > unclear
    assert confidences(clues_of([], [], None, None)) == [] == confidences(clues_of([], [], NGRAM, KNOWN))


def test_the_shift_is_that_of_the_held_out_words() -> None:
    """Of many words all as sure, the confidence becomes their share of right ones; a few move it a little."""
    many = clues_of([word("kat")] * 400, ["kat"] * 400, NGRAM, KNOWN)
    usual = confidences(many)[0]
    assert abs(usual - 0.3) > 0.1
    assert confidences(many, shift_of(many, [True] * 120 + [False] * 280))[0] == pytest.approx(0.3, abs=0.03)
    few = shift_of(many[:3], [False] * 3)
    assert 0.1 < usual - confidences(many, few)[0] < 0.5
    assert shift_of(np.zeros((0, 9)), []) == 0
