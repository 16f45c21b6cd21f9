"""CTC's posteriors and their changes on the CPU, by compiled sweeps, clip by clip on as many threads as torch has."""

import math
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from earful.ctc.lattice import Lattice, check
from earful.ctc.logs import logs
from earful.ctc.scaled import scaled
from earful.ctc.states import exact, windows

SMALL = 50_000
"""States below which one thread is as fast as several."""
FIRST, SECOND = 6, 12
"""Arrays of frames by labels that a clip needs to write on, in first and in second order."""
KEPT = 8_000_000
"""Numbers that a thread keeps for the next call: 64 MB."""


@exact
def _gather(x_FBV: Any, b: int, labels_L: Any, blank: int, out_FL: Any) -> None:
    """The blank and the labels of clip b."""
    for t in range(len(out_FL)):
        out_FL[t, 0] = x_FBV[t, b, blank]
        for i in range(len(labels_L)):
            out_FL[t, i + 1] = x_FBV[t, b, labels_L[i]]


@exact
def _level(logp_FL: Any) -> float:
    """Takes its greatest from every frame; the sum of them."""
    total = 0.0
    for t in range(len(logp_FL)):
        row = logp_FL[t]
        greatest = row[0]
        for i in range(1, len(row)):
            greatest = max(greatest, row[i])
        if math.isfinite(greatest):  # or nothing can be said here, or it is not a number: logarithms will tell
            total += greatest
            for i in range(len(row)):
                row[i] -= greatest
    return total


@exact
def _is_wrong(labels_L: Any, frames: int, count: int, most_frames: int, symbols: int, blank: int) -> bool:
    if not (0 <= frames <= most_frames and 0 <= count <= len(labels_L)):
        return True
    for i in range(count):  # noqa: SIM110 - Numba knows no any()
        if labels_L[i] < 0 or labels_L[i] >= symbols or labels_L[i] == blank:
            return True
    return False


@exact
def _sweep(in_logs: Any, logp_FL: Any, v_FL: Any, labels_L: Any, memory: Any, out_FL: Any) -> float:
    if in_logs is None:
        return scaled(logp_FL, v_FL, labels_L, memory, out_FL)
    else:  # noqa: RET505 - two branches, so that Numba compiles only one
        return logs(logp_FL, v_FL, labels_L, memory, out_FL)


