"""Common parts of the training loops: schedule, optimiser, clipping, exact resume."""

import json
import math
import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from earful.device import CPU, home_of, moved
from earful.errors import CheckpointError, ConfigError, TrainingError
from earful.identity import differences, digest, digest_of_tensors
from earful.processes import sums, world
from earful.reading import check_regular
from earful.writing import check_name, replacing

OTHERS = 499_979
"""The distance between the random seeds of consecutive processes."""
SAVED_AS = 2
"""The version of saved states: a state of another version belongs to another run."""
MOST_STEPS = 1_000_000_000
_LOOK_EVERY = 20  # steps between looks at whether the parameters are still numbers
_PATIENCE = 50  # steps in a row without a finite gradient, after which nothing is to be hoped for


WEIGHT_DECAY, CLIP_NORM = 0.01, 1.0
"""AdamW's defaults, if a recipe does not set them."""


@dataclass(frozen=True)
class Optimisation:
    """AdamW (Loshchilov and Hutter 2019): a linear rise to `rate`, then a cosine fall to a hundredth of it.

    If `weight_decay` and `clip_norm` (of a step's whole gradient; inf: none) are left out, `decay` and `clip` have
    their values; the outer loop of meta-training may be another optimiser, with other defaults
    (`metatrain.loop.Outer`).
    """

    steps: int
    rate: float = 1e-3
    warmup: float = 0.05
    weight_decay: float | None = None
    clip_norm: float | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.steps <= MOST_STEPS:
            raise ConfigError(f"steps is {self.steps}, must be at least 1 and at most {MOST_STEPS}")
        if not 0 <= self.warmup < 1:
            raise ConfigError(f"warmup is {self.warmup}, must be a share of the steps: at least 0, below 1")
        if not 0 < self.rate < math.inf:
            raise ConfigError(f"rate is {self.rate}, must be a number above 0")
        if self.weight_decay is not None and not 0 <= self.weight_decay < math.inf:
            raise ConfigError(f"weight_decay is {self.weight_decay}, must be a number from 0 on")
        if self.clip_norm is not None and not self.clip_norm > 0:
            raise ConfigError(f"clip_norm is {self.clip_norm}, must be above 0 (inf: no clipping)")

    @property
    def decay(self) -> float:
        """AdamW's decay."""
        return WEIGHT_DECAY if self.weight_decay is None else self.weight_decay

    @property
    def clip(self) -> float:
        """The norm to which the gradient of a step of AdamW is clipped."""
        return CLIP_NORM if self.clip_norm is None else self.clip_norm


class Step(NamedTuple):
    """The report of a step: its number (from 1), losses by name, gradient norm, seconds since the start."""

    number: int
    losses: dict[str, float]
    grad_norm: float
    elapsed_s: float


@dataclass(frozen=True)
class Run:
    """The identity of the run of a state on disk: the digests of all that determines it, by readable names.

    `fit` adds its own arguments. A state of another run is refused; or, with `discard`, thrown away, and `discard` is
    told so in a sentence.
    """

    parts: Mapping[str, str] = field(default_factory=dict)
    discard: Callable[[str], None] | None = None

    def also(self, **parts: str) -> "Run":
        """The same with more parts; underscores in their names are shown as spaces."""
        named = {name.replace("_", " "): value for name, value in parts.items()}
        return replace(self, parts={**self.parts, **named, "version": str(SAVED_AS)})


def check_work(folder: Path) -> None:
    """Refuse a folder where no state can be saved, before any work. Raises ConfigError."""
    try:
        check_name(folder)
        parent = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    except OSError as error:
        raise ConfigError(f"{error.filename}: {error.strerror}; give the recipe another `work`") from None
    if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
        raise ConfigError(f"{folder}: nothing can be written in {parent}; give the recipe another `work`")


def rate_at(step: int, optimisation: Optimisation) -> float:
    """The learning rate of step `step` (from 0)."""
    return optimisation.rate * schedule(step, optimisation.steps, optimisation.warmup, end=0.01)


def schedule(step: int, steps: int, warmup: float, end: float = 0.0) -> float:
    """The factor of the learning rate: a linear rise in the share `warmup` of all steps, a cosine fall to `end`."""
    warm = max(1, round(warmup * steps))
    if step < warm:
        return (step + 1) / warm
    return end + (1 - end) * 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))


