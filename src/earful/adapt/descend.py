"""THE inner loop: gradient descent as a pure function of loss, parameters and batches. It knows nothing of speech.

What a user runs to adapt is what meta-training differentiates through: hence no optimiser object, no state hidden on
tensors. A `Rule` is a pair of pure functions over explicit state.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

Params = Mapping[str, Tensor]
State = dict[str, Tensor]
Loss = Callable[[Params, Any], Tensor]


class Rule(NamedTuple):
    """How parameters move: `init(params) → state`; `update(grads, state, params, factor) → (params, state)`.

    `factor` scales the rates of this step: the schedule.
    """

    init: Callable[[Params], State]
    update: Callable[[Params, State, Params, float], tuple[dict[str, Tensor], State]]


class Moved(NamedTuple):
    """Where a step arrived: all parameters, the rule's state, the loss before the step and whether it was taken."""

    params: dict[str, Tensor]
    state: State
    loss: float
    taken: bool


def sgd(rate: float) -> Rule:
    """Plain gradient descent."""

    def update(grads: Params, state: State, params: Params, factor: float) -> tuple[dict[str, Tensor], State]:
        return {name: params[name] - factor * rate * grad for name, grad in grads.items()}, state

    return Rule(lambda params: {}, update)


def adamw(
    rate: Callable[[str], float],
    *,
    betas: tuple[float, float] = (0.9, 0.98),
    decay: float = 0.0,
    eps: float = 1e-8,
    anchor: Params | None = None,
) -> Rule:
    """AdamW (Loshchilov and Hutter 2019, algorithm 2) with a rate a name; `decay` is decoupled.

    It pulls towards zero, or towards `anchor` where that has the name ("L2-SP": Li et al. 2018, eq. 2).
    """

    def init(params: Params) -> State:
        zeros = {f"{slot}.{name}": torch.zeros_like(value) for name, value in params.items() for slot in ("m", "v")}
        return zeros | {"step": torch.zeros(())}

    def update(grads: Params, state: State, params: Params, factor: float) -> tuple[dict[str, Tensor], State]:
        step = state["step"] + 1
        moved, after = {}, {"step": step}
        scale_m, scale_v = 1 / (1 - betas[0] ** float(step)), 1 / (1 - betas[1] ** float(step))
        for name, grad in grads.items():
            m = betas[0] * state[f"m.{name}"] + (1 - betas[0]) * grad
            v = betas[1] * state[f"v.{name}"] + (1 - betas[1]) * grad * grad
            after |= {f"m.{name}": m, f"v.{name}": v}
            away = params[name] - anchor[name] if anchor and name in anchor else params[name]
            direction = (m * scale_m) / ((v * scale_v).sqrt() + eps) + decay * away
            moved[name] = params[name] - factor * rate(name) * direction
        return moved, after

    return Rule(init, update)


def descend(
    loss: Loss,
    params: Params,
    batches: Iterable[Any],
    rule: Rule,
    *,
    moves: Callable[[str], bool] = lambda name: True,
    schedule: Callable[[int], float] = lambda step: 1.0,
    clip_norm: float | None = None,
    state: State | None = None,
    first: int = 0,
) -> Iterator[Moved]:
    """Take one step a batch, and give what each arrived at; `first` and `state` continue an interrupted descent.

    A step whose gradient is not finite is not taken (`taken` is false) and the descent goes on.
    """
    still = {name: value for name, value in params.items() if not moves(name)}
    moving = {name: value.detach() for name, value in params.items() if moves(name)}
    state = rule.init(moving) if state is None else state
    for step, batch in enumerate(batches, first):
        value, grads = _gradient(loss, moving, still, batch)
        norm = torch.stack([grad.norm() for grad in grads.values()]).norm()
        taken = bool(torch.isfinite(norm))
        if taken:
            shrink = 1.0 if clip_norm is None else min(1.0, clip_norm / (float(norm) + 1e-6))
            moving, state = rule.update({n: g * shrink for n, g in grads.items()}, state, moving, schedule(step))
        yield Moved({**still, **moving}, state, float(value), taken)


def _gradient(loss: Loss, moving: Params, still: Params, batch: Any) -> tuple[Tensor, dict[str, Tensor]]:
    leaves = {name: value.requires_grad_() for name, value in ((n, v.detach()) for n, v in moving.items())}
    value = loss({**still, **leaves}, batch)
    grads = torch.autograd.grad(value, list(leaves.values()), allow_unused=True)
    pairs = zip(leaves.items(), grads, strict=True)
    return value.detach(), {n: torch.zeros_like(leaf) if g is None else g for (n, leaf), g in pairs}
