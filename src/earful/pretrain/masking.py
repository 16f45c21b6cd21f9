"""Common parts of masked prediction: the masked frames, and input frames at the hidden rate."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from earful.encoder.encoder import subtract_mean, valid_frames
from earful.errors import ConfigError
from earful.features.mask import spans

QUIETEST = 1e-4
"""Frames that differ by less than this from their mean, in every bin, are silence."""


@dataclass(frozen=True)
class Spans:
    """The amount of masking: `starts` spans per hidden frame, each `length` hidden frames long. They may overlap.

    About 1 − exp(−starts · length) of a long clip is masked. Raises ConfigError, which names the key.
    """

    starts: float
    length: int

    def __post_init__(self) -> None:
        if not 0 < self.starts <= 1:
            raise ConfigError(f"spans: starts is {self.starts}, must be above 0 and at most 1: spans a hidden frame")
        if self.length < 1:
            raise ConfigError(f"spans: length is {self.length}, must be at least 1 hidden frame")


def draw_spans(counts_B: Tensor, size: int, config: Spans, generator: torch.Generator) -> Tensor:
    """The masked ones of `size` hidden frames, bool [B, size]: at least one span in each clip longer than a span.

    A shorter clip would be masked completely, with no context left, and so is not masked at all.
    """
    number_B = (counts_B * config.starts).round().long().clamp(min=1) * (counts_B > config.length)
    return spans(counts_B, size, number_B, config.length, config.length, generator)


def sounding(frames_BFM: Tensor, counts_B: Tensor) -> Tensor:
    """The clips whose frames are not all equal (silence, or a single frame): bool [B]. Padding is not read."""
    valid_BF = valid_frames(counts_B, frames_BFM.shape[1])
    return subtract_mean(frames_BFM, valid_BF).abs().amax((1, 2)) > QUIETEST


def at_input_rate(masked_BF: Tensor, subsampling: int, size: int) -> Tensor:
    """A mask of hidden frames as one of the `size` input frames that are below them."""
    return masked_BF.repeat_interleave(subsampling, 1)[:, :size]


def stack(frames_BFM: Tensor, counts_B: Tensor, subsampling: int) -> tuple[Tensor, Tensor]:
    """Stack the input frames below each hidden frame: `[B, ⌈F/s⌉, s · M]`, and a mask of the real ones, bool.

    Frames beyond the counts become zero, and are not real.
    """
    missing = -frames_BFM.shape[1] % subsampling
    real_BFM = valid_frames(counts_B, frames_BFM.shape[1])[..., None].expand(frames_BFM.shape)
    kept_BFM = torch.where(real_BFM, frames_BFM, frames_BFM.new_zeros(()))
    kept_BFM, real_BFM = (F.pad(each, (0, 0, 0, missing)) for each in (kept_BFM, real_BFM))
    shape = (len(frames_BFM), -1, subsampling * frames_BFM.shape[2])
    return kept_BFM.reshape(shape), real_BFM.reshape(shape)