def fit(
    model: nn.Module,
    losses_of: Callable[[int, torch.Generator], Mapping[str, Tensor]],
    optimisation: Optimisation,
    *,
    seed: int,
    state: Path,
    weights_of: Callable[[int], Mapping[str, float]] = lambda step: {},
    save_every: int = 200,
    report: Callable[[Step], None] | None = None,
    run: Run = Run(),
) -> int:
    """Train `model` in place; returns the number of non-finite steps, which are skipped.

    `losses_of(step, generator)` gives the losses of a step by name. Their sum, weighted by `weights_of(step)` (default
    1), is minimised. All randomness of a step comes from `(seed, step)`, so a run resumed from the file `state` equals
    one that was never interrupted. Under `torchrun` gradients and losses are averaged over the processes, each of which
    takes its share of a batch (`processes.share`); the first one reports and saves.

    Raises:
        CheckpointError: `state` is damaged or of another run, or cannot be written.
        TrainingError: the training diverges, or another process has ended.
    """
    run = run.also(seed=str(seed), optimisation=digest(optimisation), start=digest_of_tensors(model.state_dict()))
    moving = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(moving, lr=optimisation.rate, weight_decay=optimisation.decay, betas=(0.9, 0.98))
    first, skipped = _restore(state, model, optimiser, run)
    leads = world()[1] == 0
    guard = Guard(state, optimisation, saved=first)
    model.train()
    began = time.monotonic()
    for step in range(first, optimisation.steps):
        for group in optimiser.param_groups:
            group["lr"] = rate_at(step, optimisation)
        losses, norm = _backward(model, losses_of, weights_of(step), optimisation, step, seed)
        if math.isfinite(norm):
            optimiser.step()
        skipped += not math.isfinite(norm)
        if report and leads:
            report(Step(step + 1, losses, norm, time.monotonic() - began))
        saves = (step + 1) % save_every == 0 and step + 1 < optimisation.steps
        guard.check(step + 1, math.isfinite(norm), skipped, lambda: _numbers(model, optimiser), now=saves)
        if leads and saves:
            guard.saved = step + 1
            _save(state, model, optimiser, step + 1, skipped, run)
    if leads:
        _save(state, model, optimiser, max(first, optimisation.steps), skipped, run)
    return skipped


