"""Self-supervised pre-training on speech without transcripts, by one objective or several."""

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from earful.audio.augment import Augmentation
from earful.checkpoint import Checkpoint, load_checkpoint
from earful.device import CPU, home_of, moved
from earful.encoder.backbone import Backbone
from earful.encoder.encoder import EncoderConfig
from earful.errors import ConfigError
from earful.features.fbank import FbankConfig
from earful.features.mfcc import Spectral
from earful.identity import parts_of
from earful.model import AcousticModel, ModelConfig, fast_arithmetic
from earful.pretrain.best_rq import BestRq, BestRqSettings
from earful.pretrain.cpc import Cpc, CpcSettings
from earful.pretrain.dataset import Progress, below
from earful.pretrain.denoise import Denoise, DenoiseSettings
from earful.pretrain.hubert import Hubert, HubertSettings
from earful.pretrain.objective import Need, Objective, Views
from earful.pretrain.order import Order
from earful.pretrain.probe import BATCH, PhoneProbe, open_probe, spread
from earful.pretrain.prototypical import Prototypical, PrototypicalSettings
from earful.pretrain.recipe import (
    Corpus,
    Pretrained,
    check_learnable,
    unused_among,
    unused_of_encoder,
    unused_of_what_never_happens,
)
from earful.pretrain.siamese import Siamese, SiameseSettings
from earful.pretrain.simclr import SimCLR, SimCLRSettings
from earful.pretrain.triplet import Triplet, TripletSettings
from earful.pretrain.unlabelled import Units, Unlabelled, open_unlabelled
from earful.pretrain.wav2vec2 import Wav2Vec2, Wav2Vec2Settings
from earful.processes import share, world
from earful.text.alphabet import Alphabet
from earful.text.normalize import TextRules
from earful.train import Optimisation, Run, Step, append_log, fit, rate_at

UNSAID = (
    *("out", "work", "cache", "about", "corpora", "start", "pretrained", "optimisation", "seed"),
    *("probe", "probe_every", "units"),
)
"""Keys of a recipe that do not identify a run: no result depends on them, or clips, start and `fit` cover them."""

WINDOW = 20
"""The number of steps that are examined together for signs of trouble."""
COLLAPSED, FEW_CODES = 0.1, 1.5
"""Below this spread of hidden frames, or this number of used codes per book, a representation is useless."""
OF_THE_MODEL = ("encoder", "features", "pretrained", "upsampling", "rules")
"""Keys that define the model."""
NO_LETTERS = Alphabet((" ",))
"""The alphabet of a model without text: a space."""


@dataclass(frozen=True)
class Objectives:
    """The objectives, each with its settings; several are summed."""

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
        """The names of the chosen objectives."""
        return tuple(name for name, settings in vars(self).items() if settings is not None)


