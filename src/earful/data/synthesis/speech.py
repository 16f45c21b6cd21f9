"""The values of synthesis: a voice, a phone and its time, and what was said."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SILENCE = ""

_STRESS_AND_TIES = str.maketrans("", "", "ˈˌ\u0361\u035c")


@dataclass(frozen=True)
class Voice:
    """How espeak-ng speaks: `language` and `variant` are its names; an empty variant is the language's own voice.

    `pitch` and `pitch_range` are 0–100 (50 is the voice's own), `volume` 0–200 (100), `word_gap` is in units of 10 ms.

    >>> Voice("nl", "f2", speed_wpm=160).speaker
    'nl+f2'
    """

    language: str
    variant: str = ""
    pitch: int = 50
    pitch_range: int = 50
    speed_wpm: int = 175
    volume: int = 100
    word_gap: int = 0

    @property
    def speaker(self) -> str:
        """The name of the speaker: clips with the same one differ in pitch and speed, not in timbre."""
        return f"{self.language}+{self.variant}" if self.variant else self.language


@dataclass(frozen=True)
class Phone:
    """One IPA phone as espeak-ng names it, stress marks included, and when it starts; SILENCE is a pause."""

    symbol: str
    start_s: float


@dataclass(frozen=True)
class Speech:
    """What was said: `samples_T` float32 at 16 kHz, the phones in time order, and whether another language slipped in.

    A phone lasts until the next one starts, the last one to the end; before the first there is silence. espeak-ng says
    a word that it takes for foreign (`foreign`) with the phones of that other language.
    """

    samples_T: NDArray[np.float32]
    phones: tuple[Phone, ...]
    foreign: bool


def plain_phone(symbol: str) -> str:
    """Take stress marks and tie bars off an IPA symbol; length and diacritics stay.

    >>> plain_phone("ˈaː"), plain_phone("t͡s")
    ('aː', 'ts')
    """
    return symbol.translate(_STRESS_AND_TIES)