class Guard:
    """Ends a diverged training before its state is saved. `saved` is the step of the last good state."""

    def __init__(self, state: Path, optimisation: Optimisation, saved: int) -> None:
        self.saved = saved
        self._state, self._optimisation, self._idle = state, optimisation, 0

    def check(
        self, step: int, taken: bool, skipped: int, numbers: Callable[[], Iterable[Tensor]], *, now: bool = False
    ) -> None:
        """Check after step `step` (from 1): at once with `now`, else every 20 steps and after the last one.

        Raises TrainingError if `numbers()`, parameters and the optimiser's state, hold NaN or infinity, or if no step
        could be taken for long, at the end, or at all.
        """
        self._idle = 0 if taken else self._idle + 1
        last, most = step == self._optimisation.steps, min(_PATIENCE, (self._optimisation.steps + 1) // 2)
        if self._idle >= (most if last else _PATIENCE) or (last and skipped >= step):
            raise self._diverged(step, f"no gradient of the last {self._idle} steps was finite")
        if (now or last or step % _LOOK_EVERY == 0) and not all(bool(torch.isfinite(each).all()) for each in numbers()):
            raise self._diverged(step, "its parameters hold NaN or infinity")

    def _diverged(self, step: int, what: str) -> TrainingError:
        good = f"the last good state, of step {self.saved}, is in {self._state}" if self.saved else "no state was saved"
        return TrainingError(
            f"the training had diverged at step {step} of {self._optimisation.steps}: {what}; most likely the rate, "
            f"{self._optimisation.rate:g}, is too high, or clips hold what is no speech: lower it, or raise `warmup` "
            f"({good})"
        )


def _numbers(model: nn.Module, optimiser: torch.optim.Optimizer) -> Iterable[Tensor]:
    """All tensors that must stay finite: parameters, buffers, and the optimiser's running means."""
    yield from model.state_dict().values()
    for slots in optimiser.state_dict()["state"].values():
        yield from (value for value in slots.values() if isinstance(value, Tensor))


def _backward(
    model: nn.Module,
    losses_of: Callable[[int, torch.Generator], Mapping[str, Tensor]],
    weights: Mapping[str, float],
    optimisation: Optimisation,
    step: int,
    seed: int,
) -> tuple[dict[str, float], float]:
    chance = seed * 1_000_003 + step + OTHERS * world()[1]
    generator = torch.Generator().manual_seed(chance)
    device = home_of(model)
    # Dropout draws from the global state, of the device too: give it one of its own.
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(chance)
        losses = losses_of(step, generator)
        model.zero_grad(set_to_none=True)
        total = torch.stack([weights.get(name, 1.0) * loss for name, loss in losses.items()]).sum()
        torch.autograd.backward(total)
    told = _averaged(model, losses)
    norm = float(nn.utils.clip_grad_norm_(model.parameters(), optimisation.clip))
    return told, norm


def _averaged(model: nn.Module, losses: Mapping[str, Tensor]) -> dict[str, float]:
    """The losses as numbers; they and the gradients as means over the processes."""
    size, _ = world()
    if size > 1:
        moving = [parameter for parameter in model.parameters() if parameter.requires_grad]
        there = torch.tensor([parameter.grad is not None for parameter in moving])
        gradients = [torch.zeros_like(each) if each.grad is None else each.grad for each in moving]
        *gradients, there, told = sums([*gradients, there.float(), torch.stack(list(losses.values()))])
        for parameter, gradient, known in zip(moving, gradients, there.tolist(), strict=True):
            parameter.grad = gradient / size if known else None
        losses = dict(zip(losses, told / size, strict=True))
    return {name: float(loss.detach()) for name, loss in losses.items()}


def _save(path: Path, model: nn.Module, optimiser: torch.optim.Optimizer, step: int, skipped: int, run: Run) -> None:
    tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    save_state(
        path, moved(tensors | slots_of(optimiser), CPU), {"step": step, "skipped": skipped, "run": dict(run.parts)}
    )


def slots_of(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimiser's state of each parameter, as `optimiser.INDEX.SLOT`."""
    kept = optimiser.state_dict()["state"]
    return {
        f"optimiser.{index}.{slot}": value
        for index, slots in kept.items()
        for slot, value in slots.items()
        if value is not None
    }


def set_slots(optimiser: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Set an optimiser's state to what `slots_of` returned; other tensors are ignored."""
    slots: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith("optimiser."):
            _, index, slot = name.split(".", 2)
            slots.setdefault(int(index), {})[slot] = value
    optimiser.load_state_dict({"state": slots, "param_groups": optimiser.state_dict()["param_groups"]})


def _restore(path: Path, model: nn.Module, optimiser: torch.optim.Optimizer, run: Run) -> tuple[int, int]:
    """Restore `model` and `optimiser`; returns the steps done and the steps skipped."""
    found = load_run(path, run)
    if found is None:
        return 0, 0
    tensors, header = found
    try:
        model.load_state_dict({k.removeprefix("model."): v for k, v in tensors.items() if k.startswith("model.")})
        set_slots(optimiser, tensors)
        return int(header["step"]), int(header["skipped"])
    except (RuntimeError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path}: the saved state is damaged; delete it to start again") from error


def load_run(path: Path, run: Run) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """The tensors and the header of a run's state; None if there is none, or if it was another run's and discarded.

    Raises:
    CheckpointError: it is damaged, or another run's and may not be discarded; the message says how they differ.
    """
    found, problem = None, ""
    try:
        found = load_state(path)
    except CheckpointError:
        if run.discard is None:
            raise
        problem = "a state that is damaged"
    if found is not None:
        of = found[1].get("run")
        differ = differences(of, run.parts) if isinstance(of, dict) else ["version"]
        if not differ:
            return found
        steps = found[1].get("step")
        problem = f"the state of another run ({steps} steps; it differs in {', '.join(differ)})"
    if not problem:
        return None
    if run.discard is None:
        raise CheckpointError(
            f"{path}: is {problem}; give this run a `work` folder of its own, or throw the other away with --overwrite"
        )
    log = path.with_name("log.jsonl")
    if world()[1] == 0:
        run.discard(f"{path}: {problem} is thrown away" + (", and its log" if log.exists() else ""))
        path.unlink(missing_ok=True)
        log.unlink(missing_ok=True)
    return None


def save_state(path: Path, tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> None:
    """Write the state that a loop needs to resume: one safetensors file, written beside its place and then renamed.

    The header is any JSON.

    Raises:
    CheckpointError: it cannot be written, for example on a full disk; the last saved state stays.
    """
    whole = {name: tensor.detach().contiguous().clone() for name, tensor in tensors.items()}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as beside:
            save_file(whole, beside, {"state": json.dumps(header)})
    except (OSError, SafetensorError) as error:
        raise CheckpointError(
            f"{path}: the state cannot be saved ({error}); free some space, then run again to resume"
        ) from error


def load_state(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """Tensors and header that `save_state` wrote; None if there is no file.

    Raises:
        CheckpointError: the file is damaged.
    """
    if not path.exists():
        return None
    try:
        check_regular(path)
        with safe_open(path, "pt") as file:
            header = json.loads((file.metadata() or {})["state"])
            if not isinstance(header, dict):
                raise ValueError("its header is no table")
            # copies: tensors from safetensors keep the file mapped, and Windows does not replace a mapped file
            return {name: file.get_tensor(name).clone() for name in file.keys()}, header  # noqa: SIM118 (no mapping)
    except (OSError, SafetensorError, KeyError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: the saved state is damaged ({error}); delete it to start again") from error


def append_log(path: Path, row: Mapping[str, Any]) -> None:
    """Add one JSON line to a training log. Raises CheckpointError if it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8", newline="\n") as file:
            file.write(json.dumps(row) + "\n")
    except OSError as error:
        raise CheckpointError(f"{path}: the log cannot be written ({error}); free some space, then resume") from error
