"""Self-supervised pre-training: from speech without transcripts to a better start, by one objective or several."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from earful.audio.augment import Augmentation
from earful.checkpoint import Checkpoint, load_checkpoint
from earful.encoder.backbone import Backbone
from earful.encoder.encoder import EncoderConfig
from earful.encoder.pretrained import load_backbone
from earful.errors import ConfigError
from earful.features.fbank import FbankConfig
from earful.model import AcousticModel, ModelConfig, fast_arithmetic
from earful.pretrain.best_rq import BestRq, BestRqSettings
from earful.pretrain.cpc import Cpc, CpcSettings
from earful.pretrain.dataset import Progress
from earful.pretrain.denoise import Denoise, DenoiseSettings
from earful.pretrain.hubert import Hubert, HubertSettings
from earful.pretrain.objective import Need, Objective
from earful.pretrain.order import Order
from earful.pretrain.prototypical import Prototypical, PrototypicalSettings
from earful.pretrain.recipe import Corpus, Pretrained
from earful.pretrain.siamese import Siamese, SiameseSettings
from earful.pretrain.simclr import SimCLR, SimCLRSettings
from earful.pretrain.triplet import Triplet, TripletSettings
from earful.pretrain.unlabelled import Units, Unlabelled, open_unlabelled
from earful.pretrain.wav2vec2 import Wav2Vec2, Wav2Vec2Settings
from earful.text.alphabet import Alphabet
from earful.text.normalize import TextRules
from earful.train import Optimisation, Step, append_log, fit

NO_LETTERS = Alphabet((" ",))
"""What a model writes that has met no text: nothing but a space."""


@dataclass(frozen=True)
class Objectives:
    """The objectives that are wanted, each with its settings; a sum of them where there are several."""

    wav2vec2: Wav2Vec2Settings | None = None
    cpc: CpcSettings | None = None
    simclr: SimCLRSettings | None = None
    siamese: SiameseSettings | None = None
    triplet: TripletSettings | None = None
    prototypical: PrototypicalSettings | None = None
    hubert: HubertSettings | None = None
    best_rq: BestRqSettings | None = None
    denoise: DenoiseSettings | None = None

    def __post_init__(self) -> None:
        if not self.names:
            raise ConfigError(
                f"no objective is asked for; add a table [objectives.NAME], NAME of {', '.join(vars(self))}"
            )

    @property
    def names(self) -> tuple[str, ...]:
        """The names of those that are wanted."""
        return tuple(name for name, settings in vars(self).items() if settings is not None)


@dataclass(frozen=True)
class SelfRecipe:
    """`earful pretrain RECIPE.toml`, as a value. Paths are relative to where the command is run.

    `start` is a model folder or a shipped base that is trained further; without it the encoder is new. `weights` of
    the objectives are 1 where nothing is said.
    """

    out: Path
    corpora: tuple[Corpus, ...]
    optimisation: Optimisation
    objectives: Objectives
    weights: dict[str, float] = field(default_factory=dict)
    units: Units = field(default_factory=Units)
    start: str | None = None
    work: Path = Path("work/pretraining")
    cache: Path = Path("work/frames")
    seed: int = 0
    batch_s: float = 120.0
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    features: FbankConfig = field(default_factory=FbankConfig)
    pretrained: Pretrained | None = None
    upsampling: int = 2
    rules: TextRules = field(default_factory=TextRules)
    augmentation: Augmentation = field(default_factory=Augmentation)
    about: str = ""

    def __post_init__(self) -> None:
        if not self.corpora:
            raise ConfigError("corpora is empty; add at least one [[corpora]] table with a manifest")
        if odd := [name for name in self.weights if name not in self.objectives.names]:
            raise ConfigError(f"a weight for {odd[0]!r}, which is no objective of this recipe; remove it")
        if self.batch_s <= 0:
            raise ConfigError(f"batch_s is {self.batch_s}, must be > 0: the seconds of speech in a batch")


class Told(NamedTuple):
    """A step, and what the objectives say of themselves."""

    step: Step
    facts: dict[str, float]


def model_for(recipe: SelfRecipe) -> AcousticModel:
    """The model to train: the one that the recipe starts from, or a new one, its weights drawn from the seed.

    Raises:
        CheckpointError: the start, or the pre-trained encoder, cannot be read.
        ConfigError: layers of a pre-trained encoder are not frozen, which this training would pass by.
    """
    if recipe.start is not None:
        model = load_checkpoint(recipe.start).build()
    else:
        below = recipe.pretrained
        backbone = load_backbone(below.folder, frozen=below.frozen, pool=below.pool) if below else None
        features = backbone.config if backbone else recipe.features
        config = ModelConfig(NO_LETTERS, None, features, recipe.encoder, recipe.upsampling, recipe.rules)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            model = AcousticModel(config)
        if model.backbone is not None and backbone is not None:
            model.backbone.load_state_dict(backbone.state_dict(), strict=False)
    if isinstance(model.backbone, Backbone) and model.backbone.config.frozen not in (
        None,
        model.backbone.config.layers,
    ):
        raise ConfigError("self-supervised training is of the encoder above; freeze all layers of the pre-trained one")
    return model


def objectives_of(recipe: SelfRecipe, model: AcousticModel) -> dict[str, Objective]:
    """The objectives for this model, their own weights drawn from the seed."""
    width, bins, subsampling = model.encoder.width, model.config.encoder.bins, model.encoder.subsampling
    makers: dict[str, Callable[[Any], Objective]] = {
        "wav2vec2": lambda settings: Wav2Vec2(settings, width),
        "cpc": lambda settings: Cpc(settings, width),
        "simclr": lambda settings: SimCLR(settings, width),
        "siamese": lambda settings: Siamese(settings, width),
        "triplet": lambda settings: Triplet(settings, width),
        "prototypical": lambda settings: Prototypical(settings, width),
        "hubert": lambda settings: Hubert(settings, width),
        "best_rq": lambda settings: BestRq(settings, bins, width, subsampling),
        "denoise": lambda settings: Denoise(settings, bins, width, subsampling),
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed + 1)
        return {name: makers[name](getattr(recipe.objectives, name)) for name in recipe.objectives.names}


def speech_for(
    recipe: SelfRecipe, model: AcousticModel, objectives: dict[str, Objective], tell: Progress | None = None
) -> Unlabelled:
    """The recipe's clips, with all that the objectives need of them. Raises as `open_unlabelled`."""
    needs: frozenset[Need] = frozenset().union(*(objective.needs for objective in objectives.values()))
    clusters = recipe.objectives.hubert.units if recipe.objectives.hubert else 0
    return open_unlabelled(recipe, model, needs, clusters=clusters, tell=tell)


