"""Greedy (best path) decoding of CTC (Graves et al. 2006, section 3.2), with times and confidences."""

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

Numbers = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Emission:
    """One symbol of a text: its id, its frames `[start, end)`, and its mean probability there.

    `sure` is the search's probability of it, given the symbols before (1 without a search).
    """

    symbol: int
    start: int
    end: int
    confidence: float
    sure: float = 1.0


def array(values: "Numbers | Tensor") -> Numbers:
    """The numbers of an array, or of a tensor on any device: the decoders do not import torch."""
    return values if isinstance(values, np.ndarray) else values.detach().cpu().double().numpy()


def best_path(logp_FV: "Numbers | Tensor") -> tuple[Numbers, Numbers]:
    """The likeliest symbol of each frame and its probability, `[F]` and `[F]`; a long recording keeps nothing else."""
    logp = array(logp_FV)
    best_F = logp.argmax(-1)
    return best_F, np.exp(np.take_along_axis(logp, best_F[:, None], -1)[:, 0], dtype=np.float32)


def merge(best_F: Numbers, p_F: Numbers, blank: int = 0) -> tuple[Emission, ...]:
    """A best path, repetitions merged and blanks dropped."""
    if not len(best_F):
        return ()
    starts = np.flatnonzero(np.diff(best_F, prepend=best_F[0] - 1))
    ends = np.append(starts[1:], len(best_F))
    mean_p = np.add.reduceat(p_F, starts) / (ends - starts)
    columns = zip(best_F[starts].tolist(), starts.tolist(), ends.tolist(), mean_p.tolist(), strict=True)
    return tuple(Emission(*row) for row in columns if row[0] != blank)


def greedy(logp_FV: "Numbers | Tensor", blank: int = 0) -> tuple[Emission, ...]:
    """The best path of `logp_FV`, repetitions merged and blanks dropped.

    >>> import torch
    >>> logp = torch.tensor([[0.1, 0.9], [0.2, 0.8], [0.9, 0.1], [0.3, 0.7]]).log()
    >>> [(e.symbol, e.start, e.end) for e in greedy(logp)]
    [(1, 0, 2), (1, 3, 4)]
    """
    return merge(*best_path(logp_FV), blank)


def greedy_ids(logp_BFV: "Tensor", frame_counts_B: "Tensor", blank: int = 0) -> list[list[int]]:
    """Label ids of the best path of every item: `greedy` without times, for scoring many at once."""
    best_BF = logp_BFV.argmax(-1).tolist()
    paths = (best_F[:count] for best_F, count in zip(best_BF, frame_counts_B.tolist(), strict=True))
    return [[symbol for symbol, _ in groupby(path) if symbol != blank] for path in paths]
