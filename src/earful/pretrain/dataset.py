"""From manifests to the data of the supervised objective: frames on disk, characters, phones, phones of frames."""

import bisect
import hashlib
import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from earful.audio.augment import Augmentation
from earful.audio.condition import describe, draw_condition
from earful.config import to_mapping
from earful.data.batch import Batch, PhoneLabels, pad
from earful.data.bed import bed_of
from earful.data.frames import FrameStore, Front, build_store, compute_clips, is_built
from earful.data.manifest import read_manifest
from earful.data.synthesis.speech import SILENCE
from earful.data.utterance import Utterance
from earful.device import CPU
from earful.encoder.backbone import Backbone
from earful.encoder.pretrained import BackboneConfig, load_backbone
from earful.encoder.whisper import BED
from earful.errors import ConfigError, ManifestError
from earful.features.fbank import FbankConfig
from earful.features.mfcc import Spectral
from earful.identity import digest
from earful.model import ModelConfig, amid, frames_by
from earful.pretrain.recipe import Corpus, Pretrained, Recipe
from earful.text.alphabet import Alphabet
from earful.text.normalize import TextRules, normalize

Progress = Callable[[int, int], None]
UNKNOWN = -1
BEDS = 4
"""The number of beds for each language of a corpus. Its clips take turns, so that no bed is memorised."""
_DRAWS = 20  # of conditions, for each that is wanted: many of them may be clean


@dataclass(frozen=True)
class Dataset:
    """Utterances (one for each augmented copy), their frames and labels, and the inventories learned from them.

    `inventory` is None if no clip has phones.
    """

    utterances: Sequence[Utterance]
    frames: FrameStore
    texts: Sequence[tuple[int, ...]]
    phones: Sequence[tuple[int, ...]]
    alphabet: Alphabet
    inventory: Alphabet | None
    features: BackboneConfig | Spectral = field(default_factory=FbankConfig)
    backbone: Backbone | None = None

    @cached_property
    def phone_ids(self) -> dict[str, int]:
        """The id of each phone; silence is the blank's."""
        return {SILENCE: 0} | {s: i for i, s in enumerate(self.inventory.symbols if self.inventory else (), 1)}

    def digest(self) -> str:
        """The digest of all training data: the frames, texts, speakers, languages, and the symbols."""
        said = [[u.id, u.text, u.language, u.speaker, dict(u.extra)] for u in self.utterances]
        inventories = [each.symbols if each else None for each in (self.alphabet, self.inventory)]
        return digest([said, self.texts, self.phones, inventories, self.frames.digest()])

    def only(self, indexes: Sequence[int]) -> "Dataset":
        """The same inventories, fewer clips."""
        texts, phones = [self.texts[i] for i in indexes], [self.phones[i] for i in indexes]
        utterances = [self.utterances[i] for i in indexes]
        frames = self.frames.only(indexes)
        return replace(self, utterances=utterances, frames=frames, texts=texts, phones=phones)

    def batch(self, indexes: Sequence[int], config: ModelConfig) -> tuple[Batch, PhoneLabels]:
        """A batch of clips, with the phones of the output frames of a model of `config`."""
        frames = [self.frames[i] for i in indexes]
        labels = pad([torch.tensor(self.texts[i], dtype=torch.long) for i in indexes])
        phones = pad([torch.tensor(self.phones[i], dtype=torch.long) for i in indexes])
        counts = [config.output_count(len(rows)) for rows in frames]
        pairs = zip(indexes, counts, strict=True)
        phone_frames_BF, _ = pad([self.phone_frames(i, n, config.output_hop_s) for i, n in pairs], UNKNOWN)
        return Batch(*pad(frames), *labels), PhoneLabels(*phones, phone_frames_BF)

    def phone_frames(self, index: int, count: int, hop_s: float) -> Tensor:
        """The phone of each of `count` output frames: 0 for silence, −1 if the clip has no times."""
        timed = self.utterances[index].extra.get("phones")
        if not timed:
            return torch.full((count,), UNKNOWN)
        speed = self.frames.speeds[index]
        starts = [start_s / speed for _, start_s in timed]
        ids = [self.phone_ids.get(symbol, UNKNOWN) for symbol, _ in timed]
        places = (bisect.bisect_right(starts, (frame + 0.5) * hop_s) - 1 for frame in range(count))
        return torch.tensor([ids[place] if place >= 0 else 0 for place in places], dtype=torch.long)


class ClipSources(Protocol):
    """The settings of a recipe for all kinds of clips."""

    @property
    def corpora(self) -> tuple[Corpus, ...]: ...
    @property
    def cache(self) -> Path: ...
    @property
    def seed(self) -> int: ...
    @property
    def augmentation(self) -> Augmentation: ...


class Sources(ClipSources, Protocol):
    """The settings of a recipe for clips with transcripts or phones."""

    @property
    def rules(self) -> TextRules: ...
    @property
    def rarest_symbol(self) -> int: ...


