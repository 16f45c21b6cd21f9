"""What a recipe says: the corpora, the model, the losses and the optimisation of one base model."""

from dataclasses import dataclass, field
from pathlib import Path

from earful.audio.augment import Augmentation
from earful.encoder.encoder import EncoderConfig
from earful.errors import ConfigError
from earful.features.fbank import FbankConfig
from earful.features.mask import SpecAugment
from earful.text.normalize import TextRules
from earful.train import Optimisation


@dataclass(frozen=True)
class Corpus:
    """One manifest; each clip enters `copies` times, each copy with an augmentation of its own."""

    manifest: Path
    copies: int = 1
    languages: tuple[str, ...] = ()
    not_languages: tuple[str, ...] = ()
    longest_s: float = 16.0


@dataclass(frozen=True)
class LossWeights:
    """Weights of the three losses: CTC on characters, CTC on IPA phones, the phone of each single frame."""

    text: float = 1.0
    phones: float = 1.0
    phone_frames: float = 1.0


@dataclass(frozen=True)
class Recipe:
    """`earful train RECIPE.toml`, as a value. Paths are relative to where the command is run."""

    out: Path
    corpora: tuple[Corpus, ...]
    optimisation: Optimisation
    work: Path = Path("work")
    cache: Path = Path("work/frames")
    seed: int = 0
    batch_s: float = 120.0
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    features: FbankConfig = field(default_factory=FbankConfig)
    upsampling: int = 2
    rules: TextRules = field(default_factory=TextRules)
    augmentation: Augmentation = field(default_factory=Augmentation)
    masks: SpecAugment = field(default_factory=SpecAugment)
    weights: LossWeights = field(default_factory=LossWeights)
    rarest_symbol: int = 20
    about: str = ""

    def __post_init__(self) -> None:
        if not self.corpora:
            raise ConfigError("corpora is empty; add at least one [[corpora]] table with a manifest")
        if self.batch_s <= 0:
            raise ConfigError(f"batch_s is {self.batch_s}, must be > 0: the seconds of speech in a batch")
