"""Forward and backward sweeps of CTC with scaled probabilities in float64, compiled by Numba.

`reached` is what arrives at a state before its own frame is counted, forwards from the start or, on the lattice turned
round, backwards from the end: both directions are one function, and forward times emission times backward is a state's
share. The same text serves first and second order: where an argument is None, Numba compiles away what depends on it.
"""

import math
from typing import Any

import numpy as np

from earful.ctc.states import compiled, exact, turn, windows

# A state is kept at FLOOR or above, and the states of a frame at about SCALE. So nothing is lost for being small: what
# the floor, and that of `_exp`, add to the paths is at most 1e-62 a state, nothing beside a frame's sum of LEAST.
# A frame below LEAST (the paths that count are rare among such as die later) wants logarithms.
SCALE, FLOOR, LEAST = 1e120, 1e-300, 1e-40

fast = compiled(fastmath={"reassoc", "contract", "nsz", "arcp"})


@exact
def _exp(x: Any, memory: Any) -> None:
    """exp(x) in place, of x from -700 (what is below counts as that) to 0: a series for the fraction of log2, the rest
    into the exponent's bits. As exact as libm's, and a loop that the compiler makes vectors of."""
    bits, exponents = x.view(np.int64), memory.view(np.int64)
    for i in range(len(x)):
        value = -700.0 if x[i] < -700.0 else x[i]  # what is not a number stays so
        shifted = value * 1.4426950408889634 + 6755399441055744.0  # 1.5 * 2**52: the integer is now in the last bits
        whole = shifted - 6755399441055744.0
        r = (value - whole * 0.6931471805598903) - whole * 5.497923018708371e-14
        memory[i] = shifted
        y = 1.0 / 479001600
        y = y * r + 1.0 / 39916800
        y = y * r + 1.0 / 3628800
        y = y * r + 1.0 / 362880
        y = y * r + 1.0 / 40320
        y = y * r + 1.0 / 5040
        y = y * r + 1.0 / 720
        y = y * r + 1.0 / 120
        y = y * r + 1.0 / 24
        y = y * r + 1.0 / 6
        y = y * r + 0.5
        y = y * r + 1.0
        x[i] = y * r + 1.0
    for i in range(len(x)):
        bits[i] += exponents[i] << 52


# Each row is a function of its own, of slices that begin at the same pair: so the compiler makes vectors of the loops.


@fast
def _arrive(blank: Any, label: Any, before: Any, before_label: Any, last: Any, last_label: Any, skips: Any) -> None:
    """What reaches a row: `last` is the frame before, `before` the same a pair earlier (Graves et al. 2006, eq. 6)."""
    for i in range(len(blank)):
        blank[i] = last[i] + last_label[i]
        label[i] = last_label[i] + before[i] + skips[i] * before_label[i]


@fast
def _emit(blank: Any, label: Any, p_blank: float, p: Any, scale: float, last: Any, last_label: Any) -> float:
    """The row with its own frame counted; its sum."""
    total = 0.0
    for i in range(len(blank)):
        x, y = p_blank * scale * blank[i], p[i] * scale * label[i]
        last[i] = x = x if x > FLOOR else FLOOR
        last_label[i] = y = y if y > FLOOR else FLOOR
        total += x + y
    return total


@fast
def _emit_change(
    blank: Any, label: Any, p_blank: float, p: Any, scale: float, last: Any, last_label: Any,
    value: Any, value_label: Any, v_blank: float, v: Any
) -> None:  # fmt: skip
    """The derivative of `_emit`: none where the floor stands."""
    for i in range(len(blank)):
        x, y = p_blank * scale, p[i] * scale
        last[i] = x * (blank[i] + v_blank * value[i]) if x * value[i] > FLOOR else 0.0
        last_label[i] = y * (label[i] + v[i] * value_label[i]) if y * value_label[i] > FLOOR else 0.0


