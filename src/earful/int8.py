"""Weights in one byte each: symmetric, with a scale for each row. Rounding again changes nothing."""

import torch
from torch import Tensor

LARGEST = 127


def to_int8(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Integers of the weight's shape `[N, …, K]`, and their scales `[N, …]`, in bfloat16.

    A scale is the largest of its last dimension over 127, rounded to eight bits: so 127 scales are a float32, and the
    largest of the rounded weights gives the same scale again.

    >>> to_int8(torch.tensor([[0.5, -1.0, 0.25]]))[0]
    tensor([[  64, -127,   32]], dtype=torch.int8)
    """
    scale = (weight.abs().amax(-1) / LARGEST).bfloat16()
    steps = torch.where(scale == 0, 1.0, scale.float())[..., None]
    return (weight / steps).round().clamp(-LARGEST, LARGEST).to(torch.int8), scale


def from_int8(integers: Tensor, scale: Tensor) -> Tensor:
    """The float32 weights that the integers stand for."""
    return integers.float() * scale.float()[..., None]
