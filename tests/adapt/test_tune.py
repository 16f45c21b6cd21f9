"""The search for settings: it starts from the plan, finds better ones, keeps to its time and goes on after Ctrl-C."""

import json
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from earful.adapt import search
from earful.adapt.finetune import Plan, Point, Tuned, finetune
from earful.adapt.search import Trial
from earful.adapt.select import plan_for, split_folds
from earful.adapt.tune import best_of, folds_for, tune
from earful.checkpoint import Checkpoint
from earful.data.manifest import Manifest
from earful.errors import AdaptationError, CheckpointError, ConfigError

optuna = pytest.importorskip("optuna")

QUICK = Plan(steps=2, copies=1, folds=3, batch_s=8.0)


@dataclass
class World:
    """A fine-tuning that takes a second a step, and answers what `cer` says of the plan and the part."""

    cer: Callable[[Plan, int], float]
    now_s: float = 0.0
    parts: list[int] = field(default_factory=list)
    """Each part that was measured, by the frames that were held out."""

    def finetune(self, model: Any, start: Any, clips: Any, held: Sequence[Any], *rest: Any, **named: Any) -> Tuned:
        plan, report = rest[-1], named["report"]
        self.parts.append(part := sum(len(example.frames_FM) for example in held))
        for step in range(plan.steps):
            self.now_s += 1
            report(step + 1, plan.steps)
        ends = (Point(0, 1.0, math.nan), Point(plan.steps, self.cer(plan, part), 1.0))
        return Tuned(start, ends[0], ends)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """Where the lowest CER is at thrice the rate; and parts differ."""
    world = World(lambda plan, part: 0.2 + 0.1 * abs(math.log(plan.rate / (3 * QUICK.rate))) + part % 7 / 100)
    monkeypatch.setattr(search, "finetune", world.finetune)
    monkeypatch.setattr(search, "monotonic", lambda: world.now_s)
    return world