def pretrain(
    recipe: SelfRecipe,
    model: AcousticModel,
    objectives: dict[str, Objective],
    speech: Unlabelled,
    report: Callable[[Told], None] | None = None,
) -> Checkpoint:
    """Train the encoder of `model` in place; resumes from `recipe.work`, and logs each step there.

    A step whose gradient is not finite is skipped and counted. Raises CheckpointError as `fit`.
    """
    whole = nn.ModuleDict({"encoder": model.encoder, **{f"by_{name}": each for name, each in objectives.items()}})
    order = Order(speech.frames.counts, round(recipe.batch_s / model.config.features.hop_s), recipe.seed)
    steps, facts, weights = recipe.optimisation.steps, dict[str, float](), dict[str, float]()

    def losses_of(step: int, generator: torch.Generator) -> dict[str, Tensor]:
        heard, losses = speech.heard(order.at(step)), dict[str, Tensor]()
        facts.clear()
        for name, objective in objectives.items():
            objective.after_step(step, steps)
            with fast_arithmetic():
                found = objective(model.encoder, heard, generator)
            losses |= {f"{name} {loss}": value for loss, value in found.losses.items()}
            weights.update({f"{name} {loss}": recipe.weights.get(name, 1.0) for loss in found.losses})
            facts.update({f"{name} {fact}": value for fact, value in found.facts.items()})
        return losses

    def tell(step: Step) -> None:
        append_log(recipe.work / "log.jsonl", step._asdict() | {"facts": facts})
        if report:
            report(Told(step, dict(facts)))

    skipped = fit(
        whole,
        losses_of,
        recipe.optimisation,
        seed=recipe.seed,
        state=recipe.work / "state.safetensors",
        weights_of=lambda step: weights,
        report=tell,
    )
    before = load_checkpoint(recipe.start).about if recipe.start else {}
    about = {**before, "pretrained": {"recipe": recipe.about, "objectives": list(objectives), "skipped_steps": skipped}}
    return Checkpoint(model.config, dict(model.state_dict()), about)
