"""Decoding of a recording with silences: each stretch of speech between two silences is decoded separately.

So no word crosses a silence, and no letter is extended until somebody speaks again.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from earful.ctc.greedy import Emission, Numbers, merge

if TYPE_CHECKING:
    from earful.ctc.beam import Guess, Search

NEVER = -30.0
"""The log-probability of a letter in a silence."""

Said = tuple[tuple[Emission, ...], ...]
"""The letters of a recording, stretch by stretch; their frames are those of the whole recording."""


def merge_stretches(best_F: Numbers, p_F: Numbers, heard_F: Numbers) -> Said:
    """The best path (`greedy.best_path`) of each stretch of the frames in which somebody may speak, `heard_F`."""
    return tuple(_from(begin, merge(best_F[begin:end], p_F[begin:end])) for begin, end in stretches(heard_F))


def search_stretches(search: "Search", logp_FV: Numbers, heard_F: Numbers, guesses: int = 1) -> list[Said]:
    """The best text of log-probabilities `[F, V]`, each stretch searched, and as many `guesses`, the best first.

    Those but the first have no times: their letters all are at frame 0.
    """
    ends = stretches(heard_F)
    heard = [search.hear(logp_FV[begin:end], guesses) for begin, end in ends]
    best = tuple(_from(begin, each.emissions) for (begin, _), each in zip(ends, heard, strict=True))
    others = likeliest([each.guesses for each in heard], guesses)[1:]
    return [best, *(tuple(tuple(Emission(s, 0, 0, 0.0) for s in part) for part in guess) for guess in others)]


def likeliest(found: "Iterable[Sequence[Guess]]", count: int) -> list[tuple[tuple[int, ...], ...]]:
    """The best guesses of a whole recording, of those of each stretch; all combinations are considered.

    The stretches were searched apart from each other, so the score of a combination is the sum of theirs.

    >>> from earful.ctc.beam import Guess
    >>> likeliest([[Guess((1,), -1.0), Guess((2,), -3.0)], [Guess((3,), -1.0), Guess((4,), -2.0)]], 3)
    [((1,), (3,)), ((1,), (4,)), ((2,), (3,))]
    """
    best: list[tuple[float, tuple[tuple[int, ...], ...]]] = [(0.0, ())]
    for guesses in found:
        longer = [(score + each.score, (*said, each.symbols)) for (score, said), each in product(best, guesses)]
        best = sorted(longer, key=lambda pair: -pair[0])[:count]
    return [said for _, said in best]


def stretches(heard_F: Numbers) -> list[tuple[int, int]]:
    """The beginnings and ends of the stretches in which somebody may speak."""
    edges = np.flatnonzero(np.diff(np.pad(np.asarray(heard_F, np.int8), 1))).tolist()
    return list(zip(edges[::2], edges[1::2], strict=True))


def silent_frames(count: int, symbols: int) -> Numbers:
    """Log-probabilities `[F, V]` of frames that are certainly blank."""
    logp_FV = np.full((count, symbols), NEVER, np.float32)
    logp_FV[:, 0] = 0.0
    return logp_FV


def said_in(letters: Sequence[Emission], longest: int) -> tuple[int, int]:
    """The frames of a word: the largest group of its letters that follow each other within `longest` frames.

    CTC may write a letter late, after the speech, or extend it.
    """
    groups: list[list[Emission]] = []
    for letter in letters:
        if groups and letter.start - groups[-1][-1].end <= longest:
            groups[-1].append(letter)
        else:
            groups.append([letter])
    group = max(groups, key=len)
    return group[0].start, min(group[-1].end, group[-1].start + longest)


def _from(begin: int, letters: Iterable[Emission]) -> tuple[Emission, ...]:
    return tuple(replace(each, start=each.start + begin, end=each.end + begin) for each in letters)
