"""THE inner loop: gradient descent as a pure function of loss, parameters and batches. It knows nothing of speech.

Meta-training differentiates through the same function that adapts for a user. Hence there is no optimiser object, and
no state hidden on tensors. A `Rule` is a pair of pure functions over explicit state.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.optim.adamw import adamw as overwrite_by_adamw

Params = Mapping[str, Tensor]
State = dict[str, Tensor]
Loss = Callable[[Params, Any], Tensor]


Rate = Callable[[str, int], float | Tensor]
"""The learning rate of a parameter, by its name and the step (from 0): a schedule, or learned rates."""


class Rule(NamedTuple):
    """An update rule: `init(params) → state`; `update(grads, state, params, step) → (params, state)`.

    A rule that `overwrites` changes and returns the tensors that it was given. This is faster, but not differentiable.
    """

    init: Callable[[Params], State]
    update: Callable[[Params, State, Params, int], tuple[dict[str, Tensor], State]]
    overwrites: bool = False


class Moved(NamedTuple):
    """The result of a step: all parameters, the rule's state, the loss before the step, and whether it was taken."""

    params: dict[str, Tensor]
    state: State
    loss: Tensor
    taken: bool


def sgd(
    rate: Rate, *, momentum: float | Tensor | None = None, decay: float = 0.0, anchor: Params | None = None
) -> Rule:
    """Gradient descent, with momentum if given (Polyak 1964, in torch's form).

    `decay` pulls towards zero, or towards `anchor` for the names in it.
    """

    def init(params: Params) -> State:
        return {} if momentum is None else {f"m.{name}": torch.zeros_like(value) for name, value in params.items()}

    def update(grads: Params, state: State, params: Params, step: int) -> tuple[dict[str, Tensor], State]:
        moved, after = {}, dict(state)
        for name, grad in grads.items():
            direction = grad + decay * _away(params, name, anchor) if decay else grad
            if momentum is not None:
                after[f"m.{name}"] = direction = momentum * state[f"m.{name}"] + direction
            moved[name] = params[name] - rate(name, step) * direction
        return moved, after

    return Rule(init, update)


def adamw(
    rate: Rate,
    *,
    betas: tuple[float, float] = (0.9, 0.98),
    decay: float = 0.0,
    eps: float = 1e-8,
    anchor: Params | None = None,
) -> Rule:
    """AdamW (Loshchilov and Hutter 2019, algorithm 2) with a rate per name and decoupled `decay`.

    `decay` pulls towards zero, or towards `anchor` for the names in it ("L2-SP": Li et al. 2018, eq. 2).
    """

    def update(grads: Params, state: State, params: Params, step: int) -> tuple[dict[str, Tensor], State]:
        done = state["step"] + 1  # a skipped step does not count
        moved, after = {}, {"step": done}
        scale_m, scale_v = 1 / (1 - betas[0] ** float(done)), 1 / (1 - betas[1] ** float(done))
        for name, grad in grads.items():
            m = betas[0] * state[f"m.{name}"] + (1 - betas[0]) * grad
            v = betas[1] * state[f"v.{name}"] + (1 - betas[1]) * grad * grad
            after |= {f"m.{name}": m, f"v.{name}": v}
            direction = (m * scale_m) / ((v * scale_v).sqrt() + eps) + decay * _away(params, name, anchor)
            moved[name] = params[name] - rate(name, step) * direction
        return moved, after

    return Rule(_moments, update)


def adamw_in_place(
    rate: Callable[[str, int], float],
    *,
    betas: tuple[float, float] = (0.9, 0.98),
    decay: float = 0.0,
    eps: float = 1e-8,
    anchor: Params | None = None,
) -> Rule:
    """The same rule as `adamw`, but it overwrites: torch's fused kernel reads the memory once, not ten times."""

    def update(grads: Params, state: State, params: Params, step: int) -> tuple[dict[str, Tensor], State]:
        rates = {name: rate(name, step) for name in grads}
        for each in set(rates.values()):
            names = [name for name in grads if rates[name] == each]
            _pull([params[name] for name in names], [(anchor or {}).get(name) for name in names], each * decay)
            m, v = ([state[f"{slot}.{name}"] for name in names] for slot in ("m", "v"))
            overwrite_by_adamw(
                [params[name] for name in names],
                [grads[name] for name in names],
                m,
                v,
                [],
                [state["step"].to(grads[name].device, copy=True) for name in names],
                fused=True,
                amsgrad=False,
                beta1=betas[0],
                beta2=betas[1],
                lr=each,
                weight_decay=0.0,
                eps=eps,
                maximize=False,
            )
        return dict(params), state | {"step": state["step"] + 1}

    return Rule(_moments, update, overwrites=True)