@exact
def _sweep(p_FL: Any, skips: Any, first: Any, scales_F: Any, v_FL: Any, values: Any, reached: Any) -> None:
    """Fills in `reached[t, 0 | 1, i]`, of the blank and the label of pair i, and the scales.

    With a direction `v_FL`, the derivative of `values`, an earlier answer, under its scales.
    """
    frames, width = p_FL.shape
    slack = frames - first[width]
    last, last_label = np.zeros(width + 2), np.zeros(width + 2)  # pair i at i + 1: there is a pair before the first
    last[1] = 0.0 if v_FL is not None else 1.0  # as if a blank had been said before the first frame
    low, high = 0, 0
    if v_FL is None:
        scales_F[0] = 1.0
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
                last_label[low + 1 : end + 1], values[t, 0, low:end], values[t, 1, low:end], v_FL[t, 0],
                v_FL[t, low:end],
            )  # fmt: skip
        if low == 0:
            last_label[1] = 0.0
        # what the next row reads beside this one
        last[low] = last_label[low] = 0.0
        if end + 1 < width + 2:
            last[end + 1] = last_label[end + 1] = 0.0


@fast
def _dot(here: Any, back: Any) -> float:
    total = 0.0
    for i in range(len(here)):
        total += here[i] * back[len(here) - 1 - i]
    return total


@fast
def _meet(here: Any, back: Any, p: Any, shares: Any) -> float:
    """Forward times backward times emission; the sum."""
    total = 0.0
    for i in range(len(here)):
        shares[i] = x = here[i] * back[len(here) - 1 - i] * p[i]
        total += x
    return total


@fast
def _meet_change(here: Any, back: Any, change: Any, back_change: Any, p: Any, v: Any, shares: Any) -> float:
    """The derivative of `_meet`."""
    total = 0.0
    for i in range(len(here)):
        j = len(here) - 1 - i
        shares[i] = x = p[i] * (change[i] * back[j] + here[i] * (back_change[j] + v[i] * back[j]))
        total += x
    return total


@exact  # reassociated, it would overflow
def _divide(shares: Any, total: float, changes: Any, total_change: float, out: Any) -> None:
    if changes is None:
        for i in range(len(out)):
            out[i] = shares[i] / total
    else:
        for i in range(len(out)):
            out[i] = (changes[i] - shares[i] * (total_change / total)) / total


@exact
def _window(first: Any, slack: int, t: int, low: int, low_blank: int, high: int) -> tuple[int, int, int, int]:
    """The first label, the first and the last blank, and the last label that a path can be in at frame t."""
    last, high_blank = len(first) - 2, high if t > 0 else 0
    while low <= last and first[low] + slack < t:
        low += 1
    while first[low_blank + 1] + slack - 1 < t:
        low_blank += 1
    if high < last and first[high + 1] <= t:
        high += 1
    return low, low_blank, high_blank, high


@exact
def scaled(logp_FL: Any, v_FL: Any, labels_L: Any, memory: Any, out_FL: Any) -> float:
    """Shares of each frame, or their change along `v_FL`, into `out_FL`; `memory` and `logp_FL` are to write on.

    The logarithm of the summed paths, or its change; not a number where scaling is not exact.
    """
    frames, width = logp_FL.shape
    p_FL = logp_FL
    _exp(p_FL.reshape(frames * width), memory[0])
    skips, first = windows(labels_L)
    skips_back, first_back = windows(labels_L[::-1].copy())
    scales, scales_back = np.empty(frames), np.empty(frames)
    p_back_FL = memory[0].reshape((frames, width))
    ahead, back = memory[1:3].reshape((frames, 2, width)), memory[3:5].reshape((frames, 2, width))
    turn(p_FL, p_back_FL)
    _sweep(p_FL, skips, first, scales, None, None, ahead)
    _sweep(p_back_FL, skips_back, first_back, scales_back, None, None, back)
    if v_FL is not None:
        v_back_FL = memory[5].reshape((frames, width))
        ahead_change, back_change = memory[6:8].reshape((frames, 2, width)), memory[8:10].reshape((frames, 2, width))
        turn(v_FL, v_back_FL)
        _sweep(p_FL, skips, first, scales, v_FL, ahead, ahead_change)
        _sweep(p_back_FL, skips_back, first_back, scales_back, v_back_FL, back, back_change)
        changes = np.zeros(width)
    shares = np.zeros(width)
    slack, last = frames - first[width], width - 1
    low, low_blank, high = 1, 0, 0
    value = 0.0
    for t in range(frames):
        turned = frames - 1 - t
        low, low_blank, high_blank, high = _window(first, slack, t, low, low_blank, high)
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
                value = math.log(total)
                for before in range(frames - 1):
                    value -= math.log(scales_back[before])
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
