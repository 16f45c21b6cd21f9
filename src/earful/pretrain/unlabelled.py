"""Speech without transcripts for objectives: several views of each clip on disk, classes, and units."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from earful.audio.augment import Augmentation
from earful.checkpoint import load_checkpoint
from earful.data.batch import pad
from earful.data.frames import FrameStore, compute_clips
from earful.data.utterance import Utterance
from earful.device import home_of
from earful.encoder.backbone import Backbone
from earful.errors import ConfigError
from earful.features.mfcc import Spectral, mfcc
from earful.identity import digest, digest_of_arrays
from earful.model import AcousticModel, fast_arithmetic
from earful.pretrain.dataset import ClipSources, Progress, chosen, stored
from earful.pretrain.kmeans import assign, fit_centres
from earful.pretrain.objective import Need, Views

QUIET = Augmentation(
    speed_probability=0, room_probability=0, noise_probability=0, telephone_probability=0, gain_probability=0
)
MFCC_HOP_S = 0.01


@dataclass(frozen=True)
class Units:
    """The features whose clusters are the targets of masked prediction, fitted on so many frames.

    Of MFCCs (Hsu et al. 2021, first iteration), or of the hidden frames of the model folder `of` (the next ones).
    """

    of: Path | None = None
    frames: int = 200_000

    def __post_init__(self) -> None:
        if self.frames < 1:
            raise ConfigError(f"units are clusters of {self.frames} frames, must be at least 1")


class SpeechSources(ClipSources, Protocol):
    """The settings of a recipe for clips without labels."""

    @property
    def units(self) -> Units: ...


@dataclass(frozen=True)
class Unlabelled:
    """Clips, each augmented once, and the other needed parts of `Views`."""

    utterances: Sequence[Utterance]
    frames: FrameStore
    other: FrameStore | None
    clean: FrameStore | None
    units: Sequence[Tensor] | None
    classes_NC: Tensor

    def digest(self) -> str:
        """The digest of all training data."""
        views = [view.digest() if view else None for view in (self.frames, self.other, self.clean)]
        units = digest_of_arrays(each.numpy() for each in self.units) if self.units else None
        return digest([views, units, self.classes_NC.tolist()])

    def heard(self, indexes: Sequence[int]) -> Views:
        """A batch of some clips."""
        views = (self.frames, self.other, self.clean)
        first, other, clean = (pad([view[i] for i in indexes]) if view else (None, None) for view in views)
        units = pad([self.units[i] for i in indexes], -1)[0] if self.units else None
        assert first[0] is not None and first[1] is not None
        return Views(first[0], first[1], other[0], other[1], clean[0], self.classes_NC[list(indexes)], units)


def open_unlabelled(
    recipe: SpeechSources,
    model: AcousticModel,
    needs: frozenset[Need],
    *,
    clusters: int = 0,
    tell: Progress | None = None,
) -> Unlabelled:
    """Read the recipe's manifests and compute (or find) the views that are needed, under `recipe.cache`.

    Units, if needed, have so many `clusters`.

    A clean view must be as long as the augmented one, so then augmentation does not change the speed.

    Raises:
        ManifestError, AudioError: a manifest or a recording that cannot be read.
        ConfigError: the frames cannot be stored.
    """
    clips = [u for corpus in recipe.corpora for u in chosen(corpus, labelled=False)]
    front = model.backbone or model.config.features
    assert isinstance(front, Backbone | Spectral)
    still = needs & {"clean", "units"}
    augmentation = replace(recipe.augmentation, speed_probability=0.0) if still else recipe.augmentation

    def view(seed: int, change: Augmentation) -> FrameStore:
        return FrameStore([stored(recipe.cache, clips, front, change, seed, tell)])

    first = view(recipe.seed, augmentation)
    other = view(recipe.seed + 1, augmentation) if "other" in needs else None
    clean = view(recipe.seed, QUIET) if "clean" in needs else None
    units = units_of(clips, recipe.units, clusters, model, first.counts, recipe.seed) if "units" in needs else None
    return Unlabelled(clips, first, other, clean, units, classes_of(clips))


def classes_of(clips: Sequence[Utterance]) -> Tensor:
    """Ids of clip, speaker, language and word `[N, 4]`, −1 if unknown; a word is a clip's whole text."""
    known = [[u.speaker for u in clips], [u.language for u in clips], [_word(u) for u in clips]]
    columns = [list(range(len(clips)))]
    for names in known:
        ids = {name: i for i, name in enumerate(sorted({name for name in names if name}))}
        columns.append([ids.get(name or "", -1) for name in names])
    return torch.tensor(columns, dtype=torch.long).T


def _word(utterance: Utterance) -> str | None:
    text = (utterance.text or "").strip()
    return f"{utterance.language}: {text}" if text and not any(map(str.isspace, text)) else None


def units_of(
    clips: Sequence[Utterance], units: Units, clusters: int, model: AcousticModel, counts: Sequence[int], seed: int
) -> list[Tensor]:
    """A cluster's id for each hidden frame of each clip, without augmentation.

    The row (MFCCs, or a hidden frame of another model) nearest to the middle of a hidden frame represents it.
    """
    teacher = load_checkpoint(units.of).build().to(home_of(model)) if units.of else None
    front, row_hop_s = (partial(_hidden, teacher), _hidden_hop_s(teacher)) if teacher else (_cepstra, MFCC_HOP_S)
    rows = []
    for clip, count in zip(compute_clips(clips, front), counts, strict=True):
        hidden = int(model.encoder.output_counts(torch.tensor(count)))
        middle = ((torch.arange(hidden) + 0.5) * _hidden_hop_s(model) / row_hop_s).long()
        rows.append(clip.frames_FM[middle.clamp(max=len(clip.frames_FM) - 1)])
    generator = torch.Generator().manual_seed(seed)
    everything = torch.cat(rows)
    sample = torch.randperm(len(everything), generator=generator)[: units.frames]
    centres_CD = fit_centres(everything[sample], clusters, generator)
    return list(torch.split(assign(everything, centres_CD), [len(each) for each in rows]))


def _hidden_hop_s(model: AcousticModel) -> float:
    """Seconds from one frame of the encoder to the next."""
    return model.config.output_hop_s * model.config.upsampling


def _hidden(model: AcousticModel, samples_T: Tensor) -> Tensor:
    """The encoder's hidden frames of samples `[T]`, `[F, D]`, on the device of the samples."""
    device = home_of(model)
    frames_FM = model.frames_of(samples_T).to(device)
    with torch.no_grad(), fast_arithmetic(device):
        hidden_BFD, _ = model.encoder(frames_FM[None], torch.tensor([len(frames_FM)]).to(device))
    return hidden_BFD[0].float().to(samples_T.device)  # type: ignore[no-any-return]


def _cepstra(samples_T: Tensor) -> Tensor:
    """MFCCs of a clip and their differences `[F, 26]`, each centred and scaled over the clip."""
    cepstra_FC = mfcc(samples_T[None])[0][0]
    slope_FC = torch.gradient(cepstra_FC, dim=0)[0] if len(cepstra_FC) > 1 else torch.zeros_like(cepstra_FC)
    both_FC = torch.cat([cepstra_FC, slope_FC], 1)
    spread_C = both_FC.std(0) if len(both_FC) > 1 else torch.ones(both_FC.shape[1])
    return (both_FC - both_FC.mean(0)) / spread_C.clamp(min=1e-5)
