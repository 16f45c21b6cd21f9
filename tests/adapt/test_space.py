"""The space of plans: the plan that it is around lies in it, all that lies in it is a plan."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from earful.adapt.finetune import Plan, _usual_rule
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
    towards=st.sampled_from(["start", "zero"]),
    batch_s=st.floats(5, 300),
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
        assert space[name]._contains(space[name].to_internal_repr(value)), name


@given(plan=PLANS, seed=st.integers(0, 1000))
@settings(max_examples=50, deadline=None)
def test_whatever_lies_in_the_space_is_a_plan(plan: Plan, seed: int) -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed))
    drawn = plan_with(plan, study.ask(dict(space_around(plan, 0.1, optuna.distributions))).params)
    assert plan.steps // 2 <= drawn.steps <= 3 * plan.steps and drawn.copies <= plan.copies
    assert 0.249 * plan.rate <= drawn.rate <= 4.01 * plan.rate
    assert plan.batch_s / 3.02 <= drawn.batch_s <= max(plan.batch_s, 120) * 1.01
    assert replace(drawn, **settings_free(plan)) == plan, "what is not searched stays"


def settings_free(plan: Plan) -> dict[str, object]:
    names = ("rate", "head_factor", "decay", "dropout", "steps", "copies", "masks", "batch_s", "towards")
    return {name: getattr(plan, name) for name in names}


def test_every_regulariser_comes_and_moves_the_weights_its_own_way() -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(0))
    plan, start = Plan(steps=10, decay=0.5), {"w": torch.full((1,), 2.0)}
    drawn = [plan_with(plan, study.ask(dict(space_around(plan, 0.1, optuna.distributions))).params) for _ in range(40)]
    kinds = {(each.towards if each.decay else "none"): each for each in drawn}
    assert kinds.keys() == {"start", "zero", "none"}
    moved = {}
    for kind, each in kinds.items():
        rule = _usual_rule(replace(each, decay=each.decay and 0.5, rate=0.1, warmup=0.0), start)
        here = {"w": torch.full((1,), 3.0)}  # it is overwritten
        moved[kind] = float(rule.update({"w": torch.zeros(1)}, rule.init(here), here, 0)[0]["w"])
    assert moved == pytest.approx({"start": 3 - 0.1 * 0.5 * (3 - 2), "zero": 3 - 0.1 * 0.5 * 3, "none": 3.0})


def test_there_and_back() -> None:
    plan = replace(plan_for(10, 50.0), dropout=0.125, masks=SpecAugment(time_masks=3, time_frames=25))
    for each in (plan, replace(plan, decay=0.0), replace(plan, towards="zero", batch_s=12.5)):
        assert plan_with(each, settings_of(each, 0.1)) == each


def test_without_a_dropout_of_its_own_a_plan_has_that_of_the_base() -> None:
    assert settings_of(Plan(steps=10), 0.2)["dropout"] == 0.2
