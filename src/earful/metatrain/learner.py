"""What every learner is: three pure functions over a flat tree of meta-parameters.

The tree holds the start (`start.NAME` for every parameter) and whatever of the inner rule is learned (`rate.…`,
`momentum`). So any `torch.optim` optimiser is the outer loop, a checkpoint is a dictionary of tensors, and `vmap` runs
many tasks at once: `vmap(learner.gradient, (None, 0))(meta, episodes)`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from earful.adapt.descend import Params, Rate, Rule, adamw, descend, sgd
from earful.errors import ConfigError
from earful.trees import part, under

Loss = Callable[[Params, Any], Tensor]
Meta = Mapping[str, Tensor]
Moves = Callable[[str], bool]
Episode = tuple[Any, Any]
"""Support and query: what a task is adapted on, and what tells whether it was worth it."""

START, RATE, MOMENTUM = "start.", "rate.", "momentum"


class Learner(NamedTuple):
    """`init(params) → meta`; `adapt(meta, support, steps=None) → params`; `gradient(meta, episode) → (tree, loss)`.

    `gradient` answers a tree shaped like meta, and the query loss after adaptation.
    """

    init: Callable[[Params], dict[str, Tensor]]
    adapt: Callable[..., dict[str, Tensor]]
    gradient: Callable[[Meta, Episode], tuple[dict[str, Tensor], Tensor]]


@dataclass(frozen=True)
class Inner:
    """The inner loop: `steps` at `rate`, and what of it is learned.

    `learned` rates: one for all ("scalar"), one a layer (a name up to its last dot) or one a parameter; with
    `per_step`, a set of them for every step (a step behind the last takes the last's). All start at `rate`, sign free.
    `momentum` is learned from that value on with `learn_momentum`. `decay` pulls to the start; `clip_norm` bounds the
    norm of each step's gradient.
    """

    rate: float
    steps: int = 1
    learned: Literal["", "scalar", "layer", "parameter"] = ""
    per_step: bool = False
    momentum: float | None = None
    learn_momentum: bool = False
    optimiser: Literal["sgd", "adam"] = "sgd"
    decay: float = 0.0
    clip_norm: float | None = None

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ConfigError(f"inner steps are {self.steps}, must be at least 1")
        if not self.rate > 0:
            raise ConfigError(f"the inner rate is {self.rate}, must be > 0")
        if self.per_step and not self.learned:
            raise ConfigError('rates per step are learned rates: say also learned = "scalar", "layer" or "parameter"')
        if self.optimiser == "adam" and (self.momentum is not None or self.learn_momentum):
            raise ConfigError("Adam has its own momentum; leave out `momentum` and `learn_momentum`, or take sgd")


def everything(name: str) -> bool:
    """All parameters move."""
    return True


def init_of(inner: Inner, params: Params, moves: Moves = everything) -> dict[str, Tensor]:
    """The meta-parameters: copies of `params`, and the rates and the momentum that are learned."""
    meta = under({name: value.detach().clone() for name, value in params.items()}, START)
    like = next(iter(params.values())).new_tensor
    for name, value in params.items():
        if moves(name) and (key := _rate_key(inner, name)):
            shape = value.shape if inner.learned == "parameter" else ()
            meta[key] = torch.full((inner.steps, *shape) if inner.per_step else shape, inner.rate).to(value)
    if inner.learn_momentum:
        meta[MOMENTUM] = like(inner.momentum or 0.0)
    return meta


def rule_of(inner: Inner, meta: Meta) -> Rule:
    """The rule by which parameters move, with what of it is learned in `meta`."""
    rate, anchor = _rate(inner, meta), part(meta, START) if inner.decay else None
    if inner.optimiser == "adam":
        return adamw(rate, betas=(0.9, 0.999), decay=inner.decay, anchor=anchor)
    momentum = meta[MOMENTUM] if inner.learn_momentum else inner.momentum
    return sgd(rate, momentum=momentum, decay=inner.decay, anchor=anchor)


def walk(
    loss: Loss, inner: Inner, meta: Meta, batches: Sequence[Any], *, moves: Moves = everything, order: int
) -> Iterator[dict[str, Tensor]]:
    """The parameters after each step from the start in `meta`, differentiable by it as `descend` says of `order`."""
    steps = descend(
        loss, part(meta, START), batches, rule_of(inner, meta), moves=moves, clip_norm=inner.clip_norm, order=order
    )
    return (moved.params for moved in steps)


def adapt_by(loss: Loss, inner: Inner, moves: Moves = everything) -> Callable[..., dict[str, Tensor]]:
    """`adapt(meta, support, steps=None)`: the start after so many steps, as many as were meta-trained if not said."""

    def adapt(meta: Meta, support: Any, steps: int | None = None) -> dict[str, Tensor]:
        batches = [support] * (inner.steps if steps is None else steps)
        return [dict(part(meta, START)), *walk(loss, inner, meta, batches, moves=moves, order=0)][-1]

    return adapt


def gradient_of(
    objective: Callable[[Meta, Episode], Tensor],
) -> Callable[[Meta, Episode], tuple[dict[str, Tensor], Tensor]]:
    """The derivative of a task's objective by the meta-parameters, and its value."""

    def gradient(meta: Meta, episode: Episode) -> tuple[dict[str, Tensor], Tensor]:
        found, value = torch.func.grad_and_value(objective)(dict(meta), episode)
        return found, value

    return gradient


def only(gradient: Meta, wanted: Callable[[str], bool]) -> dict[str, Tensor]:
    """The gradient, zero where the meta-parameter's name is not wanted."""
    return {name: value if wanted(name) else torch.zeros_like(value) for name, value in gradient.items()}


def _rate_key(inner: Inner, name: str) -> str | None:
    keys = {"scalar": "all", "layer": name.rpartition(".")[0] or name, "parameter": name}
    return RATE + keys[inner.learned] if inner.learned else None


def _rate(inner: Inner, meta: Meta) -> Rate:
    def rate(name: str, step: int) -> float | Tensor:
        key = _rate_key(inner, name)
        if key is None:
            return inner.rate
        return meta[key][min(step, inner.steps - 1)] if inner.per_step else meta[key]

    return rate
