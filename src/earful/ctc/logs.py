"""The sweeps of `scaled.scaled` in logarithms."""

import math
from typing import Any

from earful.ctc.states import exact, turn, windows


@exact
def _log_sum(a: float, b: float, c: float) -> float:
    greatest = max(a, b, c)
    if not greatest > -math.inf:
        return greatest
    return greatest + math.log(math.exp(a - greatest) + math.exp(b - greatest) + math.exp(c - greatest))


@exact
def _mean(a: float, b: float, c: float, log_total: float, x: float, y: float, z: float) -> float:
    """Of x, y, z, weighted by exp(a), exp(b), exp(c)."""
    if log_total == -math.inf:
        return 0.0
    return x * math.exp(a - log_total) + y * math.exp(b - log_total) + z * math.exp(c - log_total)


@exact
def _sweep_logs(logp_FL: Any, skips: Any, v_FL: Any, values: Any, reached: Any) -> None:
    """`scaled._sweep` in logarithms, over all states."""
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


@exact
def logs(logp_FL: Any, v_FL: Any, labels_L: Any, memory: Any, out_FL: Any) -> float:
    """`scaled.scaled` in logarithms."""
    frames, width = logp_FL.shape
    skips, skips_back = windows(labels_L)[0], windows(labels_L[::-1].copy())[0]
    logp_back_FL = memory[0].reshape((frames, width))
    ahead, back = memory[1:3].reshape((frames, 2, width)), memory[3:5].reshape((frames, 2, width))
    turn(logp_FL, logp_back_FL)
    _sweep_logs(logp_FL, skips, None, None, ahead)
    _sweep_logs(logp_back_FL, skips_back, None, None, back)
    if v_FL is not None:
        v_back_FL = memory[5].reshape((frames, width))
        ahead_change, back_change = memory[6:8].reshape((frames, 2, width)), memory[8:10].reshape((frames, 2, width))
        turn(v_FL, v_back_FL)
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
        for i in range(width):
            out_FL[t, i] = 0.0
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
