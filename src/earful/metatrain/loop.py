"""The outer loop: tasks, their meta-gradients, one optimiser step; exact resume; several processes.

The caller draws all random numbers: `draw(step, task, losses)` gives the same for the same three arguments. So a
resumed run equals an uninterrupted one bit for bit, and processes need not communicate about tasks.
"""

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from earful.adapt.descend import Params
from earful.errors import CheckpointError, ConfigError
from earful.identity import digest, digest_of_tensors
from earful.metatrain.learner import Episode, Learner, Meta
from earful.processes import sums, world
from earful.train import Guard, Optimisation, Run, load_run, rate_at, save_state, set_slots, slots_of
from earful.trees import is_finite, plus, scale, under

MEMORY = 0.9
"""The decay of the running means of losses."""


@dataclass(frozen=True)
class Outer:
    """The outer loop: `tasks` episodes a step, and `optimisation` says how fast it moves.

    `optimiser` is "adamw", as elsewhere; "adam", the same without decay; or "sgd", plain descent along the mean
    gradient, without clipping and decay unless `optimisation` sets them. With Reptile "sgd" is the paper's.
    `chunk` is the number of tasks that run at once under `vmap`; 1 runs them one by one, in the memory of one. Encoders
    without a rule for `vmap` (recurrent ones) need 1. `validate_every` and `save_every` count outer steps.
    """

    optimisation: Optimisation
    tasks: int = 4
    chunk: int = 1
    optimiser: str = "adamw"
    validate_every: int = 100
    save_every: int = 50

    def __post_init__(self) -> None:
        for name in ("tasks", "chunk", "validate_every", "save_every"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}, must be at least 1")
        if self.optimiser not in ("adamw", "adam", "sgd"):
            raise ConfigError(f"optimiser is {self.optimiser}, must be adamw, adam or sgd")
        if self.optimiser == "adam" and self.optimisation.weight_decay:
            raise ConfigError('adam has no weight_decay; leave it out, or take optimiser = "adamw"')

    @property
    def clip_norm(self) -> float:
        """The norm to which the mean gradient of a step is clipped; infinite without clipping."""
        plain = self.optimiser == "sgd" and self.optimisation.clip_norm is None
        return math.inf if plain else self.optimisation.clip


class Drawn(NamedTuple):
    """A task: its episode, the name for its query losses, and the weight of its gradient."""

    episode: Episode
    name: str = ""
    weight: float = 1.0


class MetaStep(NamedTuple):
    """The report of a step: its number (from 1), the mean query loss, tasks skipped so far, and seconds.

    `validation` is None between validations.
    """

    number: int
    loss: float
    grad_norm: float
    skipped: int
    elapsed_s: float
    validation: float | None


class Trained(NamedTuple):
    """The last and the best meta-parameters, the best validation (lower is better), and the number of skipped tasks."""

    last: dict[str, Tensor]
    best: dict[str, Tensor]
    validation: float
    skipped: int


def metatrain(
    learner_at: Callable[[float], Learner],
    params: Params,
    draw: Callable[[int, int, Mapping[str, float]], Drawn],
    outer: Outer,
    *,
    state: Path,
    names: Sequence[str] = (),
    validate: Callable[[Meta], float] | None = None,
    report: Callable[[MetaStep], None] | None = None,
    run: Run = Run(),  # noqa: B008 (frozen)
) -> Trained:
    """Meta-train from `params`; resumes from the file `state` if it exists.

    `learner_at(progress)` returns the learner, with `progress` from 0 to 1 for annealed settings. A task whose gradient
    is not finite is left out of its step and counted; a step without any finite task is not taken. `draw` gets the
    running means of the query losses of the `names` met so far, for sampling of hard tasks. `validate(meta)`, lower is
    better, chooses the best. Under `torchrun` each process takes every n-th task, and gradients are averaged.

    Raises:
        CheckpointError: `state` is damaged or of another run, or cannot be written.
        TrainingError: the training diverges.
    """
    size, rank = world()
    meta = learner_at(0.0).init(params)
    run = run.also(outer=digest(replace(outer, save_every=1)), start=digest_of_tensors(meta))
    leaves = {name: value.requires_grad_() for name, value in meta.items()}
    optimiser = _optimiser(outer, list(leaves.values()))
    first, skipped, best, validation, losses = _restore(state, leaves, optimiser, run)
    guard = Guard(state, outer.optimisation, first)
    began = time.monotonic()
    steps = outer.optimisation.steps
    for step in range(first, steps):
        for group in optimiser.param_groups:
            group["lr"] = rate_at(step, outer.optimisation)
        learner = learner_at(step / steps)
        here = {name: value.detach() for name, value in leaves.items()}
        tasks = range(rank, outer.tasks, size)
        total = _sum(learner, here, [draw(step, task, losses) for task in tasks], outer.chunk, names)
        total = _over_processes(total)
        skipped += round(float(total.skipped))
        losses = _remember(losses, names, total)
        norm = _apply(optimiser, leaves, total, outer.clip_norm)
        number, found, saves = step + 1, None, (step + 1) % outer.save_every == 0
        idle = skipped // outer.tasks  # as many as there were steps if no task was ever finite, resumed or not
        guard.check(number, math.isfinite(norm), idle, lambda: _numbers(leaves, optimiser), now=saves)
        if validate and (number % outer.validate_every == 0 or number == steps):
            found = validate({name: value.detach() for name, value in leaves.items()})
            if found <= validation:
                validation, best = found, {name: value.detach().clone() for name, value in leaves.items()}
        if rank == 0 and (saves or number == steps):
            header = {"step": number, "skipped": skipped, "validation": validation, "losses": losses}
            _save(state, leaves, optimiser, best, {**header, "run": dict(run.parts)})
            guard.saved = number
        if report and rank == 0:
            loss = float(total.loss / total.weight) if total.weight else math.nan
            report(MetaStep(number, loss, norm, skipped, time.monotonic() - began, found))
    last = {name: value.detach().clone() for name, value in leaves.items()}
    return Trained(last, best or last, validation, skipped)


