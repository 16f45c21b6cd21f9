"""Common parts of objectives that compare segments: cutting, pooling, projection, classes and distances.

Two more letters in names: S segments, E embedding. Padding, silence, and segments of unknown class are left out, not
weighted with zero, so they cannot change anything.
"""

from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from earful.encoder.encoder import Encoder, valid_frames
from earful.errors import ConfigError
from earful.pretrain.objective import CLASSES, Need, Views

T = TypeVar("T")
POOLINGS = ("mean", "attention")


@dataclass(frozen=True)
class EmbeddingSettings:
    """The embedding of hidden frames: the pooling, and a projector with `hidden` and `size` features.

    The mean over frames has no order, but contextual frames contain it. "attention" learns the weights of frames.
    """

    pooling: str = "mean"
    hidden: int = 128
    size: int = 64

    def __post_init__(self) -> None:
        if self.pooling not in POOLINGS:
            raise ConfigError(f"pooling is {self.pooling!r}, must be one of {', '.join(POOLINGS)}")
        if min(self.hidden, self.size) < 1:
            raise ConfigError(f"hidden and size must be at least 1, got {self.hidden} and {self.size}")


@dataclass(frozen=True)
class SegmentSettings(EmbeddingSettings):
    """The classes of segments: segments of one class are similar. What each choice of `classes` teaches the encoder:

    - "clip", with a second augmentation: what stays the same in a recording when noise and room change, above all the
      voice. It needs no labels, and teaches a recogniser the least.
    - "speaker": the voice, and nothing else; useful as a small part of the loss, or for distinguishing voices.
    - "language": sounds and melodies of languages; also the recording, if a language comes from one studio.
    - "word", with clips of single words: the sounds and their order. It is the nearest to recognition; best with
      `segment_frames = 0`, because halves of a word are not similar.

    Segments are `segment_frames` hidden frames long (10 are 0.4 s at 40 ms) and do not overlap; 0 takes whole clips.
    """

    classes: str = "clip"
    segment_frames: int = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.classes not in CLASSES:
            raise ConfigError(f"classes is {self.classes!r}, must be one of {', '.join(CLASSES)}")
        if self.segment_frames < 0:
            raise ConfigError(f"segment_frames is {self.segment_frames}, must be 0 (whole clips) or more")

    @property
    def needs(self) -> frozenset[Need]:
        """The needed parts of Views: classes, and a second augmentation of each clip if the class is the clip."""
        return frozenset({"classes", "other"}) if self.classes == "clip" else frozenset({"classes"})


class Segments(NamedTuple):
    """Segments of a batch: their embeddings, class, row in the batch, number in the clip, and augmentation (0 or 1)."""

    embedded_SE: Tensor
    class_S: Tensor
    row_S: Tensor
    place_S: Tensor
    view_S: Tensor

    def where(self, kept_S: Tensor) -> "Segments":
        """The segments that a mask keeps, in the same order."""
        return Segments(*(value[kept_S] for value in self))


class Pool(nn.Module):
    """One vector from several frames: their mean, or a mean with learned weights (Lin et al. 2017, one hop, linear)."""

    def __init__(self, pooling: str, width: int) -> None:
        super().__init__()
        # A bias would add the same to all scores, which the softmax does not see.
        self.score = nn.Linear(width, 1, bias=False) if pooling == "attention" else None

    def forward(self, hidden_SFD: Tensor, valid_SF: Tensor) -> Tensor:
        """(hidden_SFD, valid_SF) to pooled_SD; each segment must have a valid frame."""
        score_SF = torch.zeros_like(hidden_SFD[..., 0]) if self.score is None else self.score(hidden_SFD)[..., 0]
        weight_SF = score_SF.to(hidden_SFD.dtype).masked_fill(~valid_SF, -torch.inf).softmax(1)
        return (hidden_SFD.masked_fill(~valid_SF[..., None], 0) * weight_SF[..., None]).sum(1)


class Embedder(nn.Module):
    """Segments of hidden frames to embeddings: a pool, and a projector that is thrown away after pre-training.

    The projector, not the encoder, loses the information that the loss removes (Chen et al. 2020, section 4.2). It has
    no batch normalisation, because no clip may depend on its batch. Its last layer has no bias, which distances ignore.
    """

    def __init__(self, settings: EmbeddingSettings, width: int) -> None:
        super().__init__()
        self.pool = Pool(settings.pooling, width)
        self.project = nn.Sequential(
            nn.Linear(width, settings.hidden), nn.ReLU(), nn.Linear(settings.hidden, settings.size, bias=False)
        )

    def forward(self, hidden_SFD: Tensor, valid_SF: Tensor) -> Tensor:
        """(hidden_SFD, valid_SF) to embedded_SE, in the dtype of hidden_SFD whatever the arithmetic is."""
        embedded_SE: Tensor = self.project(self.pool(hidden_SFD, valid_SF)).to(hidden_SFD.dtype)
        return embedded_SE


