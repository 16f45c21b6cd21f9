"""How clips are split, and what is planned for how many."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from earful.adapt.finetune import Plan
from earful.adapt.inner import Inner
from earful.adapt.select import (
    BACK,
    FEW,
    FURTHER,
    LEAST_HELD,
    MOST_STEPS,
    STRETCH,
    Learned,
    learned_by,
    measured_by,
    plan_by,
    plan_for,
    plan_quick,
    split_folds,
    voices_wanted,
)
from earful.checkpoint import Checkpoint, InnerLoop
from earful.config import to_mapping
from earful.errors import ConfigError
from earful.model import ModelConfig
from earful.text.alphabet import Alphabet


def split(clips: int, plan: Plan, seed: int = 0) -> list[tuple[list[int], list[int]]]:
    return split_folds(range(clips), plan, torch.Generator().manual_seed(seed))


@given(st.integers(0, 80), st.integers(0, 5), st.floats(0.05, 0.9), st.integers(0, 9))
def test_folds(clips: int, folds: int, holdout: float, seed: int) -> None:
    parts = split(clips, Plan(steps=1, folds=folds, holdout=holdout), seed)
    assert bool(parts) == (folds > 0 and clips > 1)
    for learn, held in parts:
        assert held and sorted(learn + held) == list(range(clips))
    if len(parts) > 1:
        assert sorted(i for _, held in parts for i in held) == list(range(clips)), "each clip is held out once"


@given(st.lists(st.integers(0, 12), min_size=2, max_size=60), st.integers(1, 4), st.integers(0, 9))
def test_no_group_is_on_both_sides(groups: list[int], folds: int, seed: int) -> None:
    parts = split_folds(groups, Plan(steps=1, folds=folds), torch.Generator().manual_seed(seed))
    assert bool(parts) == (len(set(groups)) > 1)
    for learn, held in parts:
        assert learn and held and not {groups[i] for i in learn} & {groups[i] for i in held}
        assert sorted(learn + held) == list(range(len(groups)))
    if folds == 1 and parts and len(set(groups)) >= 10:
        assert len({groups[i] for i in parts[0][1]}) >= LEAST_HELD, "an interval needs so many"


def test_a_large_group_is_rather_learned_from() -> None:
    groups = [0] * 60 + list(range(1, 61))
    for seed in range(20):
        ((_, held),) = split_folds(groups, Plan(steps=1), torch.Generator().manual_seed(seed))
        assert len(held) == 12 and 0 not in {groups[i] for i in held}


def test_how_groups_are_measured() -> None:
    usual, few = plan_for(50, 150.0), plan_for(12, 36.0)
    assert measured_by(usual, range(50)) == usual and measured_by(few, range(12)) == few
    assert measured_by(few, [0, 1, 2] * 4).folds == 0, "three sentences: nothing honest can be held out"
    assert measured_by(few, [0, 1, 2, 3] * 3).folds == 3
    assert measured_by(usual, [i % 5 for i in range(50)]).folds == 3, "a tenth would be one speaker"
    assert measured_by(plan_for(200, 600.0), [i % 20 for i in range(200)]).folds == 1, "it would take too long"
    assert measured_by(plan_quick(50, 150.0), [i % 5 for i in range(50)]).folds == 1, "quick stays quick"
    assert voices_wanted(50) == 4 and voices_wanted(200) == 12


def test_the_draw_is_the_seeds() -> None:
    plan = plan_for(50, 150.0)
    assert split(50, plan, 1) == split(50, plan, 1) != split(50, plan, 2)


@pytest.mark.parametrize(("clips", "folds"), [(1, 0), (3, 0), (4, 3), (FEW - 1, 3), (FEW, 1), (1000, 1)])
def test_how_the_result_is_measured(clips: int, folds: int) -> None:
    assert plan_for(clips, 3.0 * clips).folds == folds


def test_more_clips_more_steps() -> None:
    steps = [plan_for(clips, 3.0 * clips).steps for clips in (5, 50, 500)]
    assert steps == sorted(set(steps))


def test_much_speech_is_gone_through_as_often() -> None:
    minutes = (10, 27, 90, 180, 1000)
    plans = [plan_for(20 * m, 60.0 * m) for m in minutes]
    assert [plan.steps for plan in plans] == [300, 300, 990, 1980, MOST_STEPS]
    assert [plan.copies for plan in plans] == [0, 0, 1, 1, 1]
    assert [plan.batch_s for plan in plans] == [30.0, 30.0, 60.0, 60.0, 60.0]


def test_clips_come_at_another_pace_instead_of_in_copies() -> None:
    """Of very few and of hours it was not measured: there copies are heard."""
    plans = [plan_for(clips, 3.0 * clips) for clips in (3, 4, 29, 30, 119, 120, 540, 600)]
    assert [plan.copies > 0 for plan in plans] == [True, *[False] * 6, True]
    assert [plan.stretch for plan in plans] == [0.0, *[STRETCH] * 6, 0.0]


def test_a_tenth_is_held_out() -> None:
    ((learn, held),) = split(200, plan_for(200, 600.0))
    assert (len(learn), len(held)) == (180, 20)


@pytest.mark.parametrize("clips", [3, 10, 50, 300])
def test_a_recogniser_that_is_adapted_further_moves_slowly_and_keeps_its_rows(clips: int) -> None:
    first, further = plan_for(clips, 3.0 * clips), plan_for(clips, 3.0 * clips, further=True)
    assert further.rate == pytest.approx(FURTHER * first.rate) and further.letters == "like"
    assert further.back == BACK and first.back == 0.0
    assert replace(further, rate=first.rate, back=0.0, letters=first.letters) == first


@pytest.mark.parametrize("clips", [3, 10, 50, 300])
def test_a_metatrained_base_is_adapted_by_its_own_steps(clips: int) -> None:
    learned = Learned(Inner(0.1, 3, learned="layer"), "body", "like")
    settings = InnerLoop(to_mapping(learned), {"rate.encoder": torch.ones(())})
    base = Checkpoint(ModelConfig(Alphabet(("a",))), {}, inner=settings)
    assert learned_by(base) == learned and learned_by(replace(base, inner=None)) is None
    plan, usual = plan_by(learned, clips, 3.0 * clips), plan_for(clips, 3.0 * clips)
    assert (plan.steps, plan.inner, plan.moves, plan.letters, plan.copies) == (3, learned.inner, "body", "like", 0)
    assert plan.stretch == 0.0, "it moves as it was meta-trained"
    assert (plan.folds, plan.again, plan.holdout) == (usual.folds, usual.again, usual.holdout)
    strange = replace(base, inner=InnerLoop({"inner": {"rate": 0.1}, "leters": "like"}, {}))
    with pytest.raises(ConfigError, match="unknown key 'leters'; did you mean 'letters'"):
        learned_by(strange)


@pytest.mark.parametrize("count", [1, 3, 4, 20, 50, 300])
def test_the_quick_plan_is_one_run_of_few_steps_without_copies(count: int) -> None:
    plan, usual = plan_quick(count, 3.0 * count), plan_for(count, 3.0 * count)
    assert plan.copies == 0 and plan.folds == min(usual.folds, 1) and not plan.averaged
    runs = 1 + (usual.folds if usual.folds > 1 else usual.again)
    assert plan.steps * plan.batch_s * (1 + plan.again) < 0.6 * runs * usual.steps * usual.batch_s
    assert plan.again == (4 <= count < 30) and plan.rate >= usual.rate
    further = plan_quick(count, 3.0 * count, further=True)
    assert further.rate < plan.rate and further.letters == "like"