class _Total(NamedTuple):
    """Sums over tasks: weighted gradients and losses, weights, the number not finite; losses and tasks by name."""

    gradient: dict[str, Tensor]
    loss: Tensor
    weight: Tensor
    skipped: Tensor
    named: Tensor


def _sum(learner: Learner, meta: Meta, tasks: list[Drawn], chunk: int, names: Sequence[str]) -> _Total:
    gradient, numbers, named = scale(meta, 0.0), torch.zeros(3, dtype=torch.float64), torch.zeros(2, len(names))
    for begin in range(0, len(tasks), chunk):
        some = tasks[begin : begin + chunk]
        for (found, value), drawn in zip(_gradients(learner, meta, [d.episode for d in some]), some, strict=True):
            if not (bool(torch.isfinite(value)) and is_finite(found)):
                numbers[2] += 1
                continue
            gradient = plus(gradient, found, drawn.weight)
            numbers[:2] += torch.tensor([drawn.weight * float(value), drawn.weight])
            if drawn.name in names:
                named[:, names.index(drawn.name)] += torch.tensor([float(value), 1.0])
    return _Total(gradient, numbers[0], numbers[1], numbers[2], named)


def _remember(losses: Mapping[str, float], names: Sequence[str], total: _Total) -> dict[str, float]:
    """The running means of query losses by name, updated with this step."""
    sums, counts = total.named.tolist()
    now = {name: value / count for name, value, count in zip(names, sums, counts, strict=True) if count}
    return {**losses, **{name: value + MEMORY * (losses.get(name, value) - value) for name, value in now.items()}}


def _gradients(learner: Learner, meta: Meta, episodes: list[Episode]) -> list[tuple[dict[str, Tensor], Tensor]]:
    if len(episodes) == 1:
        return [learner.gradient(meta, episodes[0])]
    stacked = torch.utils._pytree.tree_map(lambda *leaves: torch.stack(leaves), *episodes)
    found, values = torch.func.vmap(learner.gradient, (None, 0), randomness="different")(meta, stacked)
    return [({name: value[i] for name, value in found.items()}, values[i]) for i in range(len(episodes))]


def _apply(optimiser: torch.optim.Optimizer, leaves: Mapping[str, Tensor], total: _Total, clip_norm: float) -> float:
    """One outer step along the mean gradient; its norm before clipping."""
    if not total.weight:
        return math.nan
    for name, leaf in leaves.items():
        leaf.grad = (total.gradient[name] / total.weight).to(leaf)
    norm = float(torch.nn.utils.clip_grad_norm_(list(leaves.values()), clip_norm))
    if math.isfinite(norm):
        optimiser.step()
    return norm


def _over_processes(total: _Total) -> _Total:
    """Sums over all processes."""
    pieces = iter(sums([*total.gradient.values(), *total[1:]]))
    return _Total({name: next(pieces) for name in total.gradient}, *pieces)


def _optimiser(outer: Outer, leaves: list[Tensor]) -> torch.optim.Optimizer:
    optimisation = outer.optimisation
    match outer.optimiser:
        case "sgd":
            return torch.optim.SGD(leaves, lr=optimisation.rate, weight_decay=optimisation.weight_decay or 0.0)
        case "adam":
            return torch.optim.Adam(leaves, lr=optimisation.rate)
        case _:
            return torch.optim.AdamW(leaves, lr=optimisation.rate, weight_decay=optimisation.decay)


def _save(path: Path, leaves: Meta, optimiser: torch.optim.Optimizer, best: Meta, header: Mapping[str, Any]) -> None:
    tensors = under(leaves, "meta.") | under(best, "best.") | slots_of(optimiser)
    save_state(path, {name: value.cpu() for name, value in tensors.items()}, header)


def _numbers(leaves: Meta, optimiser: torch.optim.Optimizer) -> Iterable[Tensor]:
    """All tensors that must stay finite."""
    yield from leaves.values()
    for slots in optimiser.state_dict()["state"].values():
        yield from (value for value in slots.values() if isinstance(value, Tensor))


def _restore(
    path: Path, leaves: Meta, optimiser: torch.optim.Optimizer, run: Run
) -> tuple[int, int, dict[str, Tensor], float, dict[str, float]]:
    """Steps done, tasks skipped, the best so far, its validation, losses by name; the rest is restored in place."""
    found = load_run(path, run)
    if found is None:
        return 0, 0, {}, math.inf, {}
    tensors, header = found
    saved = {name.removeprefix("meta."): value for name, value in tensors.items() if name.startswith("meta.")}
    if {n: v.shape for n, v in saved.items()} != {n: v.shape for n, v in leaves.items()}:
        raise CheckpointError(
            f"{path}: the saved state is of another model or learner; delete it to start again, or give this run "
            "another folder"
        )
    with torch.no_grad():
        for name, leaf in leaves.items():
            leaf.copy_(saved[name])
    set_slots(optimiser, tensors)
    best = {n: tensors[f"best.{n}"].to(leaf.device) for n, leaf in leaves.items() if f"best.{n}" in tensors}
    try:
        losses = {str(name): float(loss) for name, loss in header["losses"].items()}
        return int(header["step"]), int(header["skipped"]), best, float(header["validation"]), losses
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise CheckpointError(f"{path}: the saved state is damaged ({error}); delete it to start again") from error
