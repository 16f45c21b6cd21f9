"""The recursions of CTC, compiled by Numba: scaled probabilities in float64, and logarithms where scaling is not exact.

A lattice of L labels is L + 1 pairs of states: label i and the blank after it (pair 0 has only its blank). `reached`
is what arrives at a state before its own frame is counted, forwards from the start or, on the lattice turned round,
backwards from the end: both directions are one function, and forward times emission times backward is a state's share.
The same text serves first and second order: where an argument is None, Numba compiles away what depends on it.
"""

import math
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor

from earful.ctc.lattice import Lattice, check

# A state is kept at FLOOR or above, and the states of a frame at about SCALE. So nothing is lost for being small; what
# the floor adds to the paths is at most FLOOR * SCALE a state, which is nothing beside a frame's sum of LEAST or more.
# A frame below LEAST (the paths that count are rare among such as die later) wants logarithms.
SCALE, FLOOR, LEAST = 1e120, 1e-300, 1e-150
SMALL = 50_000
"""States below which one thread is as fast as several."""
FIRST, SECOND = 6, 12
"""Arrays of frames by labels that a clip needs to write on, in first and in second order."""
KEPT = 8_000_000
"""Numbers that a thread keeps for the next call: 64 MB."""

_exact = njit(cache=True, nogil=True, error_model="numpy")
_fast = njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz", "arcp"})


@_exact
def _windows(labels_L: Any) -> tuple[Any, Any]:
    """Which labels may follow the one before without a blank, and the frame at which each can first be said."""
    count = len(labels_L)
    skips, first = np.zeros(count + 2), np.full(count + 2, -1)
    for i in range(1, count + 1):
        repeats = i > 1 and labels_L[i - 1] == labels_L[i - 2]
        skips[i] = 0.0 if repeats or i == 1 else 1.0
        first[i] = first[i - 1] + (2 if repeats else 1)
    first[count + 1] = first[count] + 1
    return skips, first


@_exact
def _gather(x_FBV: Any, b: int, labels_L: Any, blank: int, out_FL: Any) -> None:
    """The blank and the labels of clip b."""
    for t in range(len(out_FL)):
        out_FL[t, 0] = x_FBV[t, b, blank]
        for i in range(len(labels_L)):
            out_FL[t, i + 1] = x_FBV[t, b, labels_L[i]]


@_exact
def _level(logp_FL: Any) -> float:
    """Takes its greatest from every frame; the sum of them."""
    total = 0.0
    for t in range(len(logp_FL)):
        greatest = logp_FL[t].max()
        if math.isfinite(greatest):  # or nothing can be said here, or it is not a number: logarithms will tell
            logp_FL[t] -= greatest
            total += greatest
    return total


@_exact
def _turn(x_FL: Any, out_FL: Any) -> None:
    """The lattice as it is run through from the end: frames and labels in reverse, the blank where it was."""
    frames, width = x_FL.shape
    for t in range(frames):
        out_FL[t, 0] = x_FL[frames - 1 - t, 0]
        for i in range(1, width):
            out_FL[t, i] = x_FL[frames - 1 - t, width - i]


# Each row is a function of its own, of slices that begin at the same pair: so the compiler makes vectors of the loops.


@_fast
def _arrive(blank: Any, label: Any, before: Any, before_label: Any, last: Any, last_label: Any, skips: Any) -> None:
    """What reaches a row: `last` is the frame before, `before` the same a pair earlier (Graves et al. 2006, eq. 6)."""
    for i in range(len(blank)):
        blank[i] = last[i] + last_label[i]
        label[i] = last_label[i] + before[i] + skips[i] * before_label[i]


@_fast
def _emit(blank: Any, label: Any, p_blank: float, p: Any, scale: float, last: Any, last_label: Any) -> float:
    """The row with its own frame counted; its sum."""
    total = 0.0
    for i in range(len(blank)):
        x, y = p_blank * scale * blank[i], p[i] * scale * label[i]
        last[i] = x = x if x > FLOOR else FLOOR
        last_label[i] = y = y if y > FLOOR else FLOOR
        total += x + y
    return total


