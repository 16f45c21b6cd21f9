"""The processes of one run under torchrun: their number, the number of this one, and sums over all."""

from collections.abc import Sequence
from typing import TypeVar

import torch
from torch import Tensor, distributed

from earful.errors import TrainingError

T = TypeVar("T")


def world() -> tuple[int, int]:
    """The number of processes, and the number of this one, from 0."""
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_world_size(), distributed.get_rank()
    return 1, 0


def share(items: Sequence[T]) -> Sequence[T]:
    """This process's share of a batch: every n-th item, or all if there are fewer items than processes."""
    size, rank = world()
    return items[rank::size] if len(items) >= size else items


def sums(tensors: Sequence[Tensor]) -> list[Tensor]:
    """The sum of each tensor over all processes, by one call, in float64; all of them on the device of the first.

    Raises TrainingError if another process has ended.
    """
    if world()[0] == 1:
        return list(tensors)
    flat = torch.cat([each.detach().to(tensors[0].device, torch.float64).flatten() for each in tensors])
    try:
        distributed.all_reduce(flat)
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise TrainingError(
            f"another process of this run has ended ({reason}); start the same command again to resume"
        ) from error
    split = torch.split(flat, [each.numel() for each in tensors])
    return [piece.reshape(each.shape).to(each) for piece, each in zip(split, tensors, strict=True)]
