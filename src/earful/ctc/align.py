"""Forced alignment: the time of each symbol of a known text, by the likeliest CTC path that spells it (Viterbi)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from earful.ctc.greedy import Emission, Numbers, array
from earful.ctc.lattice import frames_needed
from earful.errors import TextError

if TYPE_CHECKING:
    from torch import Tensor

_LEAST_LOGP = -1e9  # stands for minus infinity: even a path through the impossible must be a path

Floats = NDArray[np.float64]
Ints = NDArray[np.integer[Any]]


def align(logp_FV: "Numbers | Tensor", ids: Sequence[int], blank: int = 0) -> tuple[Emission, ...]:
    """Align the symbols `ids` with log-probabilities `logp_FV`: one emission each, in order.

    Exact, in time and memory that grow with frames × symbols: align an hour in pieces (`ctc.beam` does). The states
    are those of Graves et al. 2006, section 4.1: each symbol, and blanks around it that may stay empty.

    Raises:
        TextError: the symbols do not fit into the frames. ValueError: an id is the blank or out of range.

    >>> import torch
    >>> logp = torch.tensor([[0.1, 0.9], [0.2, 0.8], [0.9, 0.1], [0.3, 0.7]]).log()
    >>> [(e.symbol, e.start, e.end) for e in align(logp, [1, 1])]
    [(1, 0, 2), (1, 3, 4)]
    """
    _check(logp_FV, ids, blank)
    if not ids:
        return ()
    symbols_S = np.full(2 * len(ids) + 1, blank)
    symbols_S[1::2] = ids
    logp = array(logp_FV).astype(np.float64)
    path_F = _path(np.maximum(logp, _LEAST_LOGP), symbols_S)
    p_F = np.exp(logp[np.arange(len(path_F)), symbols_S[path_F]])
    states_L = np.arange(1, len(symbols_S), 2)
    starts, ends = np.searchsorted(path_F, states_L), np.searchsorted(path_F, states_L, "right")
    sums = np.concatenate([[0], p_F.cumsum()])
    confidences = (sums[ends] - sums[starts]) / (ends - starts)
    columns = zip(ids, starts.tolist(), ends.tolist(), confidences.tolist(), strict=True)
    return tuple(Emission(*row) for row in columns)


def _path(logp_FV: Floats, symbols_S: Ints) -> Ints:
    """The state of each frame on the likeliest path through all states; only blanks may be left out."""
    frames, states = len(logp_FV), len(symbols_S)
    may_skip_S = np.zeros(states, dtype=np.bool_)  # a blank between equal symbols must be said
    may_skip_S[3::2] = symbols_S[3::2] != symbols_S[1:-2:2]
    skip_cost_S = np.where(may_skip_S, 0.0, -np.inf)
    moves_FS = np.zeros((frames, states), dtype=np.int8)
    padded = np.full(states + 2, -np.inf)  # two states before the first that no path is in
    best_S = padded[2:]
    best_S[:2] = logp_FV[0, symbols_S[:2]]
    for frame in range(1, frames):
        step_S, skip_S = padded[1:-1], padded[:-2] + skip_cost_S
        moves_S = moves_FS[frame]
        np.greater(step_S, best_S, out=moves_S, casting="unsafe")
        reached_S = np.maximum(step_S, best_S)
        moves_S[skip_S > reached_S] = 2
        np.maximum(reached_S, skip_S, out=reached_S)
        np.add(reached_S, logp_FV[frame][symbols_S], out=best_S)
    path_F = np.empty(frames, dtype=np.int64)
    path_F[-1] = states - 1 if best_S[-1] > best_S[-2] else states - 2
    for frame in range(frames - 1, 0, -1):
        path_F[frame - 1] = path_F[frame] - moves_FS[frame, path_F[frame]]
    return path_F


def _check(logp_FV: "Numbers | Tensor", ids: Sequence[int], blank: int) -> None:
    frames, size = logp_FV.shape
    wrong = [each for each in ids if not 0 <= each < size or each == blank]
    if wrong:
        raise ValueError(f"expected symbol ids from 0 to {size - 1} but not the blank ({blank}), got {wrong[0]}")
    needed = frames_needed(ids)
    if needed > frames:
        raise TextError(
            f"{len(ids)} symbols need at least {needed} frames, the recording has {frames}; "
            "check that the text belongs to the recording"
        )