@_fast
def _emit_change(
    blank: Any, label: Any, p_blank: float, p: Any, scale: float, last: Any, last_label: Any,
    value: Any, value_label: Any, v_blank: float, v: Any
) -> None:  # fmt: skip
    """The derivative of `_emit`: none where the floor stands."""
    for i in range(len(blank)):
        x, y = p_blank * scale, p[i] * scale
        last[i] = x * (blank[i] + v_blank * value[i]) if x * value[i] > FLOOR else 0.0
        last_label[i] = y * (label[i] + v[i] * value_label[i]) if y * value_label[i] > FLOOR else 0.0


@_exact
def _sweep(p_FL: Any, skips: Any, first: Any, scales_F: Any, v_FL: Any, values: Any, reached: Any) -> None:
    """Fills in `reached[t, 0 | 1, i]`, of the blank and the label of pair i, and the scales.

    With a direction `v_FL`, the derivative of `values`, an earlier answer, under its scales.
    """
    frames, width = p_FL.shape
    slack = frames - first[width]
    last, last_label = np.zeros(width + 2), np.zeros(width + 2)  # pair i at i + 1: there is a pair before the first
    last[1] = 0.0 if v_FL is not None else 1.0  # as if a blank had been said before the first frame
    low, high = 0, 0
    for t in range(frames):
        while first[low + 1] + slack - 1 < t:
            low += 1
        if high + 1 < width and first[high + 1] <= t:
            high += 1
        end = high + 1
        blank, label = reached[t, 0, low:end], reached[t, 1, low:end]
        _arrive(
            blank, label, last[low:end], last_label[low:end], last[low + 1 : end + 1], last_label[low + 1 : end + 1],
            skips[low:end],
        )  # fmt: skip
        if low == 0:
            label[0] = 0.0  # pair 0 has no label
        if v_FL is None:
            total = _emit(
                blank, label, p_FL[t, 0], p_FL[t, low:end], scales_F[t], last[low + 1 : end + 1],
                last_label[low + 1 : end + 1],
            )  # fmt: skip
            if t + 1 < frames:
                scales_F[t + 1] = SCALE / total
        else:
            _emit_change(
                blank, label, p_FL[t, 0], p_FL[t, low:end], scales_F[t], last[low + 1 : end + 1],
                last_label[low + 1 : end + 1], values[t, 0, low:end], values[t, 1, low:end], v_FL[t, 0], v_FL[t, low:end],
            )  # fmt: skip
        if low == 0:
            last_label[1] = 0.0
        # what the next row reads beside this one
        last[low] = last_label[low] = 0.0
        if end + 1 < width + 2:
            last[end + 1] = last_label[end + 1] = 0.0


@_fast
def _dot(here: Any, back: Any) -> float:
    total = 0.0
    for i in range(len(here)):
        total += here[i] * back[len(here) - 1 - i]
    return total


@_fast
def _meet(here: Any, back: Any, p: Any, shares: Any) -> float:
    """Forward times backward times emission; the sum."""
    total = 0.0
    for i in range(len(here)):
        shares[i] = x = here[i] * back[len(here) - 1 - i] * p[i]
        total += x
    return total


@_fast
def _meet_change(here: Any, back: Any, change: Any, back_change: Any, p: Any, v: Any, shares: Any) -> float:
    """The derivative of `_meet`."""
    total = 0.0
    for i in range(len(here)):
        j = len(here) - 1 - i
        shares[i] = x = p[i] * (change[i] * back[j] + here[i] * (back_change[j] + v[i] * back[j]))
        total += x
    return total


@_exact  # reassociated, it would overflow
def _divide(shares: Any, total: float, changes: Any, total_change: float, out: Any) -> None:
    if changes is None:
        for i in range(len(out)):
            out[i] = shares[i] / total
    else:
        for i in range(len(out)):
            out[i] = (changes[i] - shares[i] * (total_change / total)) / total


