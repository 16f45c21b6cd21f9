"""Draws from a `torch.Generator` by which a language is invented: a number, one of several, some of several."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Generic, TypeVar

import torch

Item = TypeVar("Item")


@dataclass(frozen=True)
class Weighted(Generic[Item]):
    """Things, and the running sum of their probabilities."""

    items: tuple[Item, ...]
    sums: tuple[float, ...]

    def draw(self, generator: torch.Generator) -> Item:
        """One of them.

        >>> weighted([("a", 1.0), ("b", 0.0)]).draw(torch.Generator())
        'a'
        """
        place = bisect_right(self.sums, between(0, self.sums[-1], generator))
        return self.items[min(place, len(self.items) - 1)]


def weighted(pairs: Iterable[tuple[Item, float]]) -> Weighted[Item]:
    """Things with weights ≥ 0 of any sum, not all of them 0. Those of weight 0 are left out."""
    kept = [(item, weight) for item, weight in pairs if weight > 0]
    return Weighted(tuple(item for item, _ in kept), tuple(accumulate(weight for _, weight in kept)))


def between(least: float, most: float, generator: torch.Generator) -> float:
    """Uniform in [least, most)."""
    return least + (most - least) * float(torch.rand((), generator=generator, dtype=torch.float64))


def whole(least: int, most: int, generator: torch.Generator) -> int:
    """A whole number from least to most, both included."""
    return int(torch.randint(least, most + 1, (), generator=generator))


def chance(share: float, generator: torch.Generator) -> bool:
    """True in this share of the calls."""
    return between(0, 1, generator) < share


def one(items: Sequence[Item], generator: torch.Generator) -> Item:
    """One of them, each alike."""
    return items[whole(0, len(items) - 1, generator)]


def some(
    items: Sequence[Item], count: int, generator: torch.Generator, weight: Callable[[Item], float] = lambda item: 1.0
) -> tuple[Item, ...]:
    """`count` distinct ones (all, if there are fewer), one after the other; what weighs more often comes earlier."""
    if not items or count < 1:
        return ()
    weights_V = torch.tensor([weight(item) for item in items], dtype=torch.float64)
    places = torch.multinomial(weights_V, min(count, len(items)), generator=generator)
    return tuple(items[place] for place in places.tolist())
