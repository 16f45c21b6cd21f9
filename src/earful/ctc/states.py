"""The lattice of a clip's labels, compiled by Numba: what the sweeps of `scaled` and `logs` share.

L labels are L + 1 pairs of states: label i and the blank after it (pair 0 has only its blank).
"""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba
import numpy as np
from numba import njit

_config: Any = numba.config
Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(**options: Any) -> Callable[[Function], Function]:
    """Numba's decorator, its machine code kept in a folder of its own for each text of these files.

    Numba itself looks only at the file of the outermost function, and at its time, which wheels need not change.
    """
    texts = [path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py"))]
    name = hashlib.sha256(b"".join(texts)).hexdigest()[:16]
    root = _config.CACHE_DIR or str(
        Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "earful" / "numba"
    )

    def decorate(function: Function) -> Function:
        before = _config.CACHE_DIR
        try:
            _config.CACHE_DIR = str(Path(root) / name)
            return njit(cache=True, nogil=True, error_model="numpy", **options)(function)  # type: ignore[no-any-return]
        except (OSError, RuntimeError):  # nowhere to write: compile each time
            return njit(nogil=True, error_model="numpy", **options)(function)  # type: ignore[no-any-return]
        finally:
            _config.CACHE_DIR = before

    return decorate


exact = compiled()


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