@_exact
def _scaled(p_FL: Any, v_FL: Any, labels_L: Any, memory: Any, out_FL: Any) -> float:
    """Shares of each frame, or their change along `v_FL`, into `out_FL`; `memory` is to write on.

    The logarithm of the summed paths, or its change; not a number where scaling is not exact.
    """
    frames, width = p_FL.shape
    skips, first = _windows(labels_L)
    skips_back, first_back = _windows(labels_L[::-1].copy())
    scales, scales_back = np.ones(frames), np.ones(frames)
    p_back_FL = memory[0].reshape((frames, width))
    ahead, back = memory[1:3].reshape((frames, 2, width)), memory[3:5].reshape((frames, 2, width))
    _turn(p_FL, p_back_FL)
    _sweep(p_FL, skips, first, scales, None, None, ahead)
    _sweep(p_back_FL, skips_back, first_back, scales_back, None, None, back)
    if v_FL is not None:
        v_back_FL = memory[5].reshape((frames, width))
        ahead_change, back_change = memory[6:8].reshape((frames, 2, width)), memory[8:10].reshape((frames, 2, width))
        _turn(v_FL, v_back_FL)
        _sweep(p_FL, skips, first, scales, v_FL, ahead, ahead_change)
        _sweep(p_back_FL, skips_back, first_back, scales_back, v_back_FL, back, back_change)
        changes = np.zeros(width)
    shares = np.zeros(width)
    slack, last = frames - first[width], width - 1
    low, high, low_blank, high_blank = 1, 0, 0, 0  # of the labels, and of the blanks, that a path can be in
    value = 0.0
    for t in range(frames):
        turned = frames - 1 - t
        while low <= last and first[low] + slack < t:
            low += 1
        while first[low_blank + 1] + slack - 1 < t:
            low_blank += 1
        if t > 0:
            high_blank = high
        if high + 1 < width and first[high + 1] <= t:
            high += 1
        end, end_blank = high + 1, high_blank + 1
        here, here_back = ahead[t, 1, low:end], back[turned, 1, width - high : width + 1 - low]
        blank, blank_back = ahead[t, 0, low_blank:end_blank], back[turned, 0, last - high_blank : width - low_blank]
        shares[0] = p_FL[t, 0] * _dot(blank, blank_back)
        total = shares[0] + _meet(here, here_back, p_FL[t, low:end], shares[low:end])
        if not LEAST < total < math.inf:
            return math.nan
        if v_FL is None:
            _divide(shares[low:end], total, None, 0.0, out_FL[t, low:end])
            out_FL[t, 0] = shares[0] / total
            if t == 0:
                value = math.log(total) - np.log(scales_back[:-1]).sum()
        else:
            changes[0] = v_FL[t, 0] * shares[0] + p_FL[t, 0] * (
                _dot(ahead_change[t, 0, low_blank:end_blank], blank_back)
                + _dot(blank, back_change[turned, 0, last - high_blank : width - low_blank])
            )
            change = changes[0] + _meet_change(
                here, here_back, ahead_change[t, 1, low:end], back_change[turned, 1, width - high : width + 1 - low],
                p_FL[t, low:end], v_FL[t, low:end], changes[low:end],
            )  # fmt: skip
            _divide(shares[low:end], total, changes[low:end], change, out_FL[t, low:end])
            out_FL[t, 0] = (changes[0] - shares[0] * (change / total)) / total
            if t == 0:
                value = change / total
    return value


@_exact
def _log_sum(a: float, b: float, c: float) -> float:
    greatest = max(a, b, c)
    if not greatest > -math.inf:
        return greatest
    return greatest + math.log(math.exp(a - greatest) + math.exp(b - greatest) + math.exp(c - greatest))


@_exact
def _mean(a: float, b: float, c: float, log_total: float, x: float, y: float, z: float) -> float:
    """Of x, y, z, weighted by exp(a), exp(b), exp(c)."""
    if log_total == -math.inf:
        return 0.0
    return x * math.exp(a - log_total) + y * math.exp(b - log_total) + z * math.exp(c - log_total)


