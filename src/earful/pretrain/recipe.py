"""Recipes: the corpora, the model, the losses and the optimisation of one base model."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from earful.audio.augment import Augmentation
from earful.config import check_seed
from earful.encoder.encoder import EncoderConfig
from earful.errors import ConfigError
from earful.features.fbank import FbankConfig
from earful.features.mask import SpecAugment
from earful.features.mfcc import Spectral
from earful.text.normalize import TextRules
from earful.train import Optimisation

OF_KINDS = {"heads": ("conformer", "transformer"), "expansion": ("conformer", "transformer"), "kernel": ("conformer",)}
"""Keys of the encoder that only some kinds have."""
HOW = {
    "augmentation": {
        "speed_probability": ("speed",),
        "room_probability": ("rt60_s", "direct_db"),
        "noise_probability": ("snr_db", "noise_exponent"),
        "gain_probability": ("gain_db",),
        "vocal_tract_probability": ("vocal_tract",),
        "unsteady_probability": ("unsteady_snr_db",),
        "microphone_probability": ("microphone_db",),
        "saturation_probability": ("saturation_db",),
        "codec_probability": ("codecs", "codec_kbps"),
    },
    "masks": {"frequency_masks": ("frequency_bins",), "time_masks": ("time_frames", "time_ratio")},
}
"""Keys that configure a change, by the key of its probability: without effect if that is 0."""


@dataclass(frozen=True)
class Corpus:
    """One manifest; each clip is used `copies` times, each copy with its own augmentation.

    With `conditions = n`, n conditions (a noise at an SNR, a room, a line) are drawn from the recipe's augmentation,
    and each copy is heard under one of them, in turn, for tasks by condition.
    Only clips in one of `languages`, or in none of `not_languages`, and no longer than `longest_s`; of these, with
    `every = n`, one in n.
    """

    manifest: Path
    copies: int = 1
    conditions: int = 0
    every: int = 1
    languages: tuple[str, ...] = ()
    not_languages: tuple[str, ...] = ()
    longest_s: float = 16.0

    def __post_init__(self) -> None:
        if self.copies < 1 or self.every < 1:
            raise ConfigError(f"copies and every must be at least 1, got {self.copies} and {self.every}")
        if self.conditions < 0 or 0 < self.conditions < self.copies:
            raise ConfigError(f"conditions is {self.conditions}, must be 0, or at least the copies, {self.copies}")
        if self.longest_s <= 0:
            raise ConfigError(f"longest_s is {self.longest_s}, must be > 0: how long a clip may be")
        if self.languages and self.not_languages:
            raise ConfigError("both `languages` and `not_languages` are given; leave one of them out")


@dataclass(frozen=True)
class Pretrained:
    """A pre-trained encoder below the one that is trained: a folder in Hugging Face's layout.

    Its first `frozen` layers (all, if left out) are frozen; frames of the last layer are averaged over `pool`. It hears
    each clip amid `bed_s` seconds of other clips of its corpus and language, as a user's clips will be heard (0:
    alone).
    """

    folder: Path
    frozen: int | None = None
    pool: int = 2
    bed_s: float = 0.0

    def __post_init__(self) -> None:
        if self.bed_s < 0:
            raise ConfigError(f"bed_s is {self.bed_s}, must be 0 (clips are heard alone) or more")


@dataclass(frozen=True)
class LossWeights:
    """Weights of the three losses: CTC on characters, CTC on IPA phones, the phone of each single frame.

    The two CTC weights rise with the square of time over the first share `rise` of the steps. From random weights the
    gradients of CTC only lead to "all blank", and are ten times as large as those of the frame labels, which teach at
    once.
    """

    text: float = 1.0
    phones: float = 1.0
    phone_frames: float = 1.0
    rise: float = 0.1

    def at(self, step: int, steps: int) -> dict[str, float]:
        """The weights of step `step` of `steps`, by the name of the loss."""
        risen = min(1.0, (step + 1) / max(1.0, self.rise * steps)) ** 2
        return {"text": risen * self.text, "phones": risen * self.phones, "phone_frames": self.phone_frames}


def check_learnable(corpora: Sequence[Corpus], seed: int) -> None:
    """Check what every recipe needs. Raises ConfigError if there are no corpora, or for an invalid seed."""
    check_seed(seed)
    if not corpora:
        raise ConfigError("corpora is empty; add at least one [[corpora]] table with a manifest")


@dataclass(frozen=True)
class Recipe:
    """`earful train RECIPE.toml`, as a value. Paths are relative to where the command is run.

    `start` is a model with the same encoder to train further; without it, training begins with random weights.
    """

    out: Path
    corpora: tuple[Corpus, ...]
    optimisation: Optimisation
    work: Path = Path("work")
    cache: Path = Path("work/frames")
    seed: int = 0
    batch_s: float = 120.0
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    features: Spectral = field(default_factory=FbankConfig)
    pretrained: Pretrained | None = None
    start: Path | None = None
    upsampling: int = 2
    rules: TextRules = field(default_factory=TextRules)
    augmentation: Augmentation = field(default_factory=Augmentation)
    masks: SpecAugment = field(default_factory=SpecAugment)
    weights: LossWeights = field(default_factory=LossWeights)
    rarest_symbol: int = 20
    about: str = ""

    def __post_init__(self) -> None:
        check_learnable(self.corpora, self.seed)
        if self.batch_s <= 0:
            raise ConfigError(f"batch_s is {self.batch_s}, must be > 0: the seconds of speech in a batch")

    def unused(self, given: Mapping[str, Any]) -> str | None:
        """A given key of a recipe that has no effect, and why; None if all have one."""
        made = unused_among(given, ("features",) if self.pretrained else (), "[pretrained] makes the frames")
        return made or unused_of_encoder(given, self.encoder.kind) or unused_of_what_never_happens(given, self)


def unused_among(given: Mapping[str, Any], keys: Iterable[str], why: str, place: str = "") -> str | None:
    """The sentence on the first of the keys that is given but, for this reason, has no effect."""
    found = next((key for key in keys if key in given), None)
    return found and f"{place}{found} is given, and not used: {why}; leave it out"


def unused_of_encoder(given: Mapping[str, Any], kind: str) -> str | None:
    """The sentence on a key in the table [encoder] that only other kinds of encoders have."""
    for key, kinds in OF_KINDS.items():
        if kind not in kinds:
            why = f"the {kind} has none, it is of the {' and the '.join(kinds)}"
            if said := unused_among(given.get("encoder", {}), (key,), why, "encoder: "):
                return said
    return None


def unused_of_what_never_happens(given: Mapping[str, Any], recipe: object) -> str | None:
    """The sentence on a key of a change that, by the recipe or by default, never happens."""
    for table, keys in HOW.items():
        for whether, how in keys.items():
            if table in given and not getattr(getattr(recipe, table), whether):
                why = f"{whether} is 0, so that it never happens (give that, too)"
                if said := unused_among(given[table], how, why, f"{table}: "):
                    return said
    return None
