"""The climb: which steps are made, that each is kept only where it is better, what a budget and Ctrl-C leave."""

from collections.abc import Sequence
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any

import pytest
import torch

from earful.adapt import best as climbing
from earful.adapt.adapt import Adapted, Reading, adapted
from earful.adapt.best import Best, TimeIsOver, best, climb, measuring
from earful.adapt.brought import Brought, Planned
from earful.adapt.effort import adapt_by, job_for
from earful.adapt.finetune import Plan, cer_of
from earful.adapt.pace import Pace, moving_s
from earful.adapt.select import plan_for
from earful.adapt.steps import AVERAGED, LONG, RECORDINGS, SEARCH, SPOKEN, USUAL, Job, Standing, Step, steps_for
from earful.checkpoint import Checkpoint
from earful.data.manifest import Manifest
from earful.errors import AudioError, ConfigError

PLAN = Plan(steps=4, copies=1, evaluations=1, batch_s=8.0, folds=3, rate=3e-3)


def job(base: Checkpoint, clips: Manifest, state: Path, **changes: Any) -> Job:
    return replace(job_for(base, clips, Reading(greedy=True), PLAN, None, state), **changes)


def quiet(stage: str, done: int, total: int) -> None:
    """Nobody is told."""


@pytest.fixture(scope="module")
def found(base: Checkpoint, manifest: Manifest) -> Adapted:
    return adapted(base, manifest, Reading(greedy=True), plan=PLAN)


def at(found: Adapted, cer: float) -> Standing:
    return Standing(found._replace(report=replace(found.report, cer_after=cer, cer_with_language=None)), PLAN)


def step(name: str, comes_to: Any, seconds: float = 1.0, left_out: str = "") -> Step:
    def make(before: Standing) -> Standing | None:
        if isinstance(comes_to, BaseException):
            raise comes_to
        return comes_to  # type: ignore[no-any-return]

    return Step(Planned(name, "", seconds, left_out), make)


def told(steps: Sequence[Step], start: Standing, deadline: float = inf) -> list[tuple[float, str, bool]]:
    return [(stands.found.report.rate, b.name, b.kept) for stands, b, _ in climb(start, steps, deadline)]


def test_a_step_stays_only_where_it_is_better(found: Adapted) -> None:
    steps = [
        step("a", at(found, 0.3)),
        step("b", at(found, 0.3)),
        step("c", at(found, 0.35)),
        step("d", at(found, 0.2)),
    ]
    assert told(steps, at(found, 0.4)) == [(0.3, "a", True), (0.3, "b", False), (0.3, "c", False), (0.2, "d", True)]


def test_what_comes_to_nothing_is_said_and_the_climb_goes_on(found: Adapted) -> None:
    steps = [
        step("a", None),
        step("b", AudioError("x.wav: broken")),
        step("c", None, left_out="no"),
        step("d", at(found, 0.2)),
    ]
    every = list(climb(at(found, 0.4), steps, inf))
    assert [(b.name, b.cer, b.kept) for _, b, _ in every] == [("a", None, False), ("b", None, False), ("d", 0.2, True)]
    assert "not confident of any" in every[0][1].note and "x.wav: broken" in every[1][1].note


