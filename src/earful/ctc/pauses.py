"""A pause ends a word, whether or not the model writes a space in it.

A model that was adapted to clips of one sentence each, with some quiet at their ends, has learned to write nothing
where it is quiet. In a longer recording, too, it writes nothing between two sentences, so the last word of one and the
first of the next would be one word (`bench/pauses.py`).
"""

import numpy as np
from numpy.typing import NDArray

from earful.ctc.greedy import Numbers
from earful.ctc.stretches import NEVER

LONGEST_S = 0.7
"""Between two letters of a word there is no longer pause."""
_BLANK = 0


def spaced(logp_FV: Numbers, heard_F: NDArray[np.bool_], space: int, longest: int) -> Numbers:
    """Log-probabilities `[F, V]` with a `space` in each pause of more than `longest` frames between two letters.

    The space is certain in one frame, `longest` / 2 before the second letter: live words are heard up to a letter, and
    what lies long before it has settled. A pause beside a space of the best path needs none, nor does one with frames
    that are not `heard_F`: no word crosses a silence.
    """
    best_F = logp_FV.argmax(-1)
    said = np.flatnonzero(best_F != _BLANK)
    before, after = said[:-1], said[1:]
    silent_F1 = np.concatenate([[0], np.cumsum(~np.asarray(heard_F, np.bool_))])
    parts = (
        (after - before - 1 > longest)
        & (best_F[before] != space)
        & (best_F[after] != space)
        & (silent_F1[after] == silent_F1[before])
    )
    places = after[parts] - 1 - longest // 2
    if not len(places):
        return logp_FV
    spaced_FV = logp_FV.copy()
    spaced_FV[places] = NEVER
    spaced_FV[places, space] = 0.0
    return spaced_FV
