"""Greedy (best path) decoding of CTC (Graves et al. 2006, section 3.2), with times and confidences."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Emission:
    """One symbol of a text: its id, the frames `[start, end)` that say it, and its mean probability there.

    `sure` is how likely a search held it, given what came before (1 where nothing was searched for).
    """

    symbol: int
    start: int
    end: int
    confidence: float
    sure: float = 1.0


def best_path(logp_FV: Tensor) -> tuple[Tensor, Tensor]:
    """The likeliest symbol of each frame and its probability, `[F]` and `[F]`: all that is kept of a long recording."""
    best_logp_F, best_F = logp_FV.max(-1)
    return best_F, best_logp_F.float().exp()


def merge(best_F: Tensor, p_F: Tensor, blank: int = 0) -> tuple[Emission, ...]:
    """A best path, repetitions merged and blanks dropped."""
    if not len(best_F):
        return ()
    runs, counts = torch.unique_consecutive(best_F, return_counts=True)
    ends = counts.cumsum(0)
    mean_p = torch.segment_reduce(p_F, "mean", lengths=counts)
    columns = zip(runs.tolist(), (ends - counts).tolist(), ends.tolist(), mean_p.tolist(), strict=True)
    return tuple(Emission(*row) for row in columns if row[0] != blank)


def greedy(logp_FV: Tensor, blank: int = 0) -> tuple[Emission, ...]:
    """The best path of `logp_FV`, repetitions merged and blanks dropped.

    >>> import torch
    >>> logp = torch.tensor([[0.1, 0.9], [0.2, 0.8], [0.9, 0.1], [0.3, 0.7]]).log()
    >>> [(e.symbol, e.start, e.end) for e in greedy(logp)]
    [(1, 0, 2), (1, 3, 4)]
    """
    return merge(*best_path(logp_FV), blank)


def greedy_ids(logp_BFV: Tensor, frame_counts_B: Tensor, blank: int = 0) -> list[list[int]]:
    """Label ids of the best path of every item: `greedy` without times, for scoring many at once."""
    best_BF = logp_BFV.argmax(-1)
    return [
        [int(i) for i in torch.unique_consecutive(best_F[:count]).tolist() if i != blank]
        for best_F, count in zip(best_BF, frame_counts_B.tolist(), strict=True)
    ]
