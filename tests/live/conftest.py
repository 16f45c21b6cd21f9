"""A recogniser of the language of tones without a network: what it hears does not hang on what lies around it."""

from collections.abc import Callable
from typing import final

import numpy as np
import pytest

from earful.ctc.greedy import Numbers
from earful.ctc.ngram import learn
from earful.folders import Language
from earful.text.alphabet import Alphabet
from earful.text.normalize import TextRules
from earful.transcriber import Samples, Transcriber, Writing

FRAME = 320
HZ = np.array([300 * 1.7**place for place in range(3)])
ALPHABET = Alphabet(tuple(" abc"))


@final
class Tones(Transcriber):
    """Each letter is a tone, 100 ms of quiet a space; `heard_s` counts the seconds that it was given."""

    heard_s = 0.0

    def _logp_of(self, samples_T: Samples) -> Numbers:
        self.heard_s += len(samples_T) / 16_000
        frames_FT = np.pad(samples_T, (0, -len(samples_T) % FRAME)).reshape(-1, FRAME)
        turns_TL = np.exp(-2j * np.pi * np.outer(np.arange(FRAME), HZ) / 16_000)
        power_FL = np.abs(frames_FT @ turns_TL) / FRAME
        loud_F = power_FL.max(1) > 0.02
        quiet_F = np.convolve(~np.pad(loud_F, 2, mode="edge"), np.ones(5), "valid") == 5
        best_F = np.where(loud_F, 2 + power_FL.argmax(1), np.where(quiet_F, 1, 0))
        p_FV = np.full((len(best_F), ALPHABET.size), 0.02)
        p_FV[np.arange(len(best_F)), best_F] = 0.92
        return np.log(p_FV).astype(np.float32)


@pytest.fixture(params=["the best path", "a search with a language model"])
def tones_heard(request: pytest.FixtureRequest) -> Callable[[], Tones]:
    """`tones_heard()` is a new recogniser of tones."""
    language = Language(learn(["abba cab acca", "bac caba", "ab ab ca"], ALPHABET, order=3), 0.5, 0.5)
    searched = request.param != "the best path"
    return lambda: Tones(Writing(ALPHABET, TextRules(), 0.02, language=language if searched else None))
