"""Triplets with hard mining in the batch: the farthest of the own class should be nearer than the nearest of another.

After Hermans, Beyer and Leibe 2017, "In Defense of the Triplet Loss for Person Re-Identification". `SegmentSettings`
describes what the classes teach. Only the hardest pair of each segment counts. So wrong labels, or long pauses (which
sound like the pauses of other clips), do more harm than in `prototypical`.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from earful.encoder.encoder import Encoder
from earful.errors import ConfigError
from earful.pretrain.objective import Found, Objective, Views
from earful.pretrain.segments import Embedder, SegmentSettings, distances, mean_where, same_class, segments_of


@dataclass(frozen=True)
class TripletSettings(SegmentSettings):
    """`margin = 0` is the soft margin, ln(1 + e^x), which needs no value and never stops pulling."""

    margin: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.margin >= 0:
            raise ConfigError(f"margin is {self.margin}, must be > 0, or 0 for the soft margin")


class Triplet(Objective):
    """Batch-hard triplets of segments. A segment without another of its class, or without any of another class, is no
    anchor; a batch without anchors gives zero.
    """

    def __init__(self, settings: TripletSettings, width: int) -> None:
        super().__init__()
        self.needs = settings.needs
        self.settings = settings
        self.embed = Embedder(settings, width)

    def forward(self, encoder: Encoder, heard: Views, generator: torch.Generator) -> Found:
        """The mean loss of the anchors; nothing is random. `accuracy`: the share whose farthest positive is nearer than
        the nearest negative; `distance`: the mean distance of two segments (near zero: collapse).
        """
        found = segments_of(self.embed, encoder, heard, self.settings)
        distance_SS = distances(found.embedded_SE, found.embedded_SE)
        same_SS, different_SS = same_class(found.class_S)
        harm_S, anchor_S = batch_hard(distance_SS, same_SS, different_SS)
        loss = mean_where(loss_of(harm_S, self.settings.margin), anchor_S)
        spread = float(mean_where(distance_SS.detach(), same_SS | different_SS))
        accuracy = float(mean_where((harm_S.detach() < 0).float(), anchor_S))
        return Found({"triplet": loss}, {"accuracy": accuracy, "distance": spread})


def batch_hard(distance_SS: Tensor, same_SS: Tensor, different_SS: Tensor) -> tuple[Tensor, Tensor]:
    """For each segment, the distance of its farthest positive minus that of its nearest negative; and if it has both.

    Hermans et al. 2017, eq. 5, without the margin; zero where one is missing.
    """
    # A column of its own for "none": the largest of nothing is not defined.
    positive_S = functional.pad(distance_SS.masked_fill(~same_SS, -1), (0, 1), value=-1).amax(1)
    negative_S = functional.pad(distance_SS.masked_fill(~different_SS, torch.inf), (0, 1), value=torch.inf).amin(1)
    anchor_S = same_SS.any(1) & different_SS.any(1)
    return torch.where(anchor_S, positive_S - negative_S.masked_fill(~anchor_S, 0), 0), anchor_S


def loss_of(harm: Tensor, margin: float) -> Tensor:
    """The hinge with a margin, or the soft margin (Hermans et al. 2017, section 2, "soft margin") if that is 0."""
    return (margin + harm).clamp(min=0) if margin > 0 else functional.softplus(harm)
