"""The space of plans that `tune` searches: which settings, how far, and the way from a plan into it and back."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from earful.adapt.finetune import Plan

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

Space = Mapping[str, "BaseDistribution"]
Settings = Mapping[str, Any]
"""Numbers, and the regulariser, by name."""
PULLS = ("start", "zero", "none")
"""What a search may take for a regulariser: decay towards the start, decay towards zero, or no decay."""
MOST_BATCH_S = 120.0
"""Larger batches are not tried unless the plan has them: they take memory, and time."""


def space_around(plan: Plan, dropout: float, distributions: Any) -> Space:
    """The settings that are searched, and where; `plan` lies within, but for a decay of 0. `dropout` is the base's."""
    real, whole = distributions.FloatDistribution, distributions.IntDistribution
    masks = plan.masks
    return {
        "rate": real(plan.rate / 4, plan.rate * 4, log=True),
        "head_factor": real(plan.head_factor / 4, plan.head_factor * 4, log=True),
        "decay": real(min(1e-3, plan.decay or 1.0), max(3.0, plan.decay), log=True),
        "dropout": real(0.0, max(0.3, dropout, plan.dropout or 0.0)),
        "steps": whole(max(1, plan.steps // 2), 3 * plan.steps, log=True),
        "time_masks": whole(0, max(4, masks.time_masks)),
        "time_frames": whole(min(10, masks.time_frames), max(80, masks.time_frames)),
        "copies": whole(0, plan.copies),
        "batch_s": real(plan.batch_s / 3, max(plan.batch_s, min(3 * plan.batch_s, MOST_BATCH_S)), log=True),
        "regulariser": distributions.CategoricalDistribution(PULLS),
    }


def settings_of(plan: Plan, dropout: float) -> dict[str, Any]:
    """Where `plan` lies in the space around it; `dropout` is the base's."""
    return {
        "rate": plan.rate,
        "head_factor": plan.head_factor,
        "decay": plan.decay or 1e-3,
        "dropout": dropout if plan.dropout is None else plan.dropout,
        "steps": plan.steps,
        "time_masks": plan.masks.time_masks,
        "time_frames": plan.masks.time_frames,
        "copies": plan.copies,
        "batch_s": plan.batch_s,
        "regulariser": plan.towards if plan.decay else "none",
    }


def plan_with(plan: Plan, settings: Settings) -> Plan:
    """`plan` with these settings, to three digits: more mean nothing, and nobody wants to read them."""
    short = {name: float(f"{settings[name]:.3g}") for name in ("rate", "head_factor", "decay", "dropout", "batch_s")}
    pull = settings["regulariser"]
    pulls = {"decay": 0.0} if pull == "none" else {"towards": pull}
    counts = {name: int(settings[name]) for name in ("steps", "copies")}
    masks = replace(plan.masks, **{name: int(settings[name]) for name in ("time_masks", "time_frames")})
    return replace(plan, **short | counts | pulls, masks=masks)
