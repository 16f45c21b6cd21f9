"""The plans as they were measured: the figures in the documents hold for these and no others. And parts, by hand."""

from dataclasses import replace

import pytest
import torch

from earful.adapt.finetune import Plan
from earful.adapt.inner import Inner
from earful.adapt.select import (
    Learned,
    measured_by,
    plan_after,
    plan_by,
    plan_for,
    plan_quick,
    split_folds,
    voices_wanted,
)

USUAL = [
    # clips, minutes: steps, rate, seconds a batch, copies, stretch, folds, again
    (1, 1, (80, 2e-4, 15.0, 8, 0.0, 0, False)),
    (3, 1, (80, 2e-4, 15.0, 8, 0.0, 0, False)),
    (4, 1, (80, 5e-4, 15.0, 0, 0.15, 3, False)),
    (29, 2, (80, 5e-4, 15.0, 0, 0.15, 3, False)),
    (30, 2, (120, 5e-4, 15.0, 0, 0.15, 1, True)),
    (119, 6, (120, 5e-4, 15.0, 0, 0.15, 1, True)),
    (120, 6, (300, 5e-4, 30.0, 0, 0.15, 1, False)),
    (900, 27, (300, 5e-4, 30.0, 0, 0.15, 1, False)),
    (900, 28, (308, 5e-4, 60.0, 1, 0.0, 1, False)),
    (9000, 272, (2992, 5e-4, 60.0, 1, 0.0, 1, False)),
    (9000, 300, (3000, 5e-4, 60.0, 1, 0.0, 1, False)),
]
QUICK = [
    # clips: steps, times the usual rate, folds, held out, again, letters
    (3, (40, 1.0, 0, 0.2, False, "rules")),
    (4, (40, 1.0, 1, 0.2, True, "rules")),
    (29, (40, 1.0, 1, 0.2, True, "rules")),
    (30, (40, 2.0, 1, 0.1, False, "heard")),
    (119, (40, 2.0, 1, 0.1, False, "heard")),
    (120, (120, 2.0, 1, 0.1, False, "heard")),
]
OF = {clips: minutes for clips, minutes, _ in USUAL}


@pytest.mark.parametrize(("clips", "minutes", "plan"), USUAL)
def test_the_usual_plan(clips: int, minutes: int, plan: tuple[object, ...]) -> None:
    found = plan_for(clips, 60.0 * minutes)
    assert (found.steps, found.rate, found.batch_s, found.copies, found.stretch, found.folds, found.again) == plan
    assert found.averaged and found.letters == "rules" and found.holdout == 0.1 and found.first is None


@pytest.mark.parametrize(("clips", "minutes", "plan"), USUAL)
def test_the_plan_of_a_recogniser_that_writes_the_language(clips: int, minutes: int, plan: tuple[object, ...]) -> None:
    first, further = plan_for(clips, 60.0 * minutes), plan_for(clips, 60.0 * minutes, further=True)
    assert further == replace(first, rate=0.5 * first.rate, back=0.5, letters="like")


@pytest.mark.parametrize(("clips", "plan"), QUICK)
def test_the_quick_plan(clips: int, plan: tuple[object, ...]) -> None:
    found, usual = plan_quick(clips, 60.0 * OF[clips]), plan_for(clips, 60.0 * OF[clips])
    times = found.rate / usual.rate
    assert (found.steps, times, found.folds, found.holdout, found.again, found.letters) == plan
    assert (found.batch_s, found.copies, found.stretch, found.evaluations, found.averaged) == (15.0, 0, 0.0, 1, False)


def test_the_quick_plan_of_a_recogniser_that_writes_the_language() -> None:
    found = plan_quick(50, 150.0, further=True)
    assert (found.rate, found.back, found.letters) == (5e-4, 0.5, "like")


def test_a_metatrained_base_is_adapted_as_it_was_metatrained() -> None:
    """All clips at every step, plain and whole: nothing that its own loop has not met."""
    learned = Learned(Inner(0.1, 3), "head", "prototypes")
    plan = plan_by(learned, 50, 150.0)
    assert (plan.steps, plan.evaluations, plan.batch_s, plan.dropout) == (3, 3, 300.0, 0.0)
    assert (plan.copies, plan.stretch, plan.averaged) == (0, 0.0, False)
    assert (plan.masks.frequency_masks, plan.masks.time_masks) == (0, 0)
    assert (plan.inner, plan.moves, plan.letters) == (learned.inner, "head", "prototypes")
    after = plan_after(learned, 50, 150.0)
    assert after == replace(plan_for(50, 150.0), letters="prototypes", first=plan)


