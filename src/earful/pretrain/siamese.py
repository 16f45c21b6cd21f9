"""Siamese training: positive pairs of segments are pulled together, others pushed a margin apart (Hadsell et al. 2006).

The choice of positive pairs decides what is learned.

- `positives = "moment"`: the same stretch of time under two augmentations, against other stretches of the same clip.
  All stretches have one voice and one room, so only the spoken sounds distinguish them. This teaches sounds, and needs
  no labels. `segment_frames` of 2 to 5 are about a phone. It also pushes apart two pauses, or one sound said twice;
  the margin limits that. An encoder could cheat by counting frames from the ends of a clip (without cutting, two kinds
  did so on unrelated noise). So a random number of segments is cut off from the end of one augmentation and from the
  beginning of the other. That leaves little room for cheating.
- `positives = "class"`: segments of the same class, as `SegmentSettings` says.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from earful.encoder.encoder import Encoder
from earful.errors import ConfigError
from earful.pretrain.objective import Found, Need, Objective, Views
from earful.pretrain.segments import (
    Embedder,
    SegmentSettings,
    distances,
    embed,
    given,
    mean_where,
    same_class,
    segments_of,
)

POSITIVES = ("moment", "class")


@dataclass(frozen=True)
class SiameseSettings(SegmentSettings):
    """`positives` as in the module's docstring; `margin` is the least distance of others in the projected space.

    With "moment", `classes` is ignored, and up to `shift` segments, at most a third of a clip's, are cut off.
    """

    positives: str = "moment"
    margin: float = 1.0
    shift: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.positives not in POSITIVES:
            raise ConfigError(f"positives is {self.positives!r}, must be one of {', '.join(POSITIVES)}")
        if not self.margin > 0:
            raise ConfigError(f"margin is {self.margin}, must be > 0")
        if self.shift < 0:
            raise ConfigError(f"shift is {self.shift}, must be 0 or more")
        if self.positives == "moment" and not self.segment_frames:
            raise ConfigError('segment_frames is 0, whole clips, which have no moments; give 1 or more, or "class"')

    @property
    def needs(self) -> frozenset[Need]:
        """The needed parts of Views: for moments another augmentation, and for classes as in `SegmentSettings`."""
        return frozenset({"other"}) if self.positives == "moment" else super().needs


class Siamese(Objective):
    """Pairs with a margin. A batch with only positive or only negative pairs gives zero."""

    def __init__(self, settings: SiameseSettings, width: int) -> None:
        super().__init__()
        self.needs = settings.needs
        self.settings = settings
        self.embed = Embedder(settings, width)

    def forward(self, encoder: Encoder, heard: Views, generator: torch.Generator) -> Found:
        """The mean loss of positive pairs plus that of negative pairs.

        Only the cuts for moments are random. Facts: the mean distances of both kinds.
        """
        if self.settings.positives == "moment":
            distance_SS, same_SS, different_SS = self._moments(encoder, heard, generator)
        else:
            distance_SS, same_SS, different_SS = self._classes(encoder, heard)
        loss = contrastive(distance_SS, same_SS, different_SS, self.settings.margin)
        near, far = (float(mean_where(distance_SS.detach(), mask)) for mask in (same_SS, different_SS))
        return Found({"siamese": loss}, {"distance_same": near, "distance_different": far})

    def _classes(self, encoder: Encoder, heard: Views) -> tuple[Tensor, Tensor, Tensor]:
        """All distances between segments, with masks of the pairs of one class and of two."""
        found = segments_of(self.embed, encoder, heard, self.settings)
        return distances(found.embedded_SE, found.embedded_SE), *same_class(found.class_S)

    def _moments(self, encoder: Encoder, heard: Views, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Distances from segments of one augmentation to those of the other, never within one.

        Within one, noise and room would reveal the negative pairs. If the other has another length, frames are not of
        the same time: such clips are left out.
        """
        other_BFM, counts_B = given(heard.other_BFM, "other_BFM"), given(heard.other_counts_B, "other_counts_B")
        size = self.settings.segment_frames
        frames = size * encoder.subsampling  # so many a segment
        end_B, begin_B = offcuts(
            torch.minimum(heard.frame_counts_B, counts_B) // frames, self.settings.shift, generator
        )
        first = heard.frames_BFM, earlier(heard.frame_counts_B, end_B, frames)
        second = later(other_BFM, begin_B * frames), counts_B - begin_B * frames
        first_SE, first_S, first_place_S = embed(self.embed, encoder, *first, size)
        second_SE, second_S, second_place_S = embed(self.embed, encoder, *second, size)
        aligned_S = (heard.frame_counts_B == counts_B)[first_S]
        clip_SS = (first_S[:, None] == second_S) & aligned_S[:, None]
        moment_SS = first_place_S[:, None] == second_place_S + begin_B[second_S]
        return distances(first_SE, second_SE), clip_SS & moment_SS, clip_SS & ~moment_SS


def offcuts(places_B: Tensor, most: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draw the numbers of segments to cut off from each clip: 0 to `most`, at most a third of its places; twice [B]."""
    chance_2B = torch.rand(2, len(places_B), generator=generator, device=generator.device).to(places_B.device)
    most_B = (places_B // 3).clamp(max=most)
    end_B, begin_B = torch.minimum((chance_2B * (most_B + 1)).long(), most_B)
    return end_B, begin_B


def earlier(counts_B: Tensor, end_B: Tensor, size: int) -> Tensor:
    """The counts after cutting so many segments of this size, the last perhaps incomplete, off the end.

    The remaining segments stay complete.
    """
    return torch.minimum(counts_B, (-(-counts_B // size) - end_B) * size)


def later(frames_BFM: Tensor, begin_B: Tensor) -> Tensor:
    """Each clip from its own frame on; the frames at the end are not to be read."""
    size = frames_BFM.shape[1]
    index_BF = (begin_B[:, None] + torch.arange(size, device=frames_BFM.device)).clamp(max=max(size - 1, 0))
    return frames_BFM[torch.arange(len(begin_B), device=frames_BFM.device)[:, None], index_BF]


def contrastive(distance_SS: Tensor, same_SS: Tensor, different_SS: Tensor, margin: float) -> Tensor:
    """Hadsell et al. 2006, eq. 4: ½ d² for positive pairs, ½ max(0, margin − d)² for negative ones.

    The two means are added, because there are many more negative pairs. One kind alone is harmful (attraction without
    repulsion makes all segments equal), so then the loss is zero, with a gradient of zero.
    """
    attracted = mean_where(distance_SS.square() / 2, same_SS)
    repelled = mean_where((margin - distance_SS).clamp(min=0).square() / 2, different_SS)
    return (attracted + repelled) * (same_SS.any() & different_SS.any())