@dataclass(frozen=True)
class SelfRecipe:
    """`earful pretrain RECIPE.toml`, as a value. Paths are relative to where the command is run.

    `start` is a model folder or a shipped base that is trained further; without it the encoder is new. The default of
    the objectives' `weights` is 1. `probe` is a manifest of clips with phone times (as `earful corpus speak` writes
    them). A linear probe is measured on it before the first step, every `probe_every` steps and after the last one; the
    spread of hidden frames is measured as often. Training is the same with and without it.
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
    features: Spectral = field(default_factory=FbankConfig)
    pretrained: Pretrained | None = None
    upsampling: int = 2
    rules: TextRules = field(default_factory=TextRules)
    augmentation: Augmentation = field(default_factory=Augmentation)
    probe: Path | None = None
    probe_every: int = 100
    about: str = ""

    def __post_init__(self) -> None:
        check_learnable(self.corpora, self.seed)
        if odd := [name for name in self.weights if name not in self.objectives.names]:
            raise ConfigError(f"a weight for {odd[0]!r}, which is no objective of this recipe; remove it")
        if self.batch_s <= 0:
            raise ConfigError(f"batch_s is {self.batch_s}, must be > 0: the seconds of speech in a batch")
        if self.probe_every < 1:
            raise ConfigError(f"probe_every is {self.probe_every}, must be at least 1: the steps between probes")

    def unused(self, given: Mapping[str, Any]) -> str | None:
        """Of the keys that a recipe gives, one that nothing uses, and why; None where all are used."""
        found = [
            self.start and unused_among(given, OF_THE_MODEL, "`start` brings its own"),
            self.pretrained and unused_among(given, ("features",), "[pretrained] makes the frames"),
            unused_of_encoder(given, self.encoder.kind),
            unused_of_what_never_happens(given, self),
            None if self.objectives.hubert else unused_among(given, ("units",), "they are of the objective hubert"),
        ]
        for place, corpus in enumerate(given["corpora"]):
            why = "here each clip enters once, augmented"
            found.append(unused_among(corpus, ("copies", "conditions"), why, f"corpora[{place}]: "))
        if self.objectives.denoise or self.objectives.hubert:
            speed = {key: value for key, value in given.get("augmentation", {}).items() if value}
            why = "denoise and hubert need clips as long as they are without augmentation"
            found.append(unused_among(speed, ("speed", "speed_probability"), why, "augmentation: "))
        if self.objectives.siamese:
            moments = self.objectives.siamese.positives == "moment"
            key, why = ("classes", "positives are moments") if moments else ("shift", "positives are of a class")
            found.append(unused_among(given["objectives"]["siamese"], (key,), why, "objectives.siamese: "))
        return next((said for said in found if said), None)


class StepReport(NamedTuple):
    """A step, with the facts of the objectives; step 0 is the measurement before the first one, if there is a probe.

    `rate` is the learning rate; `audio_s` the seconds of speech in the step (without padding), `seconds` the time of
    the step without probing. `probe` (the accuracy of the linear phone classifier) and `spread` (of hidden frames, see
    `probe.spread`) are None between measurements. `warnings` are sentences, each given once per run.
    """

    step: Step
    facts: dict[str, float]
    rate: float = 0.0
    audio_s: float = 0.0
    seconds: float = 0.0
    probe: float | None = None
    spread: float | None = None
    warnings: tuple[str, ...] = ()


def model_for(recipe: SelfRecipe) -> AcousticModel:
    """The model to train: the one that the recipe starts from, or a new one, its weights drawn from the seed.

    Raises:
        CheckpointError: the start, or the pre-trained encoder, cannot be read.
        ConfigError: layers of a pre-trained encoder are not frozen, which this training would not train.
    """
    if recipe.start is not None:
        model = load_checkpoint(recipe.start).build()
    else:
        backbone = None
        if recipe.pretrained is not None:
            backbone = below(recipe.pretrained, recipe.corpora, recipe.seed, labelled=False)
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
    """The recipe's clips, with all parts that the objectives need. Raises as `open_unlabelled`."""
    needs: frozenset[Need] = frozenset().union(*(objective.needs for objective in objectives.values()))
    clusters = recipe.objectives.hubert.units if recipe.objectives.hubert else 0
    return open_unlabelled(recipe, model, needs, clusters=clusters, tell=tell)


def probe_for(recipe: SelfRecipe, model: AcousticModel, tell: Progress | None = None) -> PhoneProbe | None:
    """The recipe's probe, if it asks for one. Raises as `open_probe`."""
    return open_probe(recipe.probe, model, recipe.cache, tell) if recipe.probe else None


def pretrain(
    recipe: SelfRecipe,
    model: AcousticModel,
    objectives: dict[str, Objective],
    speech: Unlabelled,
    report: Callable[[StepReport], None] | None = None,
    probe: PhoneProbe | None = None,
    discard: Callable[[str], None] | None = None,
) -> Checkpoint:
    """Train the encoder of `model` in place, where it is; resumes from `recipe.work`, and logs each step there.

    A step whose gradient is not finite is skipped and counted. The state of another run is refused; with `discard` it
    is thrown away, and `discard` is told so. Raises as `fit`.
    """
    device = home_of(model)
    whole = nn.ModuleDict({"encoder": model.encoder, **{f"by_{name}": each for name, each in objectives.items()}})
    whole.to(device)
    order = Order(speech.frames.counts, round(recipe.batch_s / model.config.features.hop_s), recipe.seed)
    steps, facts, weights = recipe.optimisation.steps, dict[str, float](), dict[str, float]()
    state, watch = recipe.work / "state.safetensors", _Watch(recipe, model, probe, report)

    def losses_of(step: int, generator: torch.Generator) -> dict[str, Tensor]:
        watch.began = time.monotonic()
        heard, losses = moved(speech.heard(share(order.at(step))), device), dict[str, Tensor]()
        watch.heard = heard
        facts.clear()
        for name, objective in objectives.items():
            objective.after_step(step, steps)
            with fast_arithmetic(device):
                found = objective(model.encoder, heard, generator)
            losses |= {f"{name} {loss}": value for loss, value in found.losses.items()}
            weights.update({f"{name} {loss}": recipe.weights.get(name, 1.0) for loss in found.losses})
            facts.update({f"{name} {fact}": value for fact, value in found.facts.items()})
        return losses

    if probe and not state.exists() and world()[1] == 0:
        watch.look(Step(0, {}, 0.0, 0.0), {})
    skipped = fit(
        whole,
        losses_of,
        recipe.optimisation,
        seed=recipe.seed,
        state=state,
        weights_of=lambda step: weights,
        report=lambda step: watch.look(step, facts),
        run=Run({**parts_of(recipe, UNSAID), "clips": speech.digest()}, discard),
    )
    before = load_checkpoint(recipe.start).about if recipe.start else {}
    about = {**before, "pretrained": {"recipe": recipe.about, "objectives": list(objectives), "skipped_steps": skipped}}
    return Checkpoint(model.config, moved(dict(model.state_dict()), CPU), about)


