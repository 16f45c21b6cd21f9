"""Confidences of words: what they depend on, and how a recogniser's own held-out words move them."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from earful.ctc.confidence import BEST_PATH, DOUBT, SEARCHED, clues_of, confidences, shift_of
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
    nothing, nothing_searched = clues_of([], [], None, None), clues_of([], [], NGRAM, KNOWN)
    assert (nothing.shape, nothing_searched.shape) == ((0, 4), (0, 9)), "as many clues as for words"
    assert confidences(nothing) == [] == confidences(nothing_searched)


def test_the_shift_is_that_of_the_held_out_words() -> None:
    """Of many words all as sure, the confidence becomes their share of right ones; a few move it a little."""
    many = clues_of([word("kat")] * 400, ["kat"] * 400, NGRAM, KNOWN)
    usual = confidences(many)[0]
    assert abs(usual - 0.3) > 0.1
    assert confidences(many, shift_of(many, [True] * 120 + [False] * 280))[0] == pytest.approx(0.3, abs=0.03)
    few = shift_of(many[:3], [False] * 3)
    assert 0.1 < usual - confidences(many, few)[0] < 0.5
    assert shift_of(np.zeros((0, 9)), []) == 0


def said(text: str, heard: list[float], sure: list[float]) -> list[Emission]:
    rows = zip(ALPHABET.encode(text), heard, sure, strict=True)
    return [Emission(symbol, n, n + 1, *each) for n, (symbol, *each) in enumerate(rows)]


def test_the_clues_are_those_that_the_weights_were_fitted_for() -> None:
    """Of two words, one of them unknown and with a letter that was not heard at all."""
    pair = [said("kat", [0.5, 0.25, 1.0], [0.5, 1.0, 0.5]), said("ek", [0.0, 1.0], [1.0, 0.125])]
    found = clues_of(pair, ["kat", "ek"], NGRAM, KNOWN)
    log, none = math.log, math.log(1e-6)
    means, lengths = [log(0.125) / 3, none / 2], [log(3), log(2)]
    sums = [log(0.25), log(0.125)]
    expected = [
        [means[0], log(0.25), sums[0], log(0.5), lengths[0]],
        [means[1], none, sums[1], log(0.125), lengths[1]],
    ]
    np.testing.assert_allclose(found[:, :5], expected)
    np.testing.assert_allclose(found[:, 5:7], [[sum(means) / 2, sum(sums) / 2]] * 2)
    np.testing.assert_allclose(found[:, 7:], [[1, NGRAM.logp("kat").sum()], [0, NGRAM.logp("ek").sum()]], rtol=1e-6)
    plain = clues_of(pair, ["kat", "ek"], None, None)
    columns = zip(means, expected, lengths, strict=True)
    rows = [[mean, least, length, sum(means) / 2] for mean, (_, least, *_), length in columns]
    np.testing.assert_allclose(plain, rows)
    assert clues_of(pair, ["kat", "ek"], NGRAM, None)[:, 7].tolist() == [0, 0], "without a list no word is known"


@pytest.mark.parametrize(("of", "weights"), [("search", SEARCHED), ("best path", BEST_PATH)])
def test_the_weights_are_those_that_were_fitted(of: str, weights: tuple[float, ...]) -> None:
    measured = json.loads((Path(__file__).parents[2] / "bench" / "confidence.json").read_text("utf-8"))
    assert weights == pytest.approx(measured["searches"][of]["fitted"], abs=0.005)


@pytest.mark.parametrize("weights", [SEARCHED, BEST_PATH])
def test_a_confidence_is_the_logistic_of_the_weighed_clues(weights: tuple[float, ...]) -> None:
    clues = np.random.default_rng(0).normal(size=(5, len(weights) - 1))
    for row, found in zip(clues, confidences(clues, shift=0.5), strict=True):
        logit = weights[0] + 0.5 + sum(weight * clue for weight, clue in zip(weights[1:], row, strict=True))
        assert found == pytest.approx(1 / (1 + math.exp(-logit)))


def test_the_shift_is_the_likeliest() -> None:
    """There the slope of the logarithm of likelihood and prior is nothing, and it falls to both sides."""
    clues = np.random.default_rng(0).normal(size=(9, 4))
    right = [True, True, False, True, False, False, False, True, False]

    def logarithm(shift: float) -> float:
        p = confidences(clues, shift)
        return sum(math.log(q if fits else 1 - q) for q, fits in zip(p, right, strict=True)) - (shift / DOUBT) ** 2 / 2

    best = shift_of(clues, right)
    assert logarithm(best) > max(logarithm(best - 1e-3), logarithm(best + 1e-3))
    assert logarithm(best + 1e-3) == pytest.approx(logarithm(best - 1e-3), abs=1e-7)
