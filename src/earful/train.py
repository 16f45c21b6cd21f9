"""What the training loops share: schedule, optimiser, clipping, exact resume."""

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from earful.device import CPU, home_of, moved
from earful.errors import CheckpointError, ConfigError
from earful.processes import sums, world
from earful.writing import replacing

OTHERS = 499_979
"""What the randomness of each further process is away from that of the one before."""


WEIGHT_DECAY, CLIP_NORM = 0.01, 1.0
"""AdamW's, where a recipe says nothing of them."""


@dataclass(frozen=True)
class Optimisation:
    """AdamW (Loshchilov and Hutter 2019): a linear rise to `rate`, then a cosine fall to a hundredth of it.

    `weight_decay` and `clip_norm` (of a step's whole gradient; inf: none) are `decay` and `clip` where they are left
    out; the outer loop of meta-training may be another optimiser, which has others (`metatrain.loop.Outer`).
    """

    steps: int
    rate: float = 1e-3
    warmup: float = 0.05
    weight_decay: float | None = None
    clip_norm: float | None = None

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ConfigError(f"steps is {self.steps}, must be at least 1")
        if not 0 <= self.warmup < 1:
            raise ConfigError(f"warmup is {self.warmup}, must be a share of the steps: at least 0, below 1")
        if self.weight_decay is not None and not self.weight_decay >= 0:
            raise ConfigError(f"weight_decay is {self.weight_decay}, must be at least 0")
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
    """What a loop reports after a step: its number (from 1), losses by name, gradient norm, seconds since the start."""

    number: int
    losses: dict[str, float]
    grad_norm: float
    elapsed_s: float


def rate_at(step: int, optimisation: Optimisation) -> float:
    """The learning rate of step `step` (from 0)."""
    warm = max(1, round(optimisation.warmup * optimisation.steps))
    if step < warm:
        return optimisation.rate * (step + 1) / warm
    done = (step - warm) / max(1, optimisation.steps - warm)
    return optimisation.rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))


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
) -> int:
    """Train `model` in place; answers the number of non-finite steps, which are skipped.

    `losses_of(step, generator)` gives the losses of a step by name; their sum, weighted by `weights_of(step)` (1 where
    it says nothing), is minimised. All randomness of a step comes from `(seed, step)`, so a run resumed from the file
    `state` equals one that was never interrupted. Under `torchrun` gradients and losses are averaged over the
    processes, each of which takes its share of a batch (`processes.share`); the first one reports and saves.

    Raises:
        CheckpointError: `state` is damaged or of another model, or cannot be written.
        TrainingError: another process has ended.
    """
    moving = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(moving, lr=optimisation.rate, weight_decay=optimisation.decay, betas=(0.9, 0.98))
    first, skipped = _restore(state, model, optimiser)
    leads = world()[1] == 0
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
        if leads and (step + 1) % save_every == 0 and step + 1 < optimisation.steps:
            _save(state, model, optimiser, step + 1, skipped)
    if leads:
        _save(state, model, optimiser, max(first, optimisation.steps), skipped)
    return skipped


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


def _save(path: Path, model: nn.Module, optimiser: torch.optim.Optimizer, step: int, skipped: int) -> None:
    tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    for index, slots in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{index}.{slot}": value for slot, value in slots.items()}
    save_state(path, moved(tensors, CPU), {"step": step, "skipped": skipped})


def _restore(path: Path, model: nn.Module, optimiser: torch.optim.Optimizer) -> tuple[int, int]:
    """Steps done and steps skipped; `model` and `optimiser` as they were then."""
    found = load_state(path)
    if found is None:
        return 0, 0
    tensors, header = found
    try:
        model.load_state_dict({k.removeprefix("model."): v for k, v in tensors.items() if k.startswith("model.")})
    except RuntimeError as error:
        raise CheckpointError(
            f"{path}: the saved state is of another model; delete it to start again, or give this run another folder"
        ) from error
    slots: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith("optimiser."):
            _, index, slot = name.split(".", 2)
            slots.setdefault(int(index), {})[slot] = value
    optimiser.load_state_dict({"state": slots, "param_groups": optimiser.state_dict()["param_groups"]})
    return header["step"], header["skipped"]


def save_state(path: Path, tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> None:
    """Write what a loop needs to go on: one safetensors file, beside and then renamed; the header is any JSON.

    Raises:
        CheckpointError: it cannot be written, for example on a full disk; what was saved before stands.
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
    """Tensors and header that `save_state` wrote; None where there is no file.

    Raises:
        CheckpointError: the file is damaged.
    """
    if not path.exists():
        return None
    try:
        with safe_open(path, "pt") as file:
            header = json.loads((file.metadata() or {})["state"])
            return {name: file.get_tensor(name) for name in file.keys()}, header  # noqa: SIM118 (no mapping)
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise CheckpointError(f"{path}: the saved state is damaged ({error}); delete it to start again") from error


def append_log(path: Path, row: Mapping[str, Any]) -> None:
    """Add one JSON line to a training log. Raises CheckpointError where it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8", newline="\n") as file:
            file.write(json.dumps(row) + "\n")
    except OSError as error:
        raise CheckpointError(f"{path}: the log cannot be written ({error}); free some space, then resume") from error
