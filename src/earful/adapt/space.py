"""The search space of `tune`: the settings and their ranges, and conversion from and to a plan."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from earful.adapt.finetune import Plan

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

Space = Mapping[str, "BaseDistribution"]
Settings = Mapping[str, Any]
"""Numbers, and the kind of decay, by name."""
PULLS = ("start", "zero", "none")
"""The kinds of decay: towards the start, towards zero, or none."""
MOST_BATCH_S = 120.0
"""Larger batches are only tried if the plan has them, because of memory and time."""


def space_around(plan: Plan, dropout: float, distributions: Any) -> Space:
    """The settings and their ranges, which contain `plan` except for a decay of 0. `dropout` is the base's."""
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
    """The settings of `plan`; `dropout` is the base's."""
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
    """`plan` with these settings, rounded to three digits: more have no effect."""
    short = {name: float(f"{settings[name]:.3g}") for name in ("rate", "head_factor", "decay", "dropout", "batch_s")}
    pull = settings["regulariser"]
    pulls = {"decay": 0.0} if pull == "none" else {"towards": pull}
    counts = {name: int(settings[name]) for name in ("steps", "copies")}
    masks = replace(plan.masks, **{name: int(settings[name]) for name in ("time_masks", "time_frames")})
    return replace(plan, **short | counts | pulls, masks=masks)