@dataclass
class _Watch:
    """The observer: logs and reports each step, measures now and then, and warns once of each problem.

    `heard` is the batch of the step, and `began` its start time. It changes nothing of the training, and draws nothing.
    """

    recipe: SelfRecipe
    model: AcousticModel
    probe: PhoneProbe | None
    report: Callable[[StepReport], None] | None
    heard: Views | None = None
    began: float = 0.0
    recent: deque[StepReport] = field(default_factory=lambda: deque(maxlen=WINDOW))
    warned: set[str] = field(default_factory=set)

    def look(self, step: Step, facts: Mapping[str, float]) -> None:
        """After a step, or before the first one (number 0)."""
        told = StepReport(step, dict(facts))
        if self.heard is not None:
            audio_s = float(self.heard.frame_counts_B.sum()) * self.model.config.features.hop_s
            rate = rate_at(step.number - 1, self.recipe.optimisation)
            told = told._replace(rate=rate, audio_s=audio_s, seconds=time.monotonic() - self.began)
        if step.number % self.recipe.probe_every == 0 or step.number == self.recipe.optimisation.steps:
            told = told._replace(probe=self.probe.accuracy(self.model) if self.probe else None, spread=self.spread())
        if self.heard is not None:
            self.recent.append(told)
            told = told._replace(warnings=self.warnings())
        row = step._asdict() | {key: value for key, value in told._asdict().items() if key not in ("step", "warnings")}
        append_log(self.recipe.work / "log.jsonl", row)
        if self.report:
            self.report(told)

    def spread(self) -> float | None:
        """The spread of the hidden frames of some clips of the batch."""
        if self.heard is None:
            return None
        return spread(self.model.encoder, self.heard.frames_BFM[:BATCH], self.heard.frame_counts_B[:BATCH])

    def warnings(self) -> tuple[str, ...]:
        """The new signs of trouble."""
        books = self.recipe.objectives.wav2vec2.books if self.recipe.objectives.wav2vec2 else 1
        last = self.recent[-1].step.number == self.recipe.optimisation.steps
        found = trouble(self.recent, {"wav2vec2": books}) if last or len(self.recent) == WINDOW else {}
        new = {key: sentence for key, sentence in found.items() if key not in self.warned}
        self.warned |= new.keys()
        return tuple(new.values())


def trouble(recent: Sequence[StepReport], books: Mapping[str, int]) -> dict[str, str]:
    """Problems of the last steps, as sentences, with a key for each kind; `books` has the numbers of code books.

    There are three signs: hidden frames that hardly differ, a code book of which hardly more than one entry is used,
    and an objective whose losses are always exactly 0.
    """
    found, spreads = dict[str, str](), [each.spread for each in recent if each.spread is not None]
    if spreads and spreads[-1] < COLLAPSED:
        found["spread"] = (
            f"the representation has collapsed: hidden frames of a clip differ by {spreads[-1]:.1%} of their length, "
            "which leaves nothing to tell apart; lower the rate, or train by another objective or by several"
        )
    for key in {key for each in recent for key in each.facts if key.endswith(" perplexity")}:
        name, values = key.split()[0], [each.facts[key] for each in recent if key in each.facts]
        codes = sum(values) / len(values) / books.get(name, 1)
        if codes < FEW_CODES:
            found[key] = (
                f"{name}: of the code book hardly more than one entry is used ({codes:.1f} on average), so there is "
                "nothing to tell apart; lower the rate, and check that the clips hold more than silence or one sound"
            )
    for name in {key.split()[0] for each in recent for key in each.step.losses}:
        if not any(value for each in recent for key, value in each.step.losses.items() if key.split()[0] == name):
            found[f"{name} 0"] = (
                f"{name}: its loss has been 0 for {len(recent)} steps: nothing is learned by it; it may want more or "
                "longer clips in a batch (`batch_s`), or know these already"
            )
    return found
