"""How many clips, how much speech → how to fine-tune; and which clips measure the result."""

from dataclasses import dataclass, replace

import torch

from earful.adapt.finetune import Letters, Plan, Selection
from earful.adapt.inner import Inner
from earful.checkpoint import Checkpoint
from earful.config import from_mapping
from earful.features.mask import SpecAugment

LEAST, FEW, MANY = 4, 30, 120
"""From LEAST clips on a part can be held out; below FEW it would be too small to measure with: cross-validate instead;
below MANY, what was held out is dear enough to learn again with it."""


LITTLE_S = 30.0
"""Little speech is learned from in smaller batches, which do no worse and take less time; much speech is not."""


SLOW = 2e-4
"""The rate for a few sentences: at the usual one their letters and their voice are learned by heart."""


EPOCHS, MOST_STEPS = 11, 3000
"""With much speech there are steps for so many rounds through it, and at most so many steps."""


FURTHER = 0.2
"""A recogniser of the language moves at this share of the rate, lest a few clips of a new speaker spoil what it knows
(`bench/conditions.py` measures it)."""


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
    more slowly.
    """
    if further:
        plan = plan_for(clips, seconds)
        return replace(plan, rate=FURTHER * plan.rate, letters="like")
    if clips < LEAST:
        return Plan(steps=80, rate=SLOW, batch_s=LITTLE_S, copies=8, folds=0)
    if clips < FEW:
        return Plan(steps=80, batch_s=LITTLE_S, copies=8, folds=3)
    if clips < MANY:
        return Plan(steps=120, batch_s=LITTLE_S, copies=4, again=True)
    steps = min(round(EPOCHS * seconds / Plan.batch_s), MOST_STEPS)
    return Plan(steps=300, copies=2) if steps <= 300 else Plan(steps=steps, copies=1)


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
        evaluations=1,
        folds=min(usual.folds, 1),
        holdout=0.2 if clips < FEW else usual.holdout,
        again=LEAST <= clips < FEW,
        averaged=False,
        letters="heard" if clips >= FEW and usual.letters == "rules" else usual.letters,
    )


def split_folds(clips: int, plan: Plan, generator: torch.Generator) -> list[tuple[list[int], list[int]]]:
    """`(to learn from, to measure with)` for each fold; none where the plan does not measure, or has but one clip."""
    if plan.folds == 0 or clips < 2:
        return []
    order: list[int] = torch.randperm(clips, generator=generator).tolist()
    count = min(plan.folds, clips)
    first = order[: max(1, round(clips * plan.holdout))]
    parts = [first] if plan.folds == 1 else [order[i::count] for i in range(count)]
    return [([i for i in order if i not in set(part)], part) for part in parts]
