"""Recipes of meta-training: the corpora, their tasks, the learner, and the two loops."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from earful.audio.augment import Augmentation
from earful.data.episode import Apart, By, Shots
from earful.errors import ConfigError
from earful.metatrain.loop import Outer
from earful.metatrain.speech.learning import LearnerSettings, unused_of_inner
from earful.pretrain.recipe import Corpus, check_learnable, unused_among, unused_of_what_never_happens
from earful.text.normalize import TextRules

Output = Literal["letters", "phones", "heard", "prototypes"]


@dataclass(frozen=True)
class TaskRules:
    """The definition of tasks: each language, speaker or condition, or the combinations in `by`, in turn.

    Clips of a language, a speaker or a condition in `held_out` are not in training; their tasks are for validation.
    Those in `without` are not used at all. `apart`, `alpha` and `skip_small` are as in `EpisodeSampler`. With `hard`, a
    temperature in nats, tasks of a high query loss are drawn more often (`weights_by_loss`).
    """

    by: tuple[By, ...] = ("language",)
    shots: Shots = field(default_factory=lambda: Shots(clips=5, query=5))
    held_out: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    apart: tuple[Apart, ...] = ()
    alpha: float = 0.0
    hard: float | None = None
    skip_small: bool = False

    def __post_init__(self) -> None:
        if not self.by:
            raise ConfigError('by is empty; say what a task is, for example by = ["language"]')
        if both := set(self.held_out) & set(self.without):
            raise ConfigError(f"{sorted(both)[0]!r} is in both `held_out` and `without`; leave it out of one")
        if self.hard is not None and not self.hard > 0:
            raise ConfigError(f"hard is {self.hard}, must be a temperature above 0")


@dataclass(frozen=True)
class MetaRecipe:
    """`earful metatrain RECIPE.toml`, as a value. Paths are relative to where the command is run.

    `start` is a model folder, or a shipped base. `output` says where the output layer of a task comes from: its
    letters' rows of one shared layer ("letters"); phones in place of letters, with theirs ("phones"); the sounds that
    the letters align with ("heard"), as in adaptation; or the mean of what aligns with them ("prototypes").
    `validation` episodes are drawn of the tasks that are held out.
    """

    out: Path
    start: str
    corpora: tuple[Corpus, ...]
    learning: LearnerSettings
    outer: Outer
    tasks: TaskRules = field(default_factory=TaskRules)
    output: Output = "letters"
    validation: int = 12
    work: Path = Path("work/metatraining")
    cache: Path = Path("work/frames")
    seed: int = 0
    rules: TextRules = field(default_factory=TextRules)
    augmentation: Augmentation = field(default_factory=Augmentation)
    rarest_symbol: int = 20
    about: str = ""

    def __post_init__(self) -> None:
        check_learnable(self.corpora, self.seed)
        if self.validation < 1:
            raise ConfigError(f"validation is {self.validation}, must be at least 1: episodes that measure")
        if self.outer.chunk != 1:
            raise ConfigError(
                "recognisers are meta-trained task by task, for clips differ in length: leave out `chunk`"
            )

    def unused(self, given: Mapping[str, Any]) -> str | None:
        """A given key of a recipe that has no effect, and why; None if all have one."""
        inner = unused_of_inner(self.learning.learner, given["learning"]["inner"])
        found = [inner, unused_of_what_never_happens(given, self)]
        if not self.tasks.held_out:
            why = "no task is held out, see `held_out` in [tasks]"
            found.append(unused_among(given, ("validation",), why))
            found.append(unused_among(given["outer"], ("validate_every",), why, "outer: "))
        if self.tasks.hard is not None:
            found.append(unused_among(given["tasks"], ("alpha",), "`hard` says how often tasks come", "tasks: "))
        return next((said for said in found if said), None)
