"""The space of plans: the plan that it is around lies in it, all that lies in it is a plan."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earful.adapt.finetune import Plan
from earful.adapt.select import plan_for
from earful.adapt.space import plan_with, settings_of, space_around
from earful.features.mask import SpecAugment

optuna = pytest.importorskip("optuna")

PLANS = st.builds(
    Plan,
    steps=st.integers(1, 1000),
    rate=st.floats(1e-6, 0.1),
    head_factor=st.floats(0.1, 30),
    decay=st.just(0.0) | st.floats(1e-6, 30),
    dropout=st.none() | st.floats(0, 0.5),
    copies=st.integers(0, 8),
    masks=st.builds(SpecAugment, time_masks=st.integers(0, 9), time_frames=st.integers(0, 200)),
)


@given(plan=PLANS, dropout=st.floats(0, 0.5))
@settings(max_examples=50, deadline=None)
def test_a_plan_lies_in_its_space(plan: Plan, dropout: float) -> None:
    space, found = space_around(plan, dropout, optuna.distributions), settings_of(plan, dropout)
    assert space.keys() == found.keys()
    for name, value in found.items():
        assert space[name].low <= value <= space[name].high, name


@given(plan=PLANS, seed=st.integers(0, 1000))
@settings(max_examples=50, deadline=None)
def test_whatever_lies_in_the_space_is_a_plan(plan: Plan, seed: int) -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed))
    drawn = plan_with(plan, study.ask(dict(space_around(plan, 0.1, optuna.distributions))).params)
    assert plan.steps // 2 <= drawn.steps <= 3 * plan.steps and drawn.copies <= plan.copies
    assert 0.249 * plan.rate <= drawn.rate <= 4.01 * plan.rate
    assert replace(drawn, **settings_free(plan)) == plan, "what is not searched stays"


def settings_free(plan: Plan) -> dict[str, object]:
    names = ("rate", "head_factor", "decay", "dropout", "steps", "copies", "masks")
    return {name: getattr(plan, name) for name in names}


def test_there_and_back() -> None:
    plan = replace(plan_for(10, 50.0), dropout=0.125, masks=SpecAugment(time_masks=3, time_frames=25))
    assert plan_with(plan, settings_of(plan, 0.1)) == plan


def test_without_a_dropout_of_its_own_a_plan_has_that_of_the_base() -> None:
    assert settings_of(Plan(steps=10), 0.2)["dropout"] == 0.2
