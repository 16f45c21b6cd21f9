"""The relative positions of WavLM: a bias of the attention scores by distance, which each layer weights by a gate.

Chen et al. 2022, "WavLM", section III-B; the buckets are those of Raffel et al. 2020, "T5", section 2.1.
"""

import math
from typing import final

import torch
from torch import Tensor, nn

PARTS = 4
"""Each of a gate's two numbers is a sum of four projections, as in the public weights; one would be enough."""


@final
class Gate(nn.Module):
    """The weight of distances in a head of a layer, for each frame (Chen et al. 2022, eq. 5 to 7)."""

    def __init__(self, heads: int, head_width: int) -> None:
        super().__init__()
        self.project = nn.Linear(head_width, 2 * PARTS)
        self.scale_1H11 = nn.Parameter(torch.ones(1, heads, 1, 1))

    def forward(self, x_BFHE: Tensor) -> Tensor:
        """The input of attention, split into heads, to factors `[B, H, F, 1]` between 1 and 2 + scale."""
        sums_BFH2 = self.project(x_BFHE).unflatten(-1, (2, PARTS)).sum(-1)
        update_BHF1, reset_BHF1 = sums_BFH2.sigmoid().transpose(1, 2).chunk(2, dim=-1)
        return update_BHF1 * (reset_BHF1 * self.scale_1H11 - 1.0) + 2.0  # type: ignore[no-any-return]


@final
class Distances(nn.Module):
    """One number for each head and bucket of distances."""

    def __init__(self, buckets: int, farthest: int, heads: int) -> None:
        super().__init__()
        self.farthest = farthest
        self.weight = nn.Parameter(torch.zeros(buckets, heads))

    def forward(self, frame_count: int) -> Tensor:
        """`positions_HFF`: [head, frame that attends, frame that is attended to]."""
        place_F = torch.arange(frame_count, device=self.weight.device)
        distance_D = torch.arange(1 - frame_count, frame_count, device=self.weight.device)
        bias_DH = self.weight[bucket_of(distance_D, len(self.weight), self.farthest)]
        return bias_DH.T[:, place_F - place_F[:, None] + frame_count - 1]


def bucket_of(distance: Tensor, buckets: int, farthest: int) -> Tensor:
    """The bucket of signed distances: half of them for either direction, a quarter for single near frames.

    Farther distances share buckets whose width grows logarithmically, up to `farthest`.
    """
    half, near = buckets // 2, buckets // 4
    far = distance.abs().clamp(min=1)
    # In this order, in float32: the edges of the buckets depend on it.
    widening = torch.log(far.float() / near) / math.log(farthest / near) * (half - near)
    wide = (near + widening).to(torch.long).clamp(max=half - 1)
    return torch.where(distance.abs() < near, distance.abs(), wide) + half * (distance > 0)