def test_a_budget_passes_over_what_does_not_fit(found: Adapted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(climbing, "monotonic", lambda: 100.0)
    steps = [
        step("long", at(found, 0.1), 50.0),
        step("short", at(found, 0.3), 10.0),
        step("x", TimeIsOver()),
        step("y", None),
    ]
    every = list(climb(at(found, 0.4), steps, 120.0))
    assert [(b.name, b.kept) for _, b, _ in every] == [("long", False), ("short", True), ("x", False)]
    assert "takes about 50 s, and 20 s are left" in every[0][1].note and "time was over" in every[2][1].note


def test_the_steps_for_these_clips(base: Checkpoint, manifest: Manifest, found: Adapted, tmp_path: Path) -> None:
    """Few clips: more steps are known not to help, and a search would use the clips that measure the result."""
    steps = steps_for(job(base, manifest, tmp_path), found.ready, Pace(0.01, 0.02), quiet)
    assert [s.planned.name for s in steps] == [LONG, SPOKEN, RECORDINGS, SEARCH, AVERAGED]
    assert [bool(s.planned.left_out) for s in steps] == [True, True, True, True, False]
    many = found.ready._replace(heard=replace(found.ready.heard, clips=Manifest(
        tuple(replace(u, id=f"{n}-{u.id}") for n in range(20) for u in manifest)
    )))  # fmt: skip
    speaks = replace(base, config=replace(base.config, rules=replace(base.config.rules, language="nl")))
    steps = steps_for(job(speaks, manifest, tmp_path), many, Pace(0.01, 0.02), quiet)
    assert [bool(s.planned.left_out) for s in steps][:3] == [False, False, True]


def test_an_estimate_counts_all_runs() -> None:
    plan, pace = Plan(steps=10, batch_s=20.0), Pace(0.0, 0.5)
    assert moving_s(replace(plan, folds=3), 100.0, pace) == 4 * 10 * 20 * 0.5
    assert moving_s(replace(plan, again=True), 5.0, pace) == 2 * 10 * 5 * 0.5
    assert moving_s(plan, 100.0, pace) == moving_s(replace(plan, folds=0), 100.0, pace) == 100.0


@pytest.mark.parametrize(("count", "folds"), [(1, 0), (2, 3), (10, 3), (50, 3), (119, 3), (120, 1)])
def test_few_clips_all_measure(count: int, folds: int) -> None:
    assert measuring(plan_for(count, 3.0 * count), count).folds == folds


def run(made: Job, minutes: float | None = None, tell: Any = quiet) -> tuple[Best, list[Planned], list[Brought]]:
    planned, brought = list[Planned](), list[Brought]()
    found = best(made, minutes=minutes, tell=tell, announce=planned.extend, watch=lambda each, at: brought.append(each))
    return found, planned, brought


def test_from_end_to_end(base: Checkpoint, manifest: Manifest, tmp_path: Path) -> None:
    done, planned, brought = run(job_for(base, manifest, Reading(words=False), PLAN, None, tmp_path))
    assert [each.name for each in planned] == [USUAL, LONG, SPOKEN, RECORDINGS, SEARCH, AVERAGED]
    assert [each.name for each in brought] == [USUAL, AVERAGED] and tuple(brought) == done.brought
    usual = adapted(base, manifest, Reading(words=False), plan=PLAN)
    assert brought[0].cer == usual.report.cer_after and not done.interrupted
    assert done.found.report.rate == min(each.rate for each in brought if each.rate is not None)
    if not brought[1].kept:
        assert all(torch.equal(done.found.checkpoint.params[n], v) for n, v in usual.checkpoint.params.items())


def test_the_mean_of_two_runs_is_measured_by_what_has_not_met_the_clips(
    base: Checkpoint, manifest: Manifest, tmp_path: Path, found: Adapted
) -> None:
    (averaged,) = (
        s
        for s in steps_for(job(base, manifest, tmp_path), found.ready, Pace(0, 0), quiet)
        if s.planned.name == AVERAGED
    )
    made = averaged.make(Standing(found, PLAN))
    assert made is not None
    one, two = found.outcome, made.found.outcome
    assert [(p.learned, p.held) for p in one.unmet] == [(p.learned, p.held) for p in two.unmet], "the same parts"
    name = "upsample.expand.weight"
    assert not torch.equal(one.unmet[0].end[name], two.unmet[0].end[name])
    wrong = sum(
        cer_of(found.task.model, part.params, [found.task.copies[i][0]], found.ready.config.alphabet)
        * len(found.task.copies[i][0].labels)
        for part in two.unmet
        for i in part.held
    )
    letters = sum(len(copies[0].labels) for copies in found.task.copies)
    assert made.found.report.cer_after == pytest.approx(wrong / letters)


def test_ctrl_c_keeps_the_best_so_far_and_the_next_run_goes_on(
    base: Checkpoint, manifest: Manifest, tmp_path: Path
) -> None:
    seen = list[str]()

    def stopping(stage: str, done: int, total: int) -> None:
        seen.append(stage)
        if seen.count("adapting") == 3 * 4 + 6:  # in the middle of the second step
            raise KeyboardInterrupt

    done, _, brought = run(job(base, manifest, tmp_path), tell=stopping)
    assert done.interrupted and [each.name for each in brought] == [USUAL]
    again = list[str]()
    whole, *_ = run(job(base, manifest, tmp_path), tell=lambda stage, *_: again.append(stage))
    assert not whole.interrupted and again.count("adapting") < seen.count("adapting"), "what was done is not done again"


def test_ctrl_c_before_there_is_a_model(base: Checkpoint, manifest: Manifest, tmp_path: Path) -> None:
    def stopping(stage: str, done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(job(base, manifest, tmp_path), tell=stopping)


def test_one_clip_measures_nothing(base: Checkpoint, manifest: Manifest, tmp_path: Path) -> None:
    one = Manifest(tuple(manifest)[:1])
    done, planned, _ = run(job_for(base, one, Reading(greedy=True), replace(PLAN, folds=0), None, tmp_path))
    assert [each.name for each in planned] == [USUAL] and done.found.report.measured == "own clips"


def test_no_time_for_more_than_the_usual(base: Checkpoint, manifest: Manifest, tmp_path: Path) -> None:
    done, _, brought = run(job(base, manifest, tmp_path), minutes=1e-6)
    assert [(each.name, each.kept) for each in brought] == [(USUAL, True), (AVERAGED, False)]
    assert done.found.report.cer_after == brought[0].cer


def test_the_dial(base: Checkpoint, manifest: Manifest) -> None:
    quick, report = adapt_by("quick", base, manifest, plan=replace(PLAN, folds=1), greedy=True)
    assert report.measured == "held-out" and report.steps == () and "steps" not in quick.about["adapted"]
    _, report = adapt_by("best", base, manifest, plan=PLAN, greedy=True)
    assert [each.name for each in report.steps] == [USUAL, AVERAGED]
    for effort, minutes, said in (
        ("usual", 3.0, "best alone"),
        ("best", 0.0, "above 0"),
        ("most", None, "one of quick"),
    ):
        with pytest.raises(ConfigError, match=said):
            adapt_by(effort, base, manifest, minutes=minutes)  # type: ignore[arg-type]