def segments_of(embedder: Embedder, encoder: Encoder, heard: Views, settings: SegmentSettings) -> Segments:
    """Encode a batch and embed its segments; of both augmentations if the class is the clip. Silence and segments of
    an unknown class are left out.

    Raises ConfigError if the batch lacks a needed part.
    """
    class_B = given(heard.classes_BC, "classes_BC")[:, CLASSES.index(settings.classes)]
    views = [(heard.frames_BFM, heard.frame_counts_B)]
    if settings.classes == "clip":
        views.append((given(heard.other_BFM, "other_BFM"), given(heard.other_counts_B, "other_counts_B")))
    parts = [embed(embedder, encoder, *view, settings.segment_frames) for view in views]
    found = join([(*part, class_B[part[1]]) for part in parts])
    return found.where(found.class_S >= 0)


def join(parts: list[tuple[Tensor, Tensor, Tensor, Tensor]]) -> Segments:
    """Segments of several augmentations, each (embedded_SE, row_S, place_S, class_S)."""
    view_S = torch.cat([torch.full_like(row_S, view) for view, (_, row_S, _, _) in enumerate(parts)])
    embedded_SE, row_S, place_S, class_S = (torch.cat(column) for column in zip(*parts, strict=True))
    return Segments(embedded_SE, class_S, row_S, place_S, view_S)


def embed(
    embedder: Embedder, encoder: Encoder, frames_BFM: Tensor, counts_B: Tensor, segment_frames: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Embeddings of the segments of audible clips: embedded_SE, row_S, place_S."""
    hidden_BFD, hidden_counts_B = encoder(frames_BFM, counts_B)
    cut_counts_B = hidden_counts_B * audible(frames_BFM, counts_B)
    hidden_SFD, valid_SF, row_S, place_S = cut(hidden_BFD, cut_counts_B, segment_frames)
    return embedder(hidden_SFD, valid_SF), row_S, place_S


def cut(hidden_BFD: Tensor, counts_B: Tensor, segment_frames: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Cut hidden frames into segments: hidden_SFD, valid_SF, row_S, place_S; clip after clip, in the order of time.

    The rest at the end of a clip is a segment if it is at least half of one, or the whole clip. A clip without frames
    has no segment. With `segment_frames = 0` each clip is one.

    >>> cut(torch.randn(2, 9, 5), torch.tensor([9, 1]), 4)[1].sum(1)
    tensor([4, 4, 1])
    """
    batch, frames, width = hidden_BFD.shape
    size = segment_frames or max(frames, 1)
    places = -(-frames // size)
    padded_BFD = nn.functional.pad(hidden_BFD, (0, 0, 0, places * size - frames))
    numbers_B = ((counts_B + size // 2) // size).clamp(min=1) * (counts_B > 0)
    row_S, place_S = valid_frames(numbers_B, places).nonzero().unbind(1)
    valid_BPF = valid_frames(counts_B, places * size).view(batch, places, size)
    return padded_BFD.view(batch, places, size, width)[row_S, place_S], valid_BPF[row_S, place_S], row_S, place_S


def audible(frames_BFM: Tensor, counts_B: Tensor) -> Tensor:
    """The clips with two frames that differ: bool [B]. Of others nothing is left when encoders subtract the mean."""
    differs_BF = (frames_BFM != frames_BFM[:, :1]).any(2)
    return (differs_BF & valid_frames(counts_B, frames_BFM.shape[1])).any(1)


def distances(first_SE: Tensor, second_SE: Tensor) -> Tensor:
    """All Euclidean distances, [S of the first, S of the second]; where they are zero, so is the gradient.

    They are computed exactly, not by products, whose rounding errors are as large as small distances.
    """
    return torch.cdist(first_SE, second_SE, compute_mode="donot_use_mm_for_euclid_dist")


def same_class(class_S: Tensor) -> tuple[Tensor, Tensor]:
    """Masks [S, S]: pairs of one class, without pairs of a segment with itself; and pairs of two classes."""
    same_SS = class_S[:, None] == class_S
    itself_SS = torch.eye(len(class_S), dtype=torch.bool, device=class_S.device)
    return same_SS & ~itself_SS, ~same_SS


def mean_where(values: Tensor, kept: Tensor) -> Tensor:
    """The mean of the values that a mask keeps; zero with a gradient of zero if it keeps none."""
    return values.masked_fill(~kept, 0).sum() / kept.sum().clamp(min=1)


def given(value: T | None, name: str) -> T:
    """A needed part of a batch. Raises ConfigError if the batch was made without it."""
    if value is None:
        raise ConfigError(f"pretrain: the objective needs {name}, but the batch has none; make batches by its `needs`")
    return value
