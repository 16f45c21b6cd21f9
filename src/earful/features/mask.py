"""Random spans in a padded batch, and SpecAugment on top of them."""

from dataclasses import dataclass

import torch
from torch import Tensor

from earful.errors import ConfigError


@dataclass(frozen=True)
class SpecAugment:
    """The numbers of masks, and their largest widths in bins or frames; widths are drawn uniformly from 0.

    A time mask is at most `time_ratio` of its item long (p in Park et al. 2019), so that short clips keep their words.
    A frequency mask is at most half of the bins wide, so that some of a few cepstra are left.
    """

    frequency_masks: int = 2
    frequency_bins: int = 27
    time_masks: int = 2
    time_frames: int = 40
    time_ratio: float = 0.2

    def __post_init__(self) -> None:
        if min(self.frequency_masks, self.frequency_bins, self.time_masks, self.time_frames) < 0:
            raise ConfigError(f"the numbers and widths of masks must be 0 or more, got {self}")
        if not 0 <= self.time_ratio <= 1:
            raise ConfigError(f"time_ratio is {self.time_ratio}, must be from 0 to 1")


def spec_augment(frames_BFM: Tensor, frame_counts_B: Tensor, config: SpecAugment, generator: torch.Generator) -> Tensor:
    """Mask random bands and stretches of each item with its mean in each bin (Park et al. 2019, without the warp).

    `frames_BFM` [B, F, M] and its counts [B]; frames beyond a count are neither read nor changed. Gradients pass
    through the unmasked frames and through the mean. Returns [B, F, M].

    >>> frames_BFM = torch.randn(2, 100, 80)
    >>> spec_augment(frames_BFM, torch.tensor([100, 60]), SpecAugment(), torch.Generator().manual_seed(0)).shape
    torch.Size([2, 100, 80])
    """
    _, frames, bins = frames_BFM.shape
    counts_B = frame_counts_B.to(frames_BFM.device)
    longest_B = (counts_B * config.time_ratio).long().clamp(max=config.time_frames)
    bins_B = torch.full_like(counts_B, bins)
    time_BF = spans(counts_B, frames, config.time_masks, 0, longest_B, generator)
    band_BM = spans(bins_B, bins, config.frequency_masks, 0, min(config.frequency_bins, bins // 2), generator)
    valid_BF1 = _within(counts_B, frames)[..., None]
    masked_BFM = (time_BF[..., None] | band_BM[:, None]) & valid_BF1
    total_B1M = torch.where(valid_BF1, frames_BFM, 0).sum(1, keepdim=True)
    mean_B1M = total_B1M / counts_B.clamp(min=1)[:, None, None]
    return torch.where(masked_BFM, mean_B1M, frames_BFM)


def spans(
    counts_B: Tensor,
    size: int,
    number_B: Tensor | int,
    shortest_B: Tensor | int,
    longest_B: Tensor | int,
    generator: torch.Generator,
) -> Tensor:
    """Draw random spans within each item of a padded batch: bool [B, size], True inside a span.

    Item b gets `number_B[b]` spans, of a length uniform from `shortest_B[b]` to `longest_B[b]` (never more than its
    count), each placed uniformly so that it ends within `counts_B[b]`. Spans may overlap. An int serves all items.

    >>> spans(torch.tensor([8, 4]), 8, 1, 2, 2, torch.Generator().manual_seed(0)).sum(1)
    tensor([2, 2])
    """
    number_B1, shortest_B1, longest_B1 = (_column(value, counts_B) for value in (number_B, shortest_B, longest_B))
    most = int(number_B1.max()) if len(counts_B) else 0
    if most < 1:
        return torch.zeros(len(counts_B), size, dtype=torch.bool, device=counts_B.device)
    chance_2BN = torch.rand(2, len(counts_B), most, generator=generator, device=generator.device).to(counts_B.device)
    length_BN = shortest_B1 + _pick(chance_2BN[0], (longest_B1 - shortest_B1).clamp(min=0))
    length_BN = torch.minimum(length_BN, counts_B[:, None])
    start_BN = _pick(chance_2BN[1], counts_B[:, None] - length_BN)
    drawn_BN = torch.arange(most, device=counts_B.device) < number_B1
    edge_BN = start_BN + torch.where(drawn_BN, length_BN, 0)
    position_S = torch.arange(size, device=counts_B.device)
    inside_BNS = (position_S >= start_BN[..., None]) & (position_S < edge_BN[..., None])
    return inside_BNS.any(1)


def _pick(chance: Tensor, largest: Tensor) -> Tensor:
    """Turn chances in [0, 1) into whole numbers from 0 to `largest`, equally likely."""
    return torch.minimum((chance * (largest + 1)).long(), largest)  # rounding may reach largest + 1


def _column(value: Tensor | int, counts_B: Tensor) -> Tensor:
    if isinstance(value, int):
        return torch.full_like(counts_B, value)[:, None]
    return value.to(counts_B.device)[:, None]


def _within(counts_B: Tensor, size: int) -> Tensor:
    return torch.arange(size, device=counts_B.device) < counts_B[:, None]
