"""The endless order of batches: epochs of shuffled buckets, from any step on."""

from collections.abc import Iterator, Sequence
from itertools import islice

import torch

from earful.data.batch import bucket


class Order:
    """Batches of clips, of at most `budget` frames with their padding; the order depends only on the seed."""

    def __init__(self, counts: Sequence[int], budget: int, seed: int) -> None:
        self._order = batches(counts, budget, seed)
        self._next = 0

    def at(self, step: int) -> list[int]:
        """The batch of a step; steps may only grow from call to call."""
        batch = next(islice(self._order, step - self._next, None))
        self._next = step + 1
        return batch


def batches(counts: Sequence[int], budget: int, seed: int) -> Iterator[list[int]]:
    """Batches of indexes, epoch after epoch, without end."""
    epoch = 0
    while True:
        generator = torch.Generator().manual_seed(seed * 7919 + epoch)
        yield from bucket(counts, budget, generator)
        epoch += 1
