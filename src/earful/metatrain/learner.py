"""The interface of learners: three pure functions over a flat tree of meta-parameters.

The tree holds the start (`start.NAME` for every parameter) and the learned parts of the inner rule (`rate.…`,
`momentum`). So any `torch.optim` optimiser can be the outer loop, a checkpoint is a dictionary of tensors, and `vmap`
runs many tasks at once: `vmap(learner.gradient, (None, 0))(meta, episodes)`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from earful.adapt.descend import Params, descend
from earful.adapt.inner import Inner, Moves, everything, learned_of, nothing, rule_of, shared_by_rows
from earful.trees import part, under

Loss = Callable[[Params, Any], Tensor]
Meta = Mapping[str, Tensor]
Episode = tuple[Any, Any]
"""Support, on which a task is adapted, and query, which measures the result."""

START = "start."


class Learner(NamedTuple):
    """`init(params) → meta`; `adapt(meta, support, steps=None) → params`; `gradient(meta, episode) → (tree, loss)`.

    `gradient` returns a tree shaped like meta, and the query loss after adaptation. `inner` is the inner loop of
    `adapt` as a value, for checkpoints.
    """

    init: Callable[[Params], dict[str, Tensor]]
    adapt: Callable[..., dict[str, Tensor]]
    gradient: Callable[[Meta, Episode], tuple[dict[str, Tensor], Tensor]]
    inner: Inner | None = None


def init_of(inner: Inner, params: Params, moves: Moves = everything) -> dict[str, Tensor]:
    """The meta-parameters: copies of `params`, and the rates and the momentum that are learned."""
    start = under({name: value.detach().clone() for name, value in params.items()}, START)
    return start | learned_of(inner, params, moves)


def walk(
    loss: Loss, inner: Inner, meta: Meta, batches: Sequence[Any], *, moves: Moves = everything, order: int
) -> Iterator[dict[str, Tensor]]:
    """The parameters after each step from the start in `meta`; differentiable up to `order`, as in `descend`."""
    start = part(meta, START)
    rule = rule_of(inner, meta, start)
    steps = descend(loss, start, batches, rule, moves=moves, clip_norm=inner.clip_norm, order=order)
    return (moved.params for moved in steps)


def adapt_by(loss: Loss, inner: Inner, moves: Moves = everything) -> Callable[..., dict[str, Tensor]]:
    """`adapt(meta, support, steps=None)`: the start after so many steps; the default is the meta-trained number."""

    def adapt(meta: Meta, support: Any, steps: int | None = None) -> dict[str, Tensor]:
        batches = [support] * (inner.steps if steps is None else steps)
        return [dict(part(meta, START)), *walk(loss, inner, meta, batches, moves=moves, order=0)][-1]

    return adapt


def learner_of(
    loss: Loss, inner: Inner, gradient: Callable[[Meta, Episode], tuple[dict[str, Tensor], Tensor]], moves: Moves
) -> Learner:
    """A learner that adapts by `inner`, and is meta-trained by `gradient`."""
    return Learner(lambda params: init_of(inner, params, moves), adapt_by(loss, inner, moves), gradient, inner)


def gradient_of(
    objective: Callable[[Meta, Episode], Tensor],
) -> Callable[[Meta, Episode], tuple[dict[str, Tensor], Tensor]]:
    """The derivative of a task's objective with respect to the meta-parameters, and its value."""

    def gradient(meta: Meta, episode: Episode) -> tuple[dict[str, Tensor], Tensor]:
        value, pull = torch.func.vjp(lambda tree: objective(tree, episode), dict(meta))[:2]
        with torch.no_grad():  # nobody differentiates once more: `torch.func.grad` would keep all for those who might
            (found,) = pull(torch.ones_like(value), retain_graph=False)
        return found, value

    return gradient


def started_by(begin: Callable[[Params, Any], dict[str, Tensor]], learner: Learner, rows: Moves = nothing) -> Learner:
    """The same learner, but a task starts from `begin(start, support)`, for parts that belong to the task.

    An output layer with one row per class of the task is such a part. The gradient with respect to the task's start is
    pulled back through `begin`, so all properties of the learner stay. Parameters named by `rows` may have a different
    number of rows in each task; their learned rates are the same for all rows.
    """

    def of_task(meta: Meta, start: Params) -> dict[str, Tensor]:
        return {**under(start, START), **{name: value for name, value in meta.items() if not name.startswith(START)}}

    def init(params: Params) -> dict[str, Tensor]:
        return shared_by_rows(learner.init(params), params, rows)

    def adapt(meta: Meta, support: Any, steps: int | None = None) -> dict[str, Tensor]:
        return learner.adapt(of_task(meta, begin(part(meta, START), support)), support, steps)

    def gradient(meta: Meta, episode: Episode) -> tuple[dict[str, Tensor], Tensor]:
        start, pull = torch.func.vjp(lambda shared: begin(shared, episode[0]), part(meta, START))  # type: ignore[misc]
        found, value = learner.gradient(of_task(meta, start), episode)
        (back,) = pull(part(found, START))
        return {**of_task(found, {}), **under(back, START)}, value

    return Learner(init, adapt, gradient, learner.inner)


def only(gradient: Meta, wanted: Callable[[str], bool]) -> dict[str, Tensor]:
    """The gradient, zero where the meta-parameter's name is not wanted."""
    return {name: value if wanted(name) else torch.zeros_like(value) for name, value in gradient.items()}
