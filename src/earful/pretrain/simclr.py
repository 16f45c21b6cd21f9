"""SimCLR: two augmentations of one clip should be more similar than those of different clips (Chen et al. 2020).

It has one vector per clip, which distinguishes a recording from others under any noise and room. In small batches the
voice is enough for that; in larger ones, with several clips per speaker, the words have to help. Comparing stretches of
one clip teaches sounds more directly: see `siamese`.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from earful.encoder.encoder import Encoder
from earful.errors import ConfigError
from earful.pretrain.objective import Found, Need, Objective, Views
from earful.pretrain.segments import Embedder, EmbeddingSettings, embed, given

SHORTEST = 1e-3  # embeddings shorter than this are not stretched to one: their direction is chance


@dataclass(frozen=True)
class SimCLRSettings(EmbeddingSettings):
    """The temperature divides cosines: if it is lower, the nearest negatives count more (Chen et al. 2020, table 5)."""

    temperature: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.temperature > 0:
            raise ConfigError(f"temperature is {self.temperature}, must be > 0")


class SimCLR(Objective):
    """The contrast of whole clips. Silent clips are left out; a single clip gives zero."""

    needs: frozenset[Need] = frozenset({"other"})

    def __init__(self, settings: SimCLRSettings, width: int) -> None:
        super().__init__()
        self.settings = settings
        self.embed = Embedder(settings, width)

    def forward(self, encoder: Encoder, heard: Views, generator: torch.Generator) -> Found:
        """The NT-Xent loss in nats per clip; nothing is random. `accuracy`: the share whose nearest is the own pair."""
        other = given(heard.other_BFM, "other_BFM"), given(heard.other_counts_B, "other_counts_B")
        first_SE, first_S, _ = embed(self.embed, encoder, heard.frames_BFM, heard.frame_counts_B, 0)
        second_SE, second_S, _ = embed(self.embed, encoder, *other, 0)
        first_SE, second_SE = first_SE[torch.isin(first_S, second_S)], second_SE[torch.isin(second_S, first_S)]
        logits_SS = similarities(first_SE, second_SE, self.settings.temperature)
        loss, accuracy = nt_xent(logits_SS)
        return Found({"simclr": loss}, {"accuracy": accuracy})


def similarities(first_SE: Tensor, second_SE: Tensor, temperature: float) -> Tensor:
    """Cosines of all 2S embeddings to all, divided by the temperature; −∞ to themselves. [2S, 2S], first before second.

    It is computed in full precision: a bfloat16 has at most three digits, of which a low temperature takes one.
    """
    with torch.autocast(first_SE.device.type, enabled=False):
        unit_SE = functional.normalize(torch.cat((first_SE, second_SE)), dim=1, eps=SHORTEST)
        cosine_SS = unit_SE @ unit_SE.T
    itself_SS = torch.eye(len(unit_SE), dtype=torch.bool, device=unit_SE.device)
    return (cosine_SS / temperature).masked_fill(itself_SS, -torch.inf)


def nt_xent(logits_SS: Tensor) -> tuple[Tensor, float]:
    """The mean loss of `similarities`, where row i belongs to row i + half; and how often that is the largest.

    Chen et al. 2020, eq. 1: the cross-entropy of the other half among all others.
    """
    if not len(logits_SS):
        return logits_SS.sum(), 0.0
    place_S = torch.arange(len(logits_SS), device=logits_SS.device)
    other_S = place_S.roll(len(logits_SS) // 2)
    accuracy = float((logits_SS.argmax(1) == other_S).double().mean())
    return functional.cross_entropy(logits_SS, other_S), accuracy