@_exact
def _sweep_logs(logp_FL: Any, skips: Any, v_FL: Any, values: Any, reached: Any) -> None:
    """`_sweep` in logarithms, over all states."""
    frames, width = logp_FL.shape
    reached[:] = -math.inf if v_FL is None else 0.0
    if v_FL is None:
        reached[0, 0, 0] = 0.0
        if width > 1:
            reached[0, 1, 1] = 0.0
    for t in range(1, frames):
        logp, log_before = logp_FL[t - 1], reached[t - 1] if v_FL is None else values[t - 1]
        for i in range(width):
            blank, label = logp[0] + log_before[0, i], logp[i] + log_before[1, i]
            before = label_before = -math.inf
            if i > 0:
                before = logp[0] + log_before[0, i - 1]
                if skips[i] > 0:
                    label_before = logp[i - 1] + log_before[1, i - 1]
            if v_FL is None:
                reached[t, 0, i] = _log_sum(blank, label, -math.inf)
                if i > 0:
                    reached[t, 1, i] = _log_sum(label, before, label_before)
            else:
                v, change = v_FL[t - 1], reached[t - 1]
                of_blank, of_label = change[0, i] + v[0], change[1, i] + v[i]
                reached[t, 0, i] = _mean(blank, label, -math.inf, values[t, 0, i], of_blank, of_label, 0.0)
                if i > 0:
                    of_before, of_label_before = change[0, i - 1] + v[0], change[1, i - 1] + v[i - 1]
                    reached[t, 1, i] = _mean(
                        label, before, label_before, values[t, 1, i], of_label, of_before, of_label_before
                    )


@_exact
def _logs(logp_FL: Any, v_FL: Any, labels_L: Any, memory: Any, out_FL: Any) -> float:
    """`_scaled` in logarithms: ten times as slow, and exact where probabilities are too small for a number."""
    frames, width = logp_FL.shape
    skips, skips_back = _windows(labels_L)[0], _windows(labels_L[::-1].copy())[0]
    logp_back_FL = memory[0].reshape((frames, width))
    ahead, back = memory[1:3].reshape((frames, 2, width)), memory[3:5].reshape((frames, 2, width))
    _turn(logp_FL, logp_back_FL)
    _sweep_logs(logp_FL, skips, None, None, ahead)
    _sweep_logs(logp_back_FL, skips_back, None, None, back)
    if v_FL is not None:
        v_back_FL = memory[5].reshape((frames, width))
        ahead_change, back_change = memory[6:8].reshape((frames, 2, width)), memory[8:10].reshape((frames, 2, width))
        _turn(v_FL, v_back_FL)
        _sweep_logs(logp_FL, skips, v_FL, ahead, ahead_change)
        _sweep_logs(logp_back_FL, skips_back, v_back_FL, back, back_change)
    last = width - 1
    total = _log_sum(logp_FL[0, 0] + back[frames - 1, 0, last], -math.inf, -math.inf)
    if width > 1:
        total = _log_sum(total, logp_FL[0, 1] + back[frames - 1, 1, last], -math.inf)
    if not -math.inf < total < math.inf:
        return total
    value = total
    for t in range(frames):
        turned, change = frames - 1 - t, 0.0
        out_FL[t] = 0.0
        for of in range(2 if v_FL is not None else 1):  # the mean change is known after a first round
            for i in range(width):
                for kind in range(2):
                    if kind == 1 and i == 0:
                        continue
                    j, symbol = (last - i, 0) if kind == 0 else (width - i, i)
                    share = math.exp(logp_FL[t, symbol] + ahead[t, kind, i] + back[turned, kind, j] - total)
                    if v_FL is None:
                        out_FL[t, symbol] += share
                        continue
                    here = v_FL[t, symbol] + ahead_change[t, kind, i] + back_change[turned, kind, j]
                    if of == 0:
                        change += share * here
                    else:
                        out_FL[t, symbol] += share * (here - change)
        if v_FL is not None and t == 0:
            value = change
    return value


