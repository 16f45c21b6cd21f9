"""Plans in stages: a meta-trained base takes its own steps first, then more where held-out clips say that they help."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from earful.adapt import measure
from earful.adapt.adapt import adapt
from earful.adapt.finetune import Plan, stages, steps_of
from earful.adapt.inner import Inner
from earful.adapt.select import Learned, plan_after, plan_by, plan_for
from earful.checkpoint import Checkpoint
from earful.data.batch import Example
from earful.data.manifest import Manifest
from earful.model import AcousticModel, Params

NAME = "upsample.expand.weight"


def staged(folds: int = 2, rate: float = 1e-2, **changes: Any) -> Plan:
    """Ten steps of an inner loop that help, then ten more."""
    first = Plan(steps=10, rate=1e-2, copies=0, batch_s=8.0, averaged=False)
    plan = Plan(steps=10, rate=rate, copies=1, batch_s=8.0, folds=folds, averaged=False, evaluations=1, first=first)
    return replace(plan, **changes)


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Params, Params, int, int]]:
    """Where each fine-tuning began and ended, how many clips it learned from, and how many copies each of them had."""
    seen = list[tuple[Params, Params, int, int]]()
    real = measure.finetune

    def watching(model: AcousticModel, params: Params, clips: list[list[Example]], *rest: Any, **options: Any) -> Any:
        found = real(model, params, clips, *rest, **options)
        seen.append((params, found.params, len(clips), len(clips[0])))
        return found

    monkeypatch.setattr(measure, "finetune", watching)
    return seen


def test_stages_are_plans_that_measure_as_the_last_does() -> None:
    plan = staged(folds=3, holdout=0.3)
    first, then = stages(plan)
    assert (first.folds, first.holdout, first.rate, first.copies) == (3, 0.3, 1e-2, 0)
    assert then == replace(plan, first=None) and steps_of(plan) == 20 == steps_of(first) + steps_of(then)
    assert stages(then) == (then,)


@pytest.mark.parametrize("clips", [3, 10, 50, 300])
def test_the_plan_of_a_metatrained_base(clips: int) -> None:
    learned = Learned(Inner(0.1, 3), "body", "like")
    plan, usual = plan_after(learned, clips, 3.0 * clips), plan_for(clips, 3.0 * clips)
    assert plan.first == plan_by(learned, clips, 3.0 * clips) and plan.letters == "like"
    assert replace(plan, first=None, letters=usual.letters) == usual and steps_of(plan) == 3 + usual.steps


def test_each_goes_on_where_the_one_before_ended_on_the_same_clips(
    base: Checkpoint, manifest: Manifest, watched: list[Any]
) -> None:
    adapted, report = adapt(base, manifest, plan=staged(rate=3e-3), greedy=True)
    assert [clips for *_, clips, _ in watched] == [4, 4, 8] * 2
    assert [copies for *_, copies in watched] == [1] * 3 + [2] * 3
    for (_, ended, *_), (begun, *_) in zip(watched[:3], watched[3:], strict=True):
        assert torch.equal(ended[NAME], begun[NAME])
    assert torch.equal(adapted.params[NAME], watched[-1][1][NAME])
    assert [point.step for point in report.curve] == [0, 10, 20] and report.improved
    assert report.cer_after < report.cer_before


@pytest.mark.parametrize("folds", [1, 2])
def test_a_second_stage_that_harms_is_left_out(base: Checkpoint, manifest: Manifest, folds: int) -> None:
    plan = staged(folds, rate=400.0)
    adapted, report = adapt(base, manifest, plan=plan, greedy=True)
    alone, first = adapt(base, manifest, plan=stages(plan)[0], greedy=True)
    assert first.improved and torch.equal(adapted.params[NAME], alone.params[NAME])
    assert (report.cer_before, report.cer_after) == (first.cer_before, first.cer_after)


def test_a_first_stage_that_harms_is_left_out(base: Checkpoint, manifest: Manifest) -> None:
    plan = staged()
    assert plan.first
    adapted, report = adapt(base, manifest, plan=replace(plan, first=replace(plan.first, rate=20.0)), greedy=True)
    alone, only = adapt(base, manifest, plan=replace(plan, first=None), greedy=True)
    assert torch.equal(adapted.params[NAME], alone.params[NAME]) and report.cer_after == only.cer_after


def test_other_speech_waits_for_the_second(base: Checkpoint, manifest: Manifest, watched: list[Any]) -> None:
    plan = staged(folds=0)
    assert plan.first
    plan = replace(plan, first=replace(plan.first, inner=Inner(0.05, 10)))
    adapt(base, manifest[:3], plan=plan, beside=manifest[3:], greedy=True)
    (*_, first, _), (*_, then, _) = watched
    assert first == 3 and then > 3


def test_interrupted_in_the_second_it_does_not_take_the_first_again(
    base: Checkpoint, manifest: Manifest, tmp_path: Any
) -> None:
    plan, taken = staged(folds=0), list[int]()

    def stop(stage: str, done: int, total: int) -> None:
        if stage == "adapting":
            taken.append(done)
            if len(taken) == 15:
                raise KeyboardInterrupt

    whole, _ = adapt(base, manifest[:3], plan=plan, greedy=True)
    with pytest.raises(KeyboardInterrupt):
        adapt(base, manifest[:3], plan=plan, greedy=True, state=tmp_path, progress=stop)
    resumed, _ = adapt(base, manifest[:3], plan=plan, greedy=True, state=tmp_path, progress=stop)
    assert taken == [*range(1, 11), *range(1, 6), 10, *range(1, 11)], "of the first it is only said that it is whole"
    assert torch.equal(whole.params[NAME], resumed.params[NAME])