def test_where_groups_are_too_few_nothing_is_held_out() -> None:
    """At four groups it is honest; of three clips by three speakers each is met by none of the others."""
    few = plan_for(12, 36.0)
    assert measured_by(few, [0, 1, 2, 0, 1, 2]).folds == 0
    assert measured_by(few, [0, 1, 2, 3, 0, 1]) == few
    assert measured_by(few, [0, 1, 2]) == few and measured_by(few, [0, 0, 1]).folds == 0
    assert measured_by(few, [0]) == few and measured_by(few, [0, 0]).folds == 0
    unmeasured = plan_for(3, 9.0)
    assert measured_by(unmeasured, [0, 0, 0]) is unmeasured


def test_where_groups_are_few_all_are_measured_in_turn() -> None:
    """Below thirty groups, of thirty clips or more, where there is time to learn again."""
    usual = plan_for(60, 180.0)
    assert measured_by(usual, [i % 29 for i in range(60)]) == replace(usual, folds=3)
    assert measured_by(usual, [i % 30 for i in range(60)]) == usual
    assert measured_by(usual, [i % 29 for i in range(30)]).folds == 3
    assert measured_by(usual, [i % 29 for i in range(29)]) == usual
    assert measured_by(replace(usual, again=False), [i % 9 for i in range(60)]).folds == 1
    assert measured_by(replace(usual, folds=2), [i % 9 for i in range(60)]).folds == 2


def held(groups: list[int], plan: Plan, seed: int = 0) -> list[list[int]]:
    return [part for _, part in split_folds(groups, plan, torch.Generator().manual_seed(seed))]


@pytest.mark.parametrize(
    ("clips", "count"), [(2, 1), (3, 1), (4, 2), (8, 4), (10, 5), (20, 5), (50, 5), (60, 6), (200, 20)]
)
def test_how_many_clips_are_held_out(clips: int, count: int) -> None:
    """A tenth, but five for an interval, but no more than half."""
    (part,) = held(list(range(clips)), Plan(steps=1, holdout=0.1))
    assert len(part) == count


def test_groups_are_held_out_whole_until_they_are_clips_enough() -> None:
    """Of ten groups of two, five groups; of forty of two at a quarter, ten: twenty clips of eighty."""
    (part,) = held([i // 2 for i in range(20)], Plan(steps=1, holdout=0.1))
    assert len(part) == 10
    (part,) = held([i // 2 for i in range(80)], Plan(steps=1, holdout=0.25))
    assert len(part) == 20


def test_a_group_as_large_as_what_is_held_out_may_be_held_out() -> None:
    """Six of sixty: a group of six may be drawn first as well as any, one of seven is drawn last."""
    singles = list(range(1, 55))
    first = {len([i for i in held([0] * 6 + singles, Plan(steps=1), seed)[0] if i < 6]) for seed in range(60)}
    last = {len([i for i in held([0] * 7 + singles[1:], Plan(steps=1), seed)[0] if i < 7]) for seed in range(60)}
    assert first == {0, 6} and last == {0}


def test_parts_are_as_even_as_groups_allow() -> None:
    """Groups of 5, 3, 2, 1 and 1: the largest first, each to the smaller part."""
    groups = [0] * 5 + [1] * 3 + [2] * 2 + [3, 4]
    for seed in range(10):
        assert [len(part) for part in held(groups, Plan(steps=1, folds=2), seed)] == [6, 6]
    assert len(held([0, 1], Plan(steps=1, folds=3))) == 2, "no part is empty"


def test_clips_are_learned_from_in_the_drawn_order() -> None:
    """Not as they were recorded: the seed decides, and what is left of the order is the same for all parts."""
    folds = split_folds(range(30), Plan(steps=1, folds=3), torch.Generator().manual_seed(0))
    order = torch.randperm(30, generator=torch.Generator().manual_seed(0)).tolist()
    for learn, part in folds:
        assert learn == [i for i in order if i not in part]


@pytest.mark.parametrize(("clips", "wanted"), [(1, 4), (119, 4), (120, 12), (900, 12)])
def test_how_many_voices_are_kept_apart(clips: int, wanted: int) -> None:
    assert voices_wanted(clips) == wanted
