"""The learner that a recipe names: which of its settings belong to it, and how it is made for a loss of speech."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from earful.adapt.finetune import SELECTIONS, Selection
from earful.adapt.inner import Inner, Moves, everything
from earful.errors import ConfigError
from earful.metatrain import LEARNERS, Learner

FIXED: Mapping[str, Selection] = {"anil": "head", "boil": "body", "cavia": "biases"}
"""The parameters that some learners move by definition. CAVIA's context, a vector added in every layer, is the layer's
bias: steps from zero beside the bias, or in its place, are the same."""
SECOND_ORDER = ("maml", "anil", "boil", "meta-sgd", "cavia")
BELONGS: Mapping[str, tuple[str, ...]] = {
    "moves": tuple(name for name in LEARNERS if name not in FIXED),
    "first_order_until": (*SECOND_ORDER, "maml++"),
    "every_step_until": ("maml++",),
    "pull": ("imaml",),
    "iterations": ("imaml",),
}
"""The learners of each setting."""
LEARNS_NO_RATES = ("multitask", "scratch")
_PLAIN = Inner(rate=1.0)


@dataclass(frozen=True)
class LearnerSettings:
    """The learner by its name in `LEARNERS`, its inner loop, and the settings of some learners.

    `moves` names the parameters that the inner loop moves (default "all"); for ANIL, BOIL and CAVIA it is fixed. Up to
    `first_order_until` of the outer steps, inner gradients are constants for learners of second order.
    `every_step_until` is MAML++'s, `pull` and `iterations` are iMAML's. Omitted settings have the learner's defaults.

    Raises ConfigError for a setting that the learner does not have, or refuses.
    """

    learner: str
    inner: Inner
    moves: Selection | None = None
    first_order_until: float | None = None
    every_step_until: float | None = None
    pull: float | None = None
    iterations: int | None = None

    def __post_init__(self) -> None:
        if self.learner not in LEARNERS:
            raise ConfigError(f"learner is {self.learner!r}, must be one of {', '.join(LEARNERS)}")
        for key, learners in BELONGS.items():
            if getattr(self, key) is not None and self.learner not in learners:
                why = (
                    f"it always moves {FIXED[self.learner]!r}" if key == "moves" else f"it is of {', '.join(learners)}"
                )
                raise ConfigError(f"{self.learner} does not use {key}: {why}; leave it out")
        if self.learner in LEARNS_NO_RATES and (self.inner.learned or self.inner.learn_momentum):
            raise ConfigError(
                f"{self.learner} takes no inner steps to learn from: leave out learned, per_step and learn_momentum"
            )
        learner_of(self, lambda params, batch: next(iter(params.values())))  # what it refuses, it refuses here


def learner_of(
    learning: LearnerSettings, loss: Callable[..., Tensor], progress: float = 1.0, *, can_move: Moves = everything
) -> Learner:
    """The learner that the recipe names, at `progress` (0 to 1) of meta-training. Raises ConfigError as it does."""
    name, selected = learning.learner, SELECTIONS[selection(learning)]

    def moving(parameter: str) -> bool:
        return can_move(parameter) and selected(parameter)

    settings: dict[str, Any] = {k: value for k, value in vars(learning.inner).items() if value != getattr(_PLAIN, k)}
    settings |= {"rate": learning.inner.rate, "steps": learning.inner.steps}
    if name == "boil":
        settings["head"] = lambda parameter: not moving(parameter)
    else:
        settings["head" if name == "anil" else "moves"] = moving
    if name in SECOND_ORDER and progress < (learning.first_order_until or 0.0):
        settings["order"] = 1
    asked = ("first_order_until", "every_step_until") if name == "maml++" else ("pull", "iterations")
    settings |= {key: getattr(learning, key) for key in asked if getattr(learning, key) is not None}
    settings |= {"progress": progress} if name == "maml++" else {}
    make: Any = LEARNERS["maml" if name == "cavia" else name]
    return make(loss, **settings)  # type: ignore[no-any-return]


def selection(learning: LearnerSettings) -> Selection:
    """The parameters that the inner loop moves."""
    return FIXED.get(learning.learner) or learning.moves or "all"


def unused_of_inner(name: str, given: Mapping[str, Any]) -> str | None:
    """The key of a table `inner` that asks a learner for rates that it does not learn, and the remedy."""
    if name in ("meta-sgd", "maml++") and given.get("learned") == "":
        return f'inner: {name} learns rates; leave out learned, or take the learner "maml"'
    if name == "maml++" and given.get("per_step") is False:
        return 'inner: maml++ learns rates for every step; leave out per_step, or take the learner "maml"'
    return None
