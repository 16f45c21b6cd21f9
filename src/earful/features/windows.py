"""Windows of a long recording, samples or frames, each with what lies around it: what is decoded at a time."""

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
    """A stretch of a recording: its own part, `begin` to `end`, with what lies around it.

    `content` starts at `first`. All places count samples, or frames, from the start of the recording.
    """

    content: Numbers
    first: int
    begin: int
    end: int
    is_last: bool

    def own(self, unit_s: float, hop_s: float) -> slice:
        """The output frames, `hop_s` long, of its own part, where a unit lasts `unit_s`: its context is cut away.

        Cut nearest to where the part begins and ends in the whole recording: nothing adds up.
        """
        first, begin, end = (round(place * unit_s / hop_s) for place in (self.first, self.begin, self.end))
        return slice(begin - first, None if self.is_last else end - first)


class Tape:
    """Arrays `[F, …]` of one kind, one after another in one piece of memory.

    A list of small ones, each made beside large ones that go again, would keep the heap from ever shrinking.
    """

    def __init__(self) -> None:
        self._bytes, self._kind = bytearray(), np.zeros(0)

    def add(self, array: Numbers) -> None:
        self._bytes += array.tobytes()
        self._kind = array[:0].copy()

    def whole(self) -> Numbers:
        """All of them joined."""
        return np.frombuffer(self._bytes, self._kind.dtype).reshape(-1, *self._kind.shape[1:])


def windows(pieces: Iterable[Numbers], context: int) -> Iterator[Window]:
    """A window for each of the consecutive pieces `[T]` or `[F, M]`, with `context` units of what is on either side."""
    begin, before = 0, np.zeros(0)
    for piece, after in pairwise(chain(pieces, (None,))):
        assert piece is not None
        known = np.concatenate([before, piece]) if begin else piece
        content = known if after is None else np.concatenate([known, after[:context]])
        end = begin + len(piece)
        yield Window(content, end - len(known), begin, end, after is None)
        begin, before = end, known[-context:]
