"""How many clips, how much speech → how to fine-tune; and which clips measure the result."""

import torch

from earful.adapt.finetune import Plan

FEW = 30
"""Below so many clips a held-out part is too small to measure with: cross-validate instead."""


def plan_for(clips: int, seconds: float) -> Plan:
    """The plan for `clips` recordings of `seconds` in all; `bench/adapt_settings.py` tries its neighbours on Dutch."""
    steps = 80 if clips < FEW else 160 if clips < 120 else 300
    folds = 0 if clips < 4 else 3 if clips < FEW else 1
    rate = 5e-4 if clips < FEW else 1e-3
    return Plan(steps=steps, rate=rate, folds=folds, copies=8 if clips < FEW else 4 if clips < 120 else 2)


def split_folds(clips: int, plan: Plan, generator: torch.Generator) -> list[tuple[list[int], list[int]]]:
    """`(to learn from, to measure with)` for each fold; none where the plan does not measure, or has but one clip."""
    if plan.folds == 0 or clips < 2:
        return []
    order: list[int] = torch.randperm(clips, generator=generator).tolist()
    count = min(plan.folds, clips)
    first = order[: max(1, round(clips * plan.holdout))]
    parts = [first] if plan.folds == 1 else [order[i::count] for i in range(count)]
    return [([i for i in order if i not in set(part)], part) for part in parts]