@pytest.fixture
def most(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    return lambda count: monkeypatch.setattr(search, "MOST_TRIALS", count)


def run(base: Checkpoint, clips: Manifest, **options: Any) -> tuple[Plan, tuple[Trial, ...]]:
    return tune(base, clips, **{"plan": QUICK, "minutes": 100.0, **options})


def test_a_real_search(base: Checkpoint, manifest: Manifest, most: Callable[[int], None], capfd: Any) -> None:
    most(2)
    stages = list[str]()
    before = optuna.logging.get_verbosity()
    plan, trials = run(base, manifest, progress=lambda stage, done, total: stages.append(stage))
    assert list(dict.fromkeys(stages)) == ["listening", "augmenting", "searching for settings"]
    assert [trial.plan == QUICK for trial in trials] == [True, False]
    assert all(trial.whole and len(trial.cers) == 3 and 0 < trial.cer < math.inf for trial in trials)
    assert plan == min(trials, key=lambda trial: trial.cer).plan
    assert capfd.readouterr() == ("", "") and optuna.logging.get_verbosity() == before


def test_the_measure_is_cross_validation(
    base: Checkpoint, manifest: Manifest, most: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = list[tuple[int, int, int, float]]()

    def watching(model: Any, start: Any, clips: Any, held: Any, alphabet: Any, plan: Plan, **named: Any) -> Tuned:
        tuned = finetune(model, start, clips, held, alphabet, plan, **named)
        seen.append((len(clips), len(clips[0]), sum(len(e.labels) for e in held), tuned.curve[-1].cer))
        return tuned

    monkeypatch.setattr(search, "finetune", watching)
    most(1)
    _, (trial,) = run(base, manifest)
    learned, copies, lengths, cers = zip(*seen, strict=True)
    assert learned == (5, 5, 6) and set(copies) == {2} and trial.cers == cers
    assert trial.cer == pytest.approx(sum(n * c for n, c in zip(lengths, cers, strict=True)) / sum(lengths))


def test_by_default_it_starts_from_the_plan_that_suits_the_clips(
    base: Checkpoint, manifest: Manifest, most: Callable[[int], None], world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    most(1)
    monkeypatch.setattr("earful.adapt.adapt.vary", lambda heard, *_, **__: split_nothing(heard))
    _, (trial,) = run(base, manifest, plan=None)
    assert trial.plan == plan_for(8, 15.0)


def split_nothing(heard: Any) -> list[list[Any]]:
    """The clips without copies, which take long to make."""
    from earful.data.batch import Example

    return [[Example(frames_FM, (1,))] for frames_FM in heard.frames]


def test_the_better_plan_wins(base: Checkpoint, manifest: Manifest, world: World, most: Callable[[int], None]) -> None:
    most(25)
    plan, trials = run(base, manifest)
    assert len(trials) == 25 and trials[0].plan == QUICK
    best = min((trial for trial in trials if trial.whole), key=lambda trial: trial.cer)
    assert plan == best.plan and best.cer < trials[0].cer - 0.05 and 2 < plan.rate / QUICK.rate < 4
    assert (plan.folds, plan.own, plan.evaluations) == (QUICK.folds, QUICK.own, QUICK.evaluations)


def test_bad_plans_are_stopped_early(
    base: Checkpoint, manifest: Manifest, world: World, most: Callable[[int], None]
) -> None:
    most(20)
    _, trials = run(base, manifest)
    stopped = [trial for trial in trials if not trial.whole]
    assert 2 < len(stopped) < 17 and all(len(trial.cers) < 3 for trial in stopped)
    assert all(trial.whole for trial in trials[: search.PRUNE_AFTER])
    assert len(world.parts) == sum(len(trial.cers) for trial in trials)


def test_equal_plans_are_not_stopped(
    base: Checkpoint, manifest: Manifest, world: World, most: Callable[[int], None]
) -> None:
    world.cer = lambda plan, part: part % 7 / 10
    most(8)
    plan, trials = run(base, manifest)
    assert len(set(trials[0].cers)) > 1 and all(trial.whole for trial in trials)
    assert plan == QUICK, "the first of equals"


def test_an_easy_part_does_not_hide_a_bad_plan(
    base: Checkpoint, manifest: Manifest, world: World, most: Callable[[int], None]
) -> None:
    """The first part is easy for all: a plan that is worse on the others is stopped at the second."""
    met = list[Plan]()

    def cer(plan: Plan, part: int) -> float:
        met.append(plan)
        kind = min(2, len(dict.fromkeys(met)) // 3)  # two usual plans, three good ones, then bad ones
        return ((0.1, 0.5, 0.5), (0.05, 0.3, 0.3), (0.05, 0.6, 0.6))[kind][met.count(plan) - 1]

    world.cer = cer
    most(9)
    _, trials = run(base, manifest)
    assert [len(trial.cers) for trial in trials] == [3] * 5 + [2] * 4


def test_never_worse_than_the_first(
    base: Checkpoint, manifest: Manifest, world: World, most: Callable[[int], None]
) -> None:
    world.cer = lambda plan, part: 0.1 if plan == replace(QUICK, evaluations=1) else 0.1001
    most(12)
    assert run(base, manifest)[0] == QUICK


def test_the_plan_stands_where_nothing_was_measured_whole() -> None:
    other = replace(QUICK, steps=9)
    assert best_of(QUICK, []) == QUICK
    assert best_of(QUICK, [Trial(QUICK, (0.5, 0.5), 0.5, True, 1.0), Trial(other, (0.1,), 0.1, False, 1.0)]) == QUICK


def test_it_ends_where_no_error_is_left(base: Checkpoint, manifest: Manifest, world: World) -> None:
    world.cer = lambda plan, part: 0.0
    assert len(run(base, manifest)[1]) == 1


@pytest.mark.parametrize("seconds", [1, 5, 6, 7, 20])
def test_it_keeps_to_its_time(base: Checkpoint, manifest: Manifest, world: World, seconds: int) -> None:
    told = list[tuple[int, int]]()
    plan, trials = run(
        base, manifest, minutes=seconds / 60, progress=lambda *now: told.append(now[1:]) if "search" in now[0] else None
    )
    assert world.now_s == seconds, "whatever trial it is in"
    assert sum(trial.elapsed_s for trial in trials) <= seconds
    assert bool(trials) == (seconds > 6) and (trials or plan == QUICK), "the first takes six seconds"
    assert told[0][1] == seconds and [done for done, _ in told] == sorted(done for done, _ in told)


@pytest.mark.parametrize("minutes", [0.0, -1.0, math.nan, math.inf])
def test_minutes_that_cannot_be(base: Checkpoint, manifest: Manifest, minutes: float) -> None:
    with pytest.raises(ConfigError, match="must be a number above 0"):
        run(base, manifest, minutes=minutes)


def test_too_few_clips(base: Checkpoint, manifest: Manifest) -> None:
    with pytest.raises(
        AdaptationError,
        match="at least 4 that can be used and have nothing in common, got 3; record more, or adapt without",
    ):
        run(base, manifest[:3])


def test_optuna_is_not_installed(base: Checkpoint, manifest: Manifest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(AdaptationError, match=r'pip install "\.\[tune\]"'):
        run(base, manifest)


# --- going on --------------------------------------------------------------------------------------------------------


def interrupted(base: Checkpoint, manifest: Manifest, world: World, state: Path, at_s: int, **options: Any) -> None:
    def progress(stage: str, done: int, total: int) -> None:
        if world.now_s >= at_s:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(base, manifest, state=state, progress=progress, **options)


@pytest.mark.parametrize("at_s", [3, 40, 70])
def test_an_interrupted_search_is_the_same_one(
    base: Checkpoint, manifest: Manifest, world: World, most: Callable[[int], None], tmp_path: Path, at_s: int
) -> None:
    most(15)
    whole = run(base, manifest)
    seconds, world.now_s = world.now_s, 0.0
    interrupted(base, manifest, world, tmp_path, at_s)
    rows = [json.loads(line) for path in tmp_path.iterdir() for line in path.read_text().splitlines()]
    done = sum(len(row["cers"]) for row in rows)
    world.parts.clear()
    watched = list[Trial]()
    resumed = run(base, manifest, state=tmp_path, watch=watched.append)
    assert resumed == whole and tuple(watched) == whole[1]
    assert len(world.parts) == sum(len(trial.cers) for trial in whole[1]) - done, "what was measured is not, again"
    assert seconds == sum(trial.elapsed_s for trial in resumed[1])


def test_the_time_goes_on_too(base: Checkpoint, manifest: Manifest, world: World, tmp_path: Path) -> None:
    interrupted(base, manifest, world, tmp_path, 50, minutes=2)
    began_s = world.now_s
    first = run(base, manifest, state=tmp_path, minutes=2)
    assert 70 <= world.now_s - began_s < 120
    world.parts.clear()
    assert run(base, manifest, state=tmp_path, minutes=2) == first and not world.parts, "its time is over"
    more = run(base, manifest, state=tmp_path, minutes=3)[1]
    assert more[: len(first[1])] == first[1] and len(more) > len(first[1])


def test_a_journal_is_of_one_search_only(
    base: Checkpoint, manifest: Manifest, world: World, most: Callable[[int], None], tmp_path: Path
) -> None:
    most(1)
    changes: list[dict[str, Any]] = [{"clips": manifest[:7]}, {"seed": 1}, {"plan": replace(QUICK, steps=3)}]
    for count, change in enumerate([{}, {}, *changes]):
        run(base, **{"clips": manifest, "state": tmp_path, **change})  # type: ignore[arg-type]
        assert len(list(tmp_path.iterdir())) == max(1, count), change


def test_a_line_that_was_cut_is_tried_again(
    base: Checkpoint, manifest: Manifest, world: World, most: Callable[[int], None], tmp_path: Path
) -> None:
    most(3)
    whole = run(base, manifest, state=tmp_path)
    (journal,) = tmp_path.iterdir()
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:2]) + lines[2][:30])
    world.parts.clear()
    assert run(base, manifest, state=tmp_path) == whole and len(world.parts) == 3
    assert [json.loads(line) for line in journal.read_text().splitlines()][:3] == [json.loads(x) for x in lines[:3]]


@pytest.mark.parametrize("line", ["{", "5", "{}", '{"settings": {}, "cers": [], "elapsed_s": 1}'])
def test_a_damaged_journal(
    base: Checkpoint, manifest: Manifest, world: World, most: Callable[[int], None], tmp_path: Path, line: str
) -> None:
    most(1)
    run(base, manifest, state=tmp_path)
    (journal,) = tmp_path.iterdir()
    journal.write_text(f"{line}\n{journal.read_text()}", "utf-8")
    with pytest.raises(CheckpointError, match=r"tuning-\w+\.jsonl: damaged .* delete it"):
        run(base, manifest, state=tmp_path)


# --- on which clips --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [24, 60, 300])
def test_a_group_is_on_one_side(count: int) -> None:
    groups = [i // 3 for i in range(count)]
    for learn, held in folds_for(groups, plan_for(count, 5.0 * count), seed=1):
        assert not {groups[i] for i in learn} & {groups[i] for i in held}


@pytest.mark.parametrize(("count", "folds"), [(4, 3), (12, 3), (29, 3), (30, 3), (40, 2), (100, 2), (200, 1)])
def test_parts(count: int, folds: int) -> None:
    plan = plan_for(count, 5.0 * count)
    parts = folds_for(range(count), plan, seed=3)
    again, others = (folds_for(range(count), plan, seed=seed) for seed in (3, 4))
    assert len(parts) == folds and parts == again != others
    held = [i for _, held in parts for i in held]
    assert len(held) == len(set(held)) >= min(count, 20), "enough to measure with, and each once"
    for learn, measure in parts:
        assert learn and measure and not set(learn) & set(measure)
    theirs = split_folds(range(count), plan, torch.Generator().manual_seed(3))
    if plan.folds == 1:
        met = {i for part in parts for clips in part for i in clips}
        assert met == set(theirs[0][0]), "what adaptation will hold out is not met"
    else:
        assert parts != theirs