def open_dataset(recipe: Recipe, tell: Progress | None = None, device: torch.device = CPU) -> Dataset:
    """Read the recipe's manifests and compute (or find) their frames under `recipe.cache`. Raises as `dataset_of`.

    A pre-trained encoder computes them on the device.
    """
    if recipe.pretrained is None:
        return dataset_of(recipe, recipe.features, tell)
    return dataset_of(recipe, below(recipe.pretrained, recipe.corpora, recipe.seed).to(device), tell)


def dataset_of(recipe: Sources, front: Backbone | Spectral, tell: Progress | None = None) -> Dataset:
    """Read the manifests and compute (or find) the frames that `front` makes, under `recipe.cache`.

    A pre-trained encoder with a bed hears each clip amid that many seconds of other clips of its corpus and language.

    Raises:
        ManifestError, AudioError: a manifest or a recording that cannot be read.
        ConfigError: the frames cannot be stored, or no letter is frequent enough.
    """
    conditions = [_conditions(corpus, recipe, place) for place, corpus in enumerate(recipe.corpora)]
    parts = [list(_copies(corpus, list(names))) for corpus, names in zip(recipe.corpora, conditions, strict=True)]
    utterances = [utterance for part in parts for utterance in part]
    texts = [normalize(u.text or "", replace(recipe.rules, language=u.language or "")) for u in utterances]
    sequences = [phones_of(u) for u in utterances]
    letters, phones = (tuple(sorted(_frequent(labels, recipe.rarest_symbol))) for labels in (texts, sequences))
    if not letters:
        raise ConfigError(f"no letter occurs {recipe.rarest_symbol} times in the corpora; lower `rarest_symbol`")
    pairs = zip(parts, conditions, strict=True)
    made = partial(stored, recipe.cache, features=front, augmentation=recipe.augmentation, seed=recipe.seed, tell=tell)
    frames = FrameStore([made(utterances=part, conditions=sounds) for part, sounds in pairs])
    labels = _encoded(texts, letters), _encoded(sequences, phones)
    inventory = Alphabet(phones) if phones else None
    backbone = front if isinstance(front, Backbone) else None
    features = front if isinstance(front, Spectral) else front.config
    return Dataset(utterances, frames, *labels, Alphabet(letters), inventory, features, backbone)


def below(pretrained: Pretrained, corpora: Sequence[Corpus], seed: int, *, labelled: bool = True) -> Backbone:
    """The pre-trained encoder of a recipe; with `bed_s` its bed has clips of all the `corpora`.

    Raises:
        CheckpointError: it cannot be read. ManifestError, AudioError: the clips cannot.
    """
    backbone = load_backbone(pretrained.folder, frozen=pretrained.frozen, pool=pretrained.pool)
    if not pretrained.bed_s:
        return backbone
    clips = [u for corpus in corpora for u in chosen(corpus, labelled=labelled) * corpus.copies]
    generator = torch.Generator().manual_seed(seed)
    return amid(backbone, bed_of(clips, generator, seconds=pretrained.bed_s))


def phones_of(utterance: Utterance) -> list[str]:
    """The phone sequence of an utterance without silences; empty if unknown.

    Raises:
        ManifestError: `phones` is not a list of [IPA, start in seconds].
    """
    timed = utterance.extra.get("phones") or []
    try:
        return [symbol for symbol, _ in timed if symbol != SILENCE] or list(utterance.extra.get("ipa") or [])
    except (TypeError, ValueError):
        raise ManifestError(f"{utterance.id}: `phones` must be a list of [IPA, start in seconds]; correct it") from None


def _conditions(corpus: Corpus, recipe: Sources, place: int) -> dict[str, Augmentation]:
    """The distinct conditions of a corpus by their names; a larger number begins with the same ones.

    Raises ConfigError if the augmentation does not have so many.
    """
    generator = torch.Generator().manual_seed(recipe.seed * 7919 + place)
    found: dict[str, Augmentation] = {}
    for _ in range(_DRAWS * corpus.conditions):
        condition = draw_condition(recipe.augmentation, generator)
        found.setdefault(describe(condition), condition)
        if len(found) == corpus.conditions:
            return found
    if corpus.conditions:
        raise ConfigError(
            f"{corpus.manifest}: {corpus.conditions} different conditions were asked for, the augmentation gave "
            f"{len(found)}; widen its ranges and probabilities, or ask for fewer"
        )
    return found


def chosen(corpus: Corpus, *, labelled: bool = True) -> list[Utterance]:
    """The clips of a corpus that its table selects; with `labelled` only those that have text or phones.

    Raises ManifestError if the manifest cannot be read, or no clip is left.
    """
    kept = [u for u in read_manifest(corpus.manifest) if _belongs(u, corpus, labelled)][:: corpus.every]
    if not kept:
        told = " with text or phones" if labelled else ""
        raise ManifestError(
            f"{corpus.manifest}: no clip{told}, of at most {corpus.longest_s} s, in the recipe's languages; check the "
            "manifest, `longest_s` and `languages`"
        )
    return kept


