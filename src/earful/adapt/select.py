"""How many clips, how much speech → how to fine-tune; and which clips measure the result."""

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
"""From LEAST clips on a part can be held out; below FEW it would be too small to measure with: cross-validate instead;
below MANY, what was held out is dear enough to learn again with it."""


LEAST_HELD, MANY_VOICES = 5, 12
"""A part that is held out has so many groups, for an interval that says something; and of many clips, where only a part
is measured, speakers are kept apart from so many groups of them on."""


LITTLE_S, SOME_S = 15.0, 30.0
"""Little speech is learned from in smaller batches, which do no worse and take less time (`bench/plan_learned.json`,
`bench/plans_dutch.json`); much speech is not."""


STRETCH = 0.15
"""By so much clips are drawn out or pressed together as they are learned from. That brings as much as augmented copies
of their sound, which would have to be heard (`bench/plan_copies.json`)."""


SLOW = 2e-4
"""The rate for a few sentences: at the usual one their letters and their voice are learned by heart."""


EPOCHS, STEPS, MOST_STEPS = 11, 300, 3000
"""With much speech there are steps for so many rounds through it, and at most so many steps."""


FURTHER, BACK = 0.5, 0.5
"""A recogniser of the language moves at this share of the rate, and then goes this share of the way back, lest a few
clips of a new speaker spoil what it knows (`bench/plan_moves.json`, `bench/voices.json`)."""


QUICK_STEPS, QUICK_S = 40, 15.0
"""Steps, and seconds of speech in each, where an answer is wanted within seconds."""


AT_ONCE_S = 300.0
"""A learned inner loop takes all clips at every step; beyond so much speech, for memory, a part of them."""


@dataclass(frozen=True)
class Learned:
    """What a meta-trained base says of how it is to be adapted: by which steps, what moves, whence new letters come."""

    inner: Inner
    moves: Selection = "all"
    letters: Letters = "like"


def learned_by(base: Checkpoint) -> Learned | None:
    """The inner loop that a base brings, if it does. Raises ConfigError where it is of another version of earful."""
    return from_mapping(Learned, base.inner.settings, "the model's inner loop") if base.inner else None


def plan_by(learned: Learned, clips: int, seconds: float) -> Plan:
    """The plan by which a meta-trained base is adapted: its own steps; what measures them is as in `plan_for`."""
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
    """The plan of `plan_by`, and then as many more steps as any base takes."""
    return replace(plan_for(clips, seconds), letters=learned.letters, first=plan_by(learned, clips, seconds))


def plan_for(clips: int, seconds: float, *, further: bool = False) -> Plan:
    """The plan for `clips` recordings of `seconds` in all; `bench/adapt_settings.py` tries its neighbours on Dutch.

    With `further` it is for a recogniser that writes the language already: its letters need no new rows, and it moves
    more slowly, and not as far.
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
    """The plan for an answer within seconds: one run, no copies, few steps at a higher rate, in small batches.

    It was chosen on fifty Dutch clips. So many hold nearly all letters, which then start from what is heard alone. With
    fewer than 30 there is time for the rules of the language, and to learn again from the clips that measured.
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
    """The plan as it can measure clips of these groups, none of which may be on both sides.

    With fewer than `LEAST` groups nothing honest can be held out. Below `FEW` all are measured in turn, where the plan
    has the time to learn again: those of one part, a speaker or two, would say too little of the others.
    """
    if plan.folds == 0 or len(groups) < 2:
        return plan
    count = len(set(groups))
    if count < min(LEAST, len(groups)):
        return replace(plan, folds=0)
    return replace(plan, folds=3) if plan.folds == 1 and plan.again and count < FEW <= len(groups) else plan


def split_folds(groups: Sequence[int], plan: Plan, generator: torch.Generator) -> list[tuple[list[int], list[int]]]:
    """`(to learn from, to measure with)` for each fold, clips by number, `groups` having the group of each.

    No group is on both sides. None where the plan does not measure, or there is but one group.
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
    """The first groups that are so many clips, and groups enough for an interval; but no more than half of them.

    What is held out of many clips is not learned from afterwards: larger groups come last.
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
    """All groups, the largest first, each to the part that has the fewest clips."""
    parts: list[list[int]] = [[] for _ in range(min(folds, len(groups)))]
    for group in sorted(groups, key=len, reverse=True):
        min(parts, key=len).extend(group)
    return parts


def voices_wanted(clips: int) -> int:
    """How many groups of speakers are enough to keep them apart: with many clips only a part of them is measured."""
    return ENOUGH_VOICES if clips < MANY else MANY_VOICES