@exact
def _clips(
    in_logs: Any, logp_FBV: Any, v_FBV: Any, labels_BL: Any, frame_counts_B: Any, label_counts_B: Any, blank: int,
    impossible: float, values_B: Any, shares_BFL: Any, memory: Any, start: int, stop: int,
) -> bool:  # fmt: skip
    """Fills in values of a range of the batch, where they are not numbers yet, and shares; in logarithms, or scaled
    where `in_logs` is None. False, and nothing more, where an item is wrong.
    """
    for b in range(start, stop):
        frames, count = frame_counts_B[b], label_counts_B[b]
        if _is_wrong(labels_BL[b], frames, count, logp_FBV.shape[0], logp_FBV.shape[2], blank):
            return False
        if not math.isnan(values_B[b]):
            continue
        labels, out_FL = labels_BL[b, :count], shares_BFL[b, :frames, : count + 1]
        value = -math.inf
        if frames == 0 and count == 0:
            value = 0.0
        elif windows(labels)[1][count + 1] <= frames:
            size = frames * (count + 1)
            blocks = memory[: len(memory) // size * size].reshape((-1, size))
            logp_FL = blocks[0].reshape((frames, count + 1))
            _gather(logp_FBV, b, labels, blank, logp_FL)
            shift = _level(logp_FL)
            if v_FBV is None:
                value = _sweep(in_logs, logp_FL, None, labels, blocks[1:], out_FL) + shift
            else:
                v_FL = blocks[11].reshape((frames, count + 1))
                _gather(v_FBV, b, labels, blank, v_FL)
                value = _sweep(in_logs, logp_FL, v_FL, labels, blocks[1:], out_FL)
        if value == -math.inf:
            _fill(out_FL, impossible)
            value = -impossible if v_FBV is not None or impossible == 0.0 else value
        elif not math.isfinite(value):
            _fill(out_FL, math.nan)
        values_B[b] = -value
    return True


@exact
def _fill(out_FL: Any, value: float) -> None:
    for t in range(len(out_FL)):
        for i in range(out_FL.shape[1]):
            out_FL[t, i] = value


@exact
def _spread(
    shares_BFL: Any, labels_BL: Any, frame_counts_B: Any, label_counts_B: Any, blank: int, weights_B: Any, out_FBV: Any,
    _: Any, start: int, stop: int,
) -> bool:  # fmt: skip
    for b in range(start, stop):
        weight = weights_B[b]
        for t in range(frame_counts_B[b]):
            out_FBV[t, b, blank] += weight * shares_BFL[b, t, 0]
            for i in range(label_counts_B[b]):
                out_FBV[t, b, labels_BL[b, i]] += weight * shares_BFL[b, t, i + 1]
    return True


def shares(logp_FBV: Tensor, lattice: Lattice, impossible: float, v_FBV: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """See `earful.ctc.kernel_torch.shares`, which this equals."""
    frames, batch, symbols = logp_FBV.shape
    if {*map(len, lattice[:3])} != {batch} or not 0 <= lattice.blank < symbols:
        check(logp_FBV, lattice)
    values_B = torch.full((batch,), torch.nan, dtype=logp_FBV.dtype)
    shares_BFL = torch.zeros(batch, frames, lattice.labels_BL.shape[1] + 1, dtype=logp_FBV.dtype)
    arguments = (
        logp_FBV.detach().numpy(),
        None if v_FBV is None else v_FBV.detach().numpy(),
        *_arrays(lattice),
        impossible,
        values_B.numpy(),
        shares_BFL.numpy(),
    )
    size, blocks = frames * shares_BFL.shape[2], FIRST if v_FBV is None else SECOND
    if not _in_parallel(_clips, (None, *arguments), lattice, size, blocks):
        check(logp_FBV, lattice)
    if values_B.isnan().any():
        _in_parallel(_clips, (True, *arguments), lattice, size, blocks)
    return values_B, shares_BFL


def spread(shares_BFL: Tensor, lattice: Lattice, weights_B: Tensor, like_FBV: Tensor) -> Tensor:
    """See `earful.ctc.kernel_torch.spread`."""
    out_FBV = torch.zeros_like(like_FBV)
    weights = weights_B.detach().to(shares_BFL.dtype).contiguous().numpy()
    arguments = (shares_BFL.numpy(), *_arrays(lattice), weights, out_FBV.numpy())
    _in_parallel(_spread, arguments, lattice, shares_BFL[0].numel() if len(shares_BFL) else 0, 0)
    return out_FBV


def _arrays(lattice: Lattice) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], int]:
    labels, frames, counts = (each.contiguous().numpy() for each in lattice[:3])
    return labels, frames, counts, lattice.blank


def _in_parallel(
    work: Callable[..., bool], arguments: tuple[Any, ...], lattice: Lattice, block: int, blocks: int
) -> bool:
    """`work` on ranges of the batch, as many as torch has threads, each with memory for `blocks` of the largest clip.

    The compiled code lets other threads run.
    """
    batch = len(lattice.labels_BL)
    threads = min(torch.get_num_threads(), batch) if block * batch > SMALL else 1

    def part(start: int, stop: int) -> bool:
        return work(*arguments, _memory(blocks * block), start, stop)

    if threads <= 1:
        return part(0, batch)
    costs = (lattice.frame_counts_B * (1 + lattice.label_counts_B)).numpy().cumsum()
    bounds = [0, *np.searchsorted(costs, costs[-1] * np.arange(1, threads) / threads).tolist(), batch]
    return all(_threads().map(part, bounds[:-1], bounds[1:]))


_local = threading.local()


def _memory(size: int) -> NDArray[np.float64]:
    """Memory of this thread, kept: new pages cost more than what is computed on them."""
    if size > KEPT:
        return np.empty(size)
    if not hasattr(_local, "memory") or len(_local.memory) < size:
        _local.memory = np.empty(size)
    kept: NDArray[np.float64] = _local.memory
    return kept


_pool: list[ThreadPoolExecutor] = []
if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(after_in_child=_pool.clear)  # a child has none of its parent's threads


def _threads() -> ThreadPoolExecutor:
    if not _pool:
        _pool.append(ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="earful-ctc"))
    return _pool[0]
