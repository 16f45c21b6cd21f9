"""The inner loop as a value: steps, learning rate, and what of it is learned. It knows nothing of speech.

Meta-training learns its numbers together with the start, a checkpoint stores them, and adaptation uses them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from earful.adapt.descend import Params, Rate, Rule, adamw, sgd
from earful.errors import ConfigError

Moves = Callable[[str], bool]
"""Whether the parameter of a name is trained."""

RATE, MOMENTUM = "rate.", "momentum"


@dataclass(frozen=True)
class Inner:
    """The inner loop: `steps` at `rate`, and what of it is learned.

    `learned` rates: one for all ("scalar"), one per layer (a name up to its last dot) or one per parameter; with
    `per_step`, one set for every step (later steps use the last set). All start at `rate`, and may become negative.
    With `learn_momentum` the `momentum` is learned, starting at that value. `decay` pulls towards the start;
    `clip_norm` bounds the norm of each step's gradient. Adam (Kingma and Ba 2015) has no decay; "adamw" is Adam with
    decoupled decay.
    """

    rate: float
    steps: int = 1
    learned: Literal["", "scalar", "layer", "parameter"] = ""
    per_step: bool = False
    momentum: float | None = None
    learn_momentum: bool = False
    optimiser: Literal["sgd", "adam", "adamw"] = "sgd"
    decay: float = 0.0
    clip_norm: float | None = None

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ConfigError(f"inner steps are {self.steps}, must be at least 1")
        if not self.rate > 0:
            raise ConfigError(f"the inner rate is {self.rate}, must be > 0")
        if self.per_step and not self.learned:
            raise ConfigError('per_step needs learned rates: add learned = "scalar", "layer" or "parameter"')
        if self.optimiser != "sgd" and (self.momentum is not None or self.learn_momentum):
            raise ConfigError("Adam has its own momentum; leave out `momentum` and `learn_momentum`, or take sgd")
        if self.optimiser == "adam" and self.decay:
            raise ConfigError(f'Adam has no decay, got {self.decay}; use optimiser = "adamw", which has it')


def everything(name: str) -> bool:
    """Train all parameters."""
    return True


def nothing(name: str) -> bool:
    """Train no parameter."""
    return False


def learned_of(inner: Inner, params: Params, moves: Moves = everything) -> dict[str, Tensor]:
    """The initial values of the learned rates and momentum."""
    learned = {}
    for name, value in params.items():
        if moves(name) and (key := _rate_key(inner, name)):
            shape = value.shape if inner.learned == "parameter" else ()
            learned[key] = value.new_full((inner.steps, *shape) if inner.per_step else shape, inner.rate)
    if inner.learn_momentum:
        learned[MOMENTUM] = next(iter(params.values())).new_tensor(inner.momentum or 0.0)
    return learned


def shared_by_rows(learned: Params, params: Params, rows: Moves) -> dict[str, Tensor]:
    """The same, with one rate for all rows of the parameters in `rows`, which fits any number of rows."""
    shared = dict(learned)
    for name, value in params.items():
        rates = learned.get(RATE + name)
        if rates is not None and rows(name) and (place := rates.dim() - value.dim()) >= 0:
            shared[RATE + name] = rates.mean(place)
    return shared


def rule_of(inner: Inner, learned: Params, start: Params) -> Rule:
    """The update rule for parameters that start at `start`, with its `learned` tensors."""
    rate, anchor = _rate(inner, learned), start if inner.decay else None
    if inner.optimiser != "sgd":
        return adamw(rate, betas=(0.9, 0.999), decay=inner.decay, anchor=anchor)
    momentum = learned[MOMENTUM] if inner.learn_momentum else inner.momentum
    return sgd(rate, momentum=momentum, decay=inner.decay, anchor=anchor)


def _rate_key(inner: Inner, name: str) -> str | None:
    keys = {"scalar": "all", "layer": name.rpartition(".")[0] or name, "parameter": name}
    return RATE + keys[inner.learned] if inner.learned else None


def _rate(inner: Inner, learned: Params) -> Rate:
    def rate(name: str, step: int) -> float | Tensor:
        key = _rate_key(inner, name)
        if key is None:
            return inner.rate
        return learned[key][min(step, inner.steps - 1)] if inner.per_step else learned[key]

    return rate