def _pull(params: list[Tensor], anchors: list[Tensor | None], share: float) -> None:
    """Move parameters by `share` of the way to their anchors, or to zero without one."""
    free = [value for value, anchor in zip(params, anchors, strict=True) if anchor is None]
    tied = [(value, anchor) for value, anchor in zip(params, anchors, strict=True) if anchor is not None]
    if share and free:
        torch._foreach_mul_(free, 1 - share)
    if share and tied:
        torch._foreach_lerp_([value for value, _ in tied], [anchor for _, anchor in tied], share)


def _moments(params: Params) -> State:
    """AdamW's state before the first step."""
    zeros = {f"{slot}.{name}": torch.zeros_like(value) for name, value in params.items() for slot in ("m", "v")}
    return zeros | {"step": torch.zeros(())}


def _away(params: Params, name: str, anchor: Params | None) -> Tensor:
    return params[name] - anchor[name] if anchor and name in anchor else params[name]


def descend(
    loss: Loss,
    params: Params,
    batches: Iterable[Any],
    rule: Rule,
    *,
    moves: Callable[[str], bool] = lambda name: True,
    clip_norm: float | None = None,
    state: State | None = None,
    first: int = 0,
    order: int = 0,
) -> Iterator[Moved]:
    """Take one step per batch, and yield the result of each; `first` and `state` continue an interrupted descent.

    `order` 0 is for adaptation: no graph is kept, and a step with a gradient that is not finite is skipped (`taken` is
    false). With order 1 or 2 the result can be differentiated, by autograd or `torch.func`, with respect to the
    parameters and to the tensors of the rule: with 1 as if the gradients were constants, with 2 exactly.

    `params` and `state` are not changed. With a rule that overwrites, each step overwrites the result of the one
    before, so a caller copies what it keeps. Raises ValueError: such a rule with another order than 0.
    """
    if rule.overwrites and order:
        raise ValueError("a rule that overwrites cannot be differentiated through; take the pure one")
    still = {name: value for name, value in params.items() if not moves(name)}
    moving = {name: value if order else value.detach() for name, value in params.items() if moves(name)}
    state = rule.init(moving) if state is None else state
    if rule.overwrites:
        moving, state = _copied(moving), _copied(state)
    for step, batch in enumerate(batches, first):
        value, grads = _GRADIENTS[order](loss, moving, still, batch)
        norm = torch.stack([grad.norm() for grad in grads.values()]).norm() if clip_norm or not order else None
        taken = bool(order) or norm is None or bool(torch.isfinite(norm))
        if taken:
            if clip_norm is not None and norm is not None:
                shrink = (clip_norm / (norm + 1e-6)).clamp(max=1.0)
                grads = {name: grad * shrink for name, grad in grads.items()}
            moving, state = rule.update(grads, state, moving, step)
        yield Moved({**still, **moving}, state, value, taken)


def _copied(tensors: Params) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in tensors.items()}


def _gradient(loss: Loss, moving: Params, still: Params, batch: Any) -> tuple[Tensor, dict[str, Tensor]]:
    leaves = {name: value.requires_grad_() for name, value in ((n, v.detach()) for n, v in moving.items())}
    value = loss({**still, **leaves}, batch)
    grads = torch.autograd.grad(value, list(leaves.values()), allow_unused=True)
    pairs = zip(leaves.items(), grads, strict=True)
    return value.detach(), {n: torch.zeros_like(leaf) if g is None else g for (n, leaf), g in pairs}


def _exact_gradient(loss: Loss, moving: Params, still: Params, batch: Any) -> tuple[Tensor, dict[str, Tensor]]:
    grads, value = torch.func.grad_and_value(lambda leaves: loss({**still, **leaves}, batch))(dict(moving))
    return value, grads


def _constant_gradient(loss: Loss, moving: Params, still: Params, batch: Any) -> tuple[Tensor, dict[str, Tensor]]:
    here, there = ({name: value.detach() for name, value in part.items()} for part in (moving, still))
    value, pull = torch.func.vjp(lambda leaves: loss({**there, **leaves}, batch), here)[:2]
    with torch.no_grad():
        (grads,) = pull(torch.ones_like(value), retain_graph=False)
    return value.detach(), {name: grad.detach() for name, grad in grads.items()}


_GRADIENTS = (_gradient, _constant_gradient, _exact_gradient)
