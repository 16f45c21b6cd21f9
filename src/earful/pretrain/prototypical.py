"""Prototypes of the classes in a batch, by which the other segments are classified (Snell et al. 2017).

`SegmentSettings` describes what the classes teach. In contrast to triplets, a class is its mean, so single wrong or
silent segments do little harm. Output rows of a new alphabet are first made in the same way.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from earful.encoder.encoder import Encoder
from earful.errors import ConfigError
from earful.pretrain.objective import Found, Objective, Views
from earful.pretrain.segments import Embedder, Segments, SegmentSettings, distances, segments_of


@dataclass(frozen=True)
class PrototypicalSettings(SegmentSettings):
    """`support` is the part of each class's segments that makes its prototype; the others are queries."""

    support: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.support < 1:
            raise ConfigError(f"support is {self.support}, must be between 0 and 1")


class Prototypical(Objective):
    """Prototypes and queries, drawn anew from each batch. With fewer than two classes the loss is zero."""

    def __init__(self, settings: PrototypicalSettings, width: int) -> None:
        super().__init__()
        self.needs = settings.needs
        self.settings = settings
        self.embed = Embedder(settings, width)

    def forward(self, encoder: Encoder, heard: Views, generator: torch.Generator) -> Found:
        """The cross-entropy of a query's class, in nats. `accuracy`: how often the nearest prototype is right."""
        found = segments_of(self.embed, encoder, heard, self.settings)
        support_S = split(found, self.settings.support, len(heard.frame_counts_B), generator)
        logits_SK, class_S = query_logits(found.embedded_SE, found.class_S, support_S)
        if not len(logits_SK):
            return Found({"prototypical": logits_SK.sum()}, {"accuracy": 0.0})
        accuracy = float((logits_SK.argmax(1) == class_S).double().mean())
        return Found({"prototypical": functional.cross_entropy(logits_SK, class_S)}, {"accuracy": accuracy})


def split(found: Segments, part: float, clips: int, generator: torch.Generator) -> Tensor:
    """Draw the segments of the prototypes: this part of each class, at least one, and not all unless there is only one.

    Recordings of a class (clips, and augmentations of them) are drawn first, then the segments in them. So queries are,
    as far as possible, of other recordings than prototypes: else noise and room would reveal the class.
    """
    draw_RS = torch.rand(2, clips, generator=generator, device=generator.device).to(found.row_S.device)
    own_S = torch.rand(len(found.row_S), generator=generator, device=generator.device).to(found.row_S.device)
    order_S = own_S.argsort(stable=True)
    for key_S in (draw_RS[found.view_S, found.row_S], found.class_S):  # by class, then recording, then the own draw
        order_S = order_S[key_S[order_S].argsort(stable=True)]
    _, index_S, size_K = torch.unique(found.class_S, return_inverse=True, return_counts=True)
    begin_S = (size_K.cumsum(0) - size_K)[index_S]
    rank_S = torch.empty_like(order_S).scatter_(0, order_S, torch.arange(len(order_S), device=order_S.device))
    share_K = torch.minimum((size_K * part).round().long(), size_K - 1).clamp(min=1)
    support_S: Tensor = rank_S - begin_S < share_K[index_S]
    return support_S


def query_logits(embedded_SE: Tensor, class_S: Tensor, support_S: Tensor) -> tuple[Tensor, Tensor]:
    """For each query, the negative squared distance to each prototype, the mean of its class; and its class's column.

    Snell et al. 2017, eq. 1 and 2. Every class must have support. [queries, classes] and [queries].
    """
    known_K, index_S = torch.unique(class_S, return_inverse=True)
    member_KS = (known_K[:, None] == class_S) & support_S
    with torch.autocast(embedded_SE.device.type, enabled=False):
        total_KE = member_KS.to(embedded_SE.dtype) @ embedded_SE
    prototype_KE = total_KE / member_KS.sum(1, keepdim=True)
    return -distances(embedded_SE[~support_S], prototype_KE).square(), index_S[~support_S]
