"""What is certain of a recording while it is heard part by part: no frame that comes changes it.

Stretches between silences are decoded by themselves (`ctc.stretches`). In one that goes on, the best path is certain as
far as it was heard, and of a search what all beginnings that it keeps have in common.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple, final

import numpy as np

from earful.ctc.greedy import Numbers

if TYPE_CHECKING:
    from earful.ctc.beam import Growing, Search

_BLANK = 0


class Known(NamedTuple):
    """The symbols of a stretch that are certain, from its begin on; whether they are all, and the next is another."""

    symbols: tuple[int, ...]
    over: bool


@final
class Certain:
    """Takes a recording part by part, as it is kept: log-probabilities `[F, V]` for a search, else the best path."""

    def __init__(self, search: "Search | None") -> None:
        self._search = search
        self._stretch: _Path | Growing | None = None

    def add(self, heard_F: Numbers, *kept: Numbers) -> Iterator[Known]:
        """What is certain of each stretch that goes on or begins in the next part; `heard_F`: where one is."""
        heard_F = np.asarray(heard_F, np.bool_)
        edges = np.flatnonzero(np.diff(heard_F)) + 1
        for begin, end in pairwise([0, *edges.tolist(), len(heard_F)]):
            if begin == end:
                continue
            if heard_F[begin]:
                self._stretch = self._stretch or (_Path() if self._search is None else self._search.part_by_part())
                yield Known(tuple(self._stretch.add(*(each[begin:end] for each in kept))), False)
            elif self._stretch is not None:
                yield Known(tuple(self._stretch.end()), True)
                self._stretch = None


@final
class _Path:
    """A best path that goes on: symbols that differ from the one before."""

    def __init__(self) -> None:
        self._symbols, self._last = list[int](), _BLANK

    def add(self, best_F: Numbers, _: Numbers) -> list[int]:
        for symbol in np.asarray(best_F).tolist():
            if symbol not in (self._last, _BLANK):
                self._symbols.append(symbol)
            self._last = symbol
        return self._symbols

    def end(self) -> list[int]:
        return self._symbols
