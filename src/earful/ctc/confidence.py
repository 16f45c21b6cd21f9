"""Calibrated confidences: the probability that a word is right. Of words with 0.7, seven of ten are right.

It is a logistic regression (Platt 1999, "Probabilistic outputs for support vector machines"). Its inputs are how
clearly a word's letters were heard, how sure the search was of them, and the language model's probability of the word.
Its weights were fitted on real Dutch and on synthetic Esperanto, German and Finnish (bench/confidence.py), with a shift
for each recogniser. The shift of a new recogniser comes from its own held-out clips.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from earful.ctc.greedy import Emission

if TYPE_CHECKING:
    from earful.ctc.ngram import NGram
    from earful.ctc.words import Words

SEARCHED = (-1.96, 1.01, -0.12, 1.15, -0.33, 0.69, 0.29, 0.17, 2.75, 0.08)
BEST_PATH = (0.15, 2.52, 1.36, -0.49, 1.0)
"""The bias, then a weight for each clue, as fitted by bench/confidence.py."""
DOUBT = 1.0
"""The standard deviation of a recogniser's own shift, in logits."""
_LEAST = 1e-6
_STEPS = 30

Clues = NDArray[np.float64]


def clues_of(
    words: Sequence[Sequence[Emission]], texts: Sequence[str], ngram: "NGram | None", known: "Words | None"
) -> Clues:
    """The clues on each word of a recording, `[W, C]`.

    They are logarithms of: the mean and the least probability of its letters by the sound, the search's certainty of
    all letters and of the least certain one, the length. Then the means of the first and third in the recording,
    whether the word is known, and its log-probability by letters. Without a language model: the first two, the length,
    and the mean of the first.
    """
    rows = []
    for letters, text in zip(words, texts, strict=True):
        heard = [math.log(max(each.confidence, _LEAST)) for each in letters]
        sure = [math.log(max(each.sure, _LEAST)) for each in letters]
        row = [sum(heard) / len(heard), min(heard), math.log(len(letters))]
        if ngram is not None:
            row = [*row[:2], sum(sure), min(sure), row[2], float(bool(known and text in known.known))]
            row.append(float(ngram.logp(text).sum()))
        rows.append(row)
    clues_WC = np.array(rows, np.float64)
    if not rows:
        return np.zeros((0, len(BEST_PATH if ngram is None else SEARCHED) - 1))
    means = np.broadcast_to(clues_WC.mean(0), clues_WC.shape)
    if ngram is None:
        return np.column_stack([clues_WC, means[:, 0]])
    return np.column_stack([clues_WC[:, :5], means[:, 0], means[:, 2], clues_WC[:, 5:]])


def confidences(clues_WC: Clues, shift: float = 0.0) -> list[float]:
    """The probability that each word is right, from 0 to 1."""
    return [float(p) for p in 1 / (1 + np.exp(-(_logits(clues_WC) + shift)))]


def shift_of(clues_WC: Clues, right: Sequence[bool]) -> float:
    """The shift of a recogniser in logits, from words that are known to be right or wrong.

    It is the maximum a posteriori with a normal prior of deviation DOUBT, by Newton's steps.
    """
    logits_W, right_W, shift = _logits(clues_WC), np.array(right, float), 0.0
    for _ in range(_STEPS):
        p_W = 1 / (1 + np.exp(-(logits_W + shift)))
        slope = (p_W - right_W).sum() + shift / DOUBT**2
        shift -= slope / ((p_W * (1 - p_W)).sum() + 1 / DOUBT**2)
    return float(shift)


def _logits(clues_WC: Clues) -> Clues:
    bias, *weights = SEARCHED if clues_WC.shape[1] == len(SEARCHED) - 1 else BEST_PATH
    found: Clues = bias + clues_WC @ np.array(weights)
    return found