def _copies(corpus: Corpus, conditions: Sequence[str]) -> Iterator[Utterance]:
    """The copies of each clip, identified by their condition or by a number."""
    kept = chosen(corpus)
    for copy in range(corpus.copies):
        for place, u in enumerate(kept):
            which = {"condition": conditions[(place + copy) % len(conditions)]} if conditions else {"copy": copy}
            yield replace(u, extra={**u.extra, **which})


def _belongs(utterance: Utterance, corpus: Corpus, labelled: bool) -> bool:
    language = utterance.language or ""
    wanted = language in corpus.languages if corpus.languages else language not in corpus.not_languages
    told = not labelled or utterance.text or any(utterance.extra.get(key) for key in ("phones", "ipa"))
    return wanted and bool(told) and (utterance.duration_s or 0) <= corpus.longest_s


def _frequent(sequences: Sequence[Sequence[str]], least: int) -> set[str]:
    counts = Counter(symbol for sequence in sequences for symbol in sequence)
    return {symbol for symbol, count in counts.items() if count >= least}


def _encoded(sequences: Sequence[Sequence[str]], symbols: Sequence[str]) -> list[tuple[int, ...]]:
    """Label ids; symbols too rare for the alphabet are left out."""
    ids = {symbol: i for i, symbol in enumerate(symbols, 1)}
    return [tuple(ids[symbol] for symbol in sequence if symbol in ids) for sequence in sequences]


def stored(
    cache: Path,
    utterances: Sequence[Utterance],
    features: Backbone | Spectral,
    augmentation: Augmentation,
    seed: int,
    tell: Progress | None = None,
    conditions: Mapping[str, Augmentation] | None = None,
) -> Path:
    """The folder with the frames of some clips, computed if needed; its name is a hash of their sources.

    Each clip is heard under its own condition of `conditions`, or changed by `augmentation` if there are none. If a
    pre-trained encoder has a bed, the clip is heard amid a bed of other clips of its language.
    """
    bed_s = features.bed_s if isinstance(features, Backbone) else 0.0
    what = [_identity(features), to_mapping(augmentation), seed, *(conditions or {}), *([bed_s] if bed_s else [])]
    files = {u.audio: changed(u.audio) for u in utterances}
    clips = [[str(u.audio), files[u.audio], u.start_s, u.duration_s] for u in utterances]
    folder = cache / hashlib.sha256(json.dumps([what, clips]).encode()).hexdigest()[:16]
    if not is_built(folder):
        front: Front | list[Front] = partial(frames_by, features)
        if bed_s and isinstance(features, Backbone):
            front = [partial(frames_by, each) for each in _in_company(features, utterances, augmentation, seed, bed_s)]
        sounds = [conditions[u.extra["condition"]] for u in utterances] if conditions else augmentation
        clips_of = compute_clips(utterances, front, augmentation=sounds, seed=seed)
        done = itertools.count(1)
        build_store(folder, clips_of, (lambda: tell(next(done), len(utterances))) if tell else None)
    return folder


def changed(path: Path) -> list[int]:
    """A mark that changes with a file, without reading it: its modification time and its size."""
    try:
        found = path.stat()
    except OSError:  # whoever reads it says so
        return []
    return [found.st_mtime_ns, found.st_size]


def _in_company(
    backbone: Backbone, utterances: Sequence[Utterance], augmentation: Augmentation, seed: int, bed_s: float
) -> list[Backbone]:
    """For each clip an encoder with a bed of other clips of its language; BEDS beds take turns."""
    generator = torch.Generator().manual_seed(seed)
    groups: dict[str, list[Utterance]] = {}
    for u in utterances:
        groups.setdefault(u.language or "", []).append(u)
    beds = {
        language: [
            amid(backbone, bed_of(clips, generator, seconds=bed_s, augmentation=augmentation)) for _ in range(BEDS)
        ]
        for language, clips in groups.items()
    }
    turns = {language: itertools.cycle(each) for language, each in beds.items()}
    return [next(turns[u.language or ""]) for u in utterances]


def _identity(features: Backbone | Spectral) -> list[Any]:
    """The values on which frames depend: a filterbank's options, or a backbone's dimensions and weights."""
    if isinstance(features, Spectral):
        return to_mapping(features)  # type: ignore[no-any-return]
    weights = (weight for name, weight in features.named_parameters() if not name.startswith(BED))
    sums = (float(weight.detach().cpu().double().sum()) for weight in weights)  # the same on every device
    return [{**to_mapping(features.config), **({"bed": 0} if features.bed_s else {})}, *sums]