@_exact
def _is_wrong(labels_L: Any, frames: int, count: int, most_frames: int, symbols: int, blank: int) -> bool:
    if not (0 <= frames <= most_frames and 0 <= count <= len(labels_L)):
        return True
    for i in range(count):
        if labels_L[i] < 0 or labels_L[i] >= symbols or labels_L[i] == blank:
            return True
    return False


@_exact
def _clips(
    logp_FBV: Any, v_FBV: Any, labels_BL: Any, frame_counts_B: Any, label_counts_B: Any, blank: int, impossible: float,
    values_B: Any, shares_BFL: Any, memory: Any, start: int, stop: int,
) -> bool:  # fmt: skip
    """Fills in values and shares of a range of the batch; False, and nothing more, where an item is wrong."""
    for b in range(start, stop):
        frames, count = frame_counts_B[b], label_counts_B[b]
        if _is_wrong(labels_BL[b], frames, count, logp_FBV.shape[0], logp_FBV.shape[2], blank):
            return False
        labels, out_FL = labels_BL[b, :count], shares_BFL[b, :frames, : count + 1]
        value = -math.inf
        if frames == 0 and count == 0:
            value = 0.0
        elif _windows(labels)[1][count + 1] <= frames:
            size = frames * (count + 1)
            blocks = memory[: len(memory) // size * size].reshape((-1, size))
            logp_FL = blocks[0].reshape((frames, count + 1))
            _gather(logp_FBV, b, labels, blank, logp_FL)
            shift = _level(logp_FL)
            np.exp(logp_FL, logp_FL)
            if v_FBV is None:
                value = _scaled(logp_FL, None, labels, blocks[1:], out_FL)
            else:
                v_FL = blocks[11].reshape((frames, count + 1))
                _gather(v_FBV, b, labels, blank, v_FL)
                value = _scaled(logp_FL, v_FL, labels, blocks[1:], out_FL)
            if math.isnan(value):
                _gather(logp_FBV, b, labels, blank, logp_FL)
                _level(logp_FL)
                if v_FBV is None:
                    value = _logs(logp_FL, None, labels, blocks[1:], out_FL)
                else:
                    value = _logs(logp_FL, v_FL, labels, blocks[1:], out_FL)
            if v_FBV is None:
                value += shift
        if value == -math.inf:
            out_FL[:] = impossible
            value = -impossible if v_FBV is not None or impossible == 0.0 else value
        elif not math.isfinite(value):
            out_FL[:] = math.nan
        values_B[b] = -value
    return True


@_exact
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


def shares(
    logp_FBV: Tensor, lattice: Lattice, impossible: float, v_FBV: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """See `earful.ctc.kernel_torch.shares`, which this equals."""
    frames, batch, symbols = logp_FBV.shape
    if {*map(len, lattice[:3])} != {batch} or not 0 <= lattice.blank < symbols:
        check(logp_FBV, lattice)
    values_B = torch.empty(batch, dtype=logp_FBV.dtype)
    shares_BFL = torch.zeros(batch, frames, lattice.labels_BL.shape[1] + 1, dtype=logp_FBV.dtype)
    arguments = (
        logp_FBV.detach().numpy(),
        None if v_FBV is None else v_FBV.detach().numpy(),
        *_arrays(lattice),
        impossible,
        values_B.numpy(),
        shares_BFL.numpy(),
    )
    block = frames * shares_BFL.shape[2]
    if not _in_parallel(_clips, arguments, lattice, block, FIRST if v_FBV is None else SECOND):
        check(logp_FBV, lattice)
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
    if len(getattr(_local, "memory", ())) < size:
        _local.memory = np.empty(size)
    kept: NDArray[np.float64] = _local.memory
    return kept


_pool: list[ThreadPoolExecutor] = []
os.register_at_fork(after_in_child=_pool.clear)  # a child has none of its parent's threads


def _threads() -> ThreadPoolExecutor:
    if not _pool:
        _pool.append(ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="earful-ctc"))
    return _pool[0]
