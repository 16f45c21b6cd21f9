"""Choose the fine-tuning plan by the amount of data, and the held-out clips."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from earful.adapt.finetune import Letters, Plan, Selection
from earful.adapt.inner import Inner
from earful.checkpoint import Checkpoint
from earful.config import from_mapping
from earful.data.apart import ENOUGH_VOICES
from earful.features.mask import SpecAugment

LEAST, FEW, MANY = 4, 30, 120
"""From LEAST clips a part can be held out. Below FEW it would be too small to measure on, so the plan cross-validates;
below MANY the model is trained again with the held-out clips, since they are worth it."""


LEAST_HELD, MANY_VOICES = 5, 12
"""The fewest groups in a held-out part, for a useful interval; and, for many clips, the fewest groups of speakers for a
split by speaker."""


LITTLE_S, SOME_S = 15.0, 30.0
"""Little speech is trained on in smaller batches, which are as good and faster (`bench/plan_learned.json`,
`bench/plans_dutch.json`)."""


STRETCH = 0.15
"""The largest random change of pace in training. It helps as much as augmented copies, whose frames would have to be
computed (`bench/plan_copies.json`)."""


SLOW = 2e-4
"""The learning rate for a few sentences: with the usual one the model overfits to their text and voice."""


EPOCHS, STEPS, MOST_STEPS = 11, 300, 3000
"""The number of epochs for much speech, and the most steps."""


FURTHER, BACK = 0.5, 0.5
"""For a recogniser of the language: the share of the usual rate, and the share of interpolation back to the start, so
that a few clips of a new speaker do not spoil it (`bench/plan_moves.json`, `bench/voices.json`)."""


QUICK_STEPS, QUICK_S = 40, 15.0
"""The steps of the quick plan, and seconds of speech in each."""


AT_ONCE_S = 300.0
"""The most speech in a step of a learned inner loop, which otherwise uses all clips: a limit of memory."""


@dataclass(frozen=True)
class Learned:
    """How a meta-trained base is adapted: inner loop, trained parameters, and initialisation of new letters."""

    inner: Inner
    moves: Selection = "all"
    letters: Letters = "like"


def learned_by(base: Checkpoint) -> Learned | None:
    """The inner loop of a base, if it has one. Raises ConfigError if it is from another version of earful."""
    return from_mapping(Learned, base.inner.settings, "the model's inner loop") if base.inner else None


def plan_by(learned: Learned, clips: int, seconds: float) -> Plan:
    """The plan of a meta-trained base: its own steps, measured as in `plan_for`."""
    return replace(
        plan_for(clips, seconds),
        steps=learned.inner.steps,
        evaluations=learned.inner.steps,
        dropout=0.0,
        batch_s=AT_ONCE_S,
        copies=0,
        stretch=0.0,
        averaged=False,
        letters=learned.letters,
        masks=SpecAugment(frequency_masks=0, time_masks=0),
        inner=learned.inner,
        moves=learned.moves,
    )


def plan_after(learned: Learned, clips: int, seconds: float) -> Plan:
    """The plan of `plan_by`, followed by the steps that any base takes."""
    return replace(plan_for(clips, seconds), letters=learned.letters, first=plan_by(learned, clips, seconds))


def plan_for(clips: int, seconds: float, *, further: bool = False) -> Plan:
    """The plan for `clips` recordings of `seconds` in all; `bench/adapt_settings.py` compares similar plans on Dutch.

    `further` is for a recogniser of the language: its letters need no new rows, and it is trained with a lower rate and
    interpolated back.
    """
    if further:
        plan = plan_for(clips, seconds)
        return replace(plan, rate=FURTHER * plan.rate, back=BACK, letters="like")
    if clips < LEAST:
        return Plan(steps=80, rate=SLOW, batch_s=LITTLE_S, copies=8, folds=0)
    if clips < FEW:
        return Plan(steps=80, batch_s=LITTLE_S, copies=0, stretch=STRETCH, folds=3)
    if clips < MANY:
        return Plan(steps=120, batch_s=LITTLE_S, copies=0, stretch=STRETCH, again=True)
    steps = min(round(EPOCHS * seconds / Plan.batch_s), MOST_STEPS)
    if steps > STEPS:
        return Plan(steps=steps, copies=1)
    return Plan(steps=STEPS, batch_s=SOME_S, copies=0, stretch=STRETCH)


def plan_quick(clips: int, seconds: float, *, further: bool = False) -> Plan:
    """The quick plan: one run, no copies, few steps at a higher rate, in small batches.

    It was chosen on fifty Dutch clips. These hold nearly all letters, so letters start from their sounds alone. With
    fewer than 30 clips there is time for the rules of the language, and to train again with the held-out clips.
    """
    usual = plan_for(clips, seconds, further=further)
    steps, faster = (QUICK_STEPS, 1.0) if clips < FEW else (QUICK_STEPS * (1 if clips < MANY else 3), 2.0)
    return replace(
        usual,
        steps=steps,
        rate=faster * usual.rate,
        batch_s=QUICK_S,
        copies=0,
        stretch=0.0,
        evaluations=1,
        folds=min(usual.folds, 1),
        holdout=0.2 if clips < FEW else usual.holdout,
        again=LEAST <= clips < FEW,
        averaged=False,
        letters="heard" if clips >= FEW and usual.letters == "rules" else usual.letters,
    )


def measured_by(plan: Plan, groups: Sequence[int]) -> Plan:
    """The plan with a measurement that suits these groups, none of which may be on both sides of a split.

    With fewer than `LEAST` groups nothing is held out. Below `FEW` the plan cross-validates, if it has time to train
    again: one part, with a speaker or two, would say too little about the others.
    """
    if plan.folds == 0 or len(groups) < 2:
        return plan
    count = len(set(groups))
    if count < min(LEAST, len(groups)):
        return replace(plan, folds=0)
    return replace(plan, folds=3) if plan.folds == 1 and plan.again and count < FEW <= len(groups) else plan


def split_folds(groups: Sequence[int], plan: Plan, generator: torch.Generator) -> list[tuple[list[int], list[int]]]:
    """`(training clips, held-out clips)` of each fold, by number; `groups` has the group of each clip.

    No group is on both sides. Empty if the plan does not measure, or if there is only one group.
    """
    members: dict[int, list[int]] = {}
    for i, group in enumerate(groups):
        members.setdefault(group, []).append(i)
    if plan.folds == 0 or len(members) < 2:
        return []
    known = list(members.values())
    drawn = [known[i] for i in torch.randperm(len(known), generator=generator).tolist()]
    order = [i for group in drawn for i in group]
    parts = [_first(drawn, round(len(groups) * plan.holdout))] if plan.folds == 1 else _dealt(drawn, plan.folds)
    return [([i for i in order if i not in set(part)], part) for part in parts]


def _first(groups: Sequence[list[int]], wanted: int) -> list[int]:
    """The first groups with `wanted` clips, and enough groups for an interval, but at most half of the groups.

    With many clips the model is not trained on the held-out ones afterwards, so larger groups come last.
    """
    small_first = sorted(groups, key=lambda group: len(group) > max(wanted, 1))
    half = max(1, len(groups) // 2)
    part: list[int] = []
    for taken, group in enumerate(small_first[:half]):
        if len(part) >= max(wanted, 1) and taken >= min(LEAST_HELD, half):
            break
        part += group
    return part


def _dealt(groups: Sequence[list[int]], folds: int) -> list[list[int]]:
    """Distribute all groups, the largest first, each to the part with the fewest clips."""
    parts: list[list[int]] = [[] for _ in range(min(folds, len(groups)))]
    for group in sorted(groups, key=len, reverse=True):
        min(parts, key=len).extend(group)
    return parts


def voices_wanted(clips: int) -> int:
    """The fewest groups of speakers for a split by speaker; with many clips only a part is held out."""
    return ENOUGH_VOICES if clips < MANY else MANY_VOICES
