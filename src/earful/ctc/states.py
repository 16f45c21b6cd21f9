"""The lattice of a clip's labels, compiled by Numba: what the sweeps of `scaled` and `logs` share.

L labels are L + 1 pairs of states: label i and the blank after it (pair 0 has only its blank).
"""

from typing import Any

import numpy as np
from numba import njit

exact = njit(cache=True, nogil=True, error_model="numpy")


@exact
def windows(labels_L: Any) -> tuple[Any, Any]:
    """Which labels may follow the one before without a blank, and the frame at which each can first be said."""
    count = len(labels_L)
    skips, first = np.zeros(count + 2), np.empty(count + 2, np.int64)
    first[0] = -1
    for i in range(1, count + 1):
        repeats = i > 1 and labels_L[i - 1] == labels_L[i - 2]
        skips[i] = 0.0 if repeats or i == 1 else 1.0
        first[i] = first[i - 1] + (2 if repeats else 1)
    first[count + 1] = first[count] + 1
    return skips, first


@exact
def turn(x_FL: Any, out_FL: Any) -> None:
    """The lattice as it is run through from the end: frames and labels in reverse, the blank where it was."""
    frames, width = x_FL.shape
    for t in range(frames):
        out_FL[t, 0] = x_FL[frames - 1 - t, 0]
        for i in range(1, width):
            out_FL[t, i] = x_FL[frames - 1 - t, width - i]
