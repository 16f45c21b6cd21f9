"""Random voices: a variant of timbre, with pitch, range, speed, loudness and pauses of its own."""

import torch

from earful.data.synthesis.languages import find_language, variants
from earful.data.synthesis.speech import Voice

SPEED_WPM = (110, 260)
PITCH = (15, 85)
PITCH_RANGE = (20, 90)
VOLUME = (40, 110)
WORD_GAP = (1, 5)
_GAP_SHARE = 0.25  # of voices that pause between words


def random_voice(language: str, generator: torch.Generator) -> Voice:
    """Draw a voice for a language of espeak-ng. Raises SynthesisError for a language that it lacks.

    >>> random_voice("nl", torch.Generator().manual_seed(0)).language  # doctest: +SKIP
    'nl'
    """
    find_language(language)
    names = variants()
    gapped = _uniform(0, 999, generator) < 1000 * _GAP_SHARE
    return Voice(
        language=language,
        variant=names[_uniform(0, len(names) - 1, generator)],
        pitch=_uniform(*PITCH, generator),
        pitch_range=_uniform(*PITCH_RANGE, generator),
        speed_wpm=_uniform(*SPEED_WPM, generator),
        volume=_uniform(*VOLUME, generator),
        word_gap=_uniform(*WORD_GAP, generator) if gapped else 0,
    )


def _uniform(least: int, most: int, generator: torch.Generator) -> int:
    return int(torch.randint(least, most + 1, (), generator=generator))
