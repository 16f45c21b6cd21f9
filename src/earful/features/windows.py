"""Windows of a long recording (samples or frames) with context on both sides: the units of decoding."""

from collections.abc import Iterable, Iterator
from itertools import chain, pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[Any]
WINDOW_S, CONTEXT_S = 15.0, 1.8
"""Long recordings are decoded in windows of 15 s, with 1.8 s of the neighbours heard on either side.

Both are multiples of 20, 30 and 40 ms, the hops of all encoders, so that a window's frames fall where those of the
whole recording would.
"""


class Window(NamedTuple):
    """A part of a recording, from `begin` to `end`, with context on both sides.

    `content` is the part with its context and starts at `first`. Positions count samples, or frames, from the start of
    the recording.
    """

    content: Numbers
    first: int
    begin: int
    end: int
    is_last: bool

    def own(self, unit_s: float, hop_s: float) -> slice:
        """Cut the context from output frames of `hop_s` seconds; a unit of the window lasts `unit_s` seconds.

        The cuts are the frames nearest to begin and end in the whole recording, so rounding errors do not add up.
        """
        first, begin, end = (round(place * unit_s / hop_s) for place in (self.first, self.begin, self.end))
        return slice(begin - first, None if self.is_last else end - first)


class Tape:
    """Arrays `[F, …]` of one kind, one after another in one piece of memory.

    A list of small arrays, allocated between large temporary ones, would keep the heap from shrinking.
    """

    def __init__(self) -> None:
        self._bytes, self._kind = bytearray(), np.zeros(0)

    def add(self, array: Numbers) -> None:
        self._bytes += array.tobytes()
        self._kind = array[:0].copy()

    def whole(self) -> Numbers:
        """All arrays, joined."""
        return np.frombuffer(self._bytes, self._kind.dtype).reshape(-1, *self._kind.shape[1:])


def windows(pieces: Iterable[Numbers], context: int) -> Iterator[Window]:
    """Yield a window for each of the consecutive pieces `[T]` or `[F, M]`, with `context` units on either side."""
    begin, before = 0, np.zeros(0)
    for piece, after in pairwise(chain(pieces, (None,))):
        assert piece is not None
        known = np.concatenate([before, piece]) if begin else piece
        content = known if after is None else np.concatenate([known, after[:context]])
        end = begin + len(piece)
        yield Window(content, end - len(known), begin, end, after is None)
        begin, before = end, known[-context:]
