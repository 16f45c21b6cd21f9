"""What a fine-tuning is worth, by hand: the fine-tuning is played, and a model is nothing but its CER."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from earful.adapt import measure
from earful.adapt.finetune import Plan, Point, Tuned
from earful.adapt.inner import Inner
from earful.adapt.measure import DRAW, Outcome, Task, Unmet, clip_errors, run, share_of, soup, while_measuring
from earful.adapt.select import split_folds
from earful.data.batch import Example
from earful.model import Params

HELD = Plan(steps=10, folds=1, averaged=False)
CROSSED = Plan(steps=10, folds=3, averaged=False)


def at(cer: float) -> Params:
    """Parameters with this CER, on whatever clips."""
    return {"cer": torch.tensor(cer, dtype=torch.float64)}


def clip(number: int) -> list[Example]:
    """A clip of `number` + 1 letters, with three copies, that can be told from all others."""
    return [Example(torch.full((1, 1), number + copy / 10), (1,) * (number + 1)) for copy in range(4)]


def number_of(example: Example) -> float:
    """The number of the clip, and so many tenths more for its copies."""
    return round(float(example.frames_FM[0, 0]), 1)


@dataclass
class Played:
    """Fine-tunings as a play has them: from the start's CER to the next of `ends`; and what each was asked for."""

    ends: list[float] = field(default_factory=list)
    calls: list[SimpleNamespace] = field(default_factory=list)

    def __call__(
        self, model: Any, params: Params, clips: Any, held: Any, alphabet: Any, plan: Plan, **rest: Any
    ) -> Tuned:
        end = self.ends[len(self.calls)]
        numbers = sorted({number_of(copies[0]) for copies in clips})
        held = [number_of(each) for each in held]
        told = {"model": model, "begin": params, "clips": clips, "learned": numbers, "held": held}
        self.calls.append(SimpleNamespace(**rest | told))
        rest["report"](plan.steps, plan.steps)
        begin = float(params["cer"])
        curve = (Point(0, begin, 0.0), Point(5, 0.01, 2.0), Point(10, end, 1.0))
        best = curve[-1] if end <= begin else curve[0]
        return Tuned(at(end), best, curve, skipped=1, last=at(end + 0.001))


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> Played:
    play = Played()
    monkeypatch.setattr(measure, "finetune", play)
    monkeypatch.setattr(measure, "like", lambda model: SimpleNamespace(**vars(model) | {"copied_from": model}))
    monkeypatch.setattr(measure, "cer_of", cer_of)
    return play


def cer_of(model: Any, params: Params, clips: Sequence[Example], alphabet: Any) -> float:
    """Only clips as they were recorded may measure, none of their changed copies."""
    assert all(number_of(each).is_integer() for each in clips)
    return float(params["cer"])


def task_of(clips: int, plan: Plan, begin: float = 0.9, **more: Any) -> Task:
    model: Any = SimpleNamespace(config=SimpleNamespace(alphabet="the alphabet"), parameters=lambda: iter(()))
    given = {"seed": 3, "state": None, "tell": lambda stage, done, total: None, **more}
    return Task(model, lambda learn: at(begin), [clip(i) for i in range(clips)], plan, **given)


def cer(params: Params) -> float:
    return float(params["cer"])


def test_each_clip_counts_by_its_letters_at_the_end_of_what_had_not_met_it(played: Played) -> None:
    """Clips of 1 to 6 letters; the ends of the three parts err 0.2, 0.4 and 0.6, the last learns from all."""
    played.ends = [0.2, 0.4, 0.6, 0.05]
    outcome = run(task_of(6, CROSSED))
    folds = split_folds(range(6), CROSSED, torch.Generator().manual_seed(3))
    letters = [sum(i + 1 for i in held) for _, held in folds]
    assert sum(letters) == 21 and len(set(letters)) > 1
    by_hand = sum(n * end for n, end in zip(letters, (0.2, 0.4, 0.6), strict=True)) / 21
    assert outcome.measured == "cross-validated" and outcome.before == pytest.approx(0.9)
    assert outcome.tuned.best == Point(10, pytest.approx(by_hand), 1.0), "not 0.01, the best on the way"  # type: ignore[arg-type]
    assert cer(outcome.tuned.params) == 0.05, "what is kept has learned from all"
    assert [(each.learned, each.held) for each in played.calls] == [
        *((sorted(learn), held) for learn, held in folds),
        (list(range(6)), []),
    ]
    assert [(cer(part.params), cer(part.end), part.learned, part.held) for part in outcome.unmet] == [
        (end, end + 0.001, *fold) for end, fold in zip((0.2, 0.4, 0.6), folds, strict=True)
    ]


def test_the_mean_of_what_measures_is_the_result_where_the_plan_says_so(played: Played) -> None:
    """None more is made of all clips. The curve is that of all parts, each by its letters."""
    played.ends = [0.2, 0.4, 0.6]
    averaged = run(task_of(6, replace(CROSSED, averaged=True)))
    letters = [sum(number + 1 for number in each.held) for each in played.calls]
    by_hand = sum(n * end for n, end in zip(letters, (0.2, 0.4, 0.6), strict=True)) / 21
    assert cer(averaged.tuned.params) == pytest.approx(0.4) and averaged.tuned.skipped == 3
    assert [point.cer for point in averaged.tuned.curve] == pytest.approx([0.9, 0.01, by_hand])
    assert [point[::2] for point in averaged.tuned.curve] == [(0, 0.0), (5, 2.0), (10, 1.0)]
    assert averaged.tuned.best.cer == pytest.approx(by_hand)
    assert [cer(part.params) for part in averaged.unmet] == [0.2, 0.4, 0.6], "what measures meets nothing"


@pytest.mark.parametrize(("ends", "kept"), [([0.95] * 4, False), ([0.9] * 4, True), ([0.8] * 4, True)])
def test_what_measures_no_better_than_the_start_is_the_start(played: Played, ends: list[float], kept: bool) -> None:
    """As good as the start is good enough: it has learned letters that the start does not know."""
    played.ends = ends
    outcome = run(task_of(6, CROSSED))
    assert cer(outcome.tuned.params) == (ends[0] if kept else 0.9)
    assert outcome.tuned.best[:2] == pytest.approx((10, ends[0]) if kept else (0, 0.9))


def test_a_part_is_held_out_and_that_is_all(played: Played) -> None:
    played.ends = [0.3]
    outcome = run(task_of(10, HELD))
    (call,) = played.calls
    assert len(call.held) == 5 and sorted(call.held + call.learned) == list(range(10))
    assert (outcome.before, outcome.measured, cer(outcome.tuned.params)) == (0.9, "held-out", 0.3)
    (part,) = outcome.unmet
    assert (cer(part.params), sorted(part.learned), list(part.held)) == (0.3, call.learned, call.held)


@pytest.mark.parametrize(("end", "averaged", "kept"), [(0.3, False, 0.1), (0.3, True, 0.2), (0.95, False, 0.9)])
def test_then_all_are_learned_from_if_the_plan_says_so(played: Played, end: float, averaged: bool, kept: float) -> None:
    """The second run has no clip to be measured with: the first, which stopped at `end`, tells whether it is kept."""
    played.ends = [end, 0.1]
    outcome = run(task_of(10, replace(HELD, again=True, averaged=averaged)))
    assert [len(each.learned) for each in played.calls] == [5, 10] and not played.calls[1].held
    assert cer(outcome.tuned.params) == pytest.approx(kept)
    assert outcome.before == 0.9 and outcome.tuned.best.cer == min(end, 0.9)
    assert cer(outcome.unmet[0].params) == end


def test_with_nothing_held_out_the_clips_measure_themselves(played: Played) -> None:
    played.ends = [0.4]
    outcome = run(task_of(3, replace(HELD, folds=0)))
    assert (outcome.before, outcome.measured, outcome.unmet) == (0.9, "own clips", ())
    assert played.calls[0].learned == [0, 1, 2] and not played.calls[0].held
    assert outcome.tuned.best.cer == 0.4 == cer(outcome.tuned.params)


@pytest.mark.parametrize(
    ("plan", "stages"),
    [
        (CROSSED, ["measuring, part 1 of 3", "measuring, part 2 of 3", "measuring, part 3 of 3", "adapting"]),
        (replace(HELD, again=True), ["measuring", "adapting"]),
        (HELD, ["adapting"]),
    ],
)
def test_steps_of_all_are_told_together_and_each_keeps_a_state_of_its_own(
    played: Played, plan: Plan, stages: list[str], tmp_path: Path
) -> None:
    played.ends, told = [0.5] * 4, list[tuple[str, int, int]]()
    run(task_of(6, plan, state=tmp_path, tell=lambda *what: told.append(what)))
    assert told == [("adapting", 10 * (number + 1), 10 * len(stages)) for number in range(len(stages))]
    names = [stage.replace(" ", "-").replace(",", "") + ".safetensors" for stage in stages]
    assert [each.state for each in played.calls] == [tmp_path / name for name in names]
    assert len(set(names)) == len(names)


def test_only_the_first_at_once_has_the_model_itself(played: Played) -> None:
    """Several threads may not share one, whose dropout and buffers are its own."""
    played.ends = [0.5] * 4
    task = task_of(6, CROSSED)
    run(task)
    first, *others = [each.model for each in played.calls]
    assert first is task.model and all(each.copied_from is task.model for each in others)
    assert len({id(each) for each in others}) == 3


def test_another_draw_learns_otherwise_on_the_same_parts(played: Played) -> None:
    played.ends = [0.5] * 8
    run(task_of(6, CROSSED))
    run(task_of(6, CROSSED, draw=2))
    first, second = played.calls[:4], played.calls[4:]
    assert [each.held for each in first] == [each.held for each in second]
    assert {each.seed for each in first} == {3} and {each.seed for each in second} == {3 + 2 * DRAW}


def test_clips_of_a_group_are_never_on_both_sides(played: Played) -> None:
    played.ends = [0.5] * 4
    groups = [0, 0, 1, 1, 2, 2]
    run(task_of(6, CROSSED, groups=groups))
    assert sorted(tuple(sorted(each.held)) for each in played.calls) == [(), (0, 1), (2, 3), (4, 5)]


def test_beside_the_clips_lies_what_has_not_met_those_that_measure(played: Played) -> None:
    played.ends = [0.5] * 4
    others = [[clip(50 + part)] for part in range(3)]
    task = task_of(6, CROSSED, beside=[clip(60)], unmet_beside=others)
    run(task)
    found = [[number for number in each.learned if number > 9] for each in played.calls]
    assert found == [[50], [51], [52], [60]]
    assert while_measuring(task, 1).beside is others[1]
    alone = task._replace(unmet_beside=())
    assert while_measuring(alone, 1) is alone


def staged(**changes: Any) -> Plan:
    first = Plan(steps=10, averaged=False, copies=0)
    return replace(Plan(steps=10, folds=3, averaged=False, copies=2, first=first), **changes)


def test_the_second_stage_goes_on_where_the_first_ended_with_the_same_clips(played: Played, tmp_path: Path) -> None:
    played.ends = [0.5, 0.6, 0.7, 0.4, 0.1, 0.2, 0.3, 0.05]
    outcome = run(task_of(6, staged(), state=tmp_path))
    first, second = played.calls[:4], played.calls[4:]
    assert [each.learned for each in first] == [each.learned for each in second]
    assert [cer(each.begin) for each in second] == [0.5, 0.6, 0.7, 0.4]
    assert {len(copies) for each in first for copies in each.clips} == {1}
    assert {len(copies) for each in second for copies in each.clips} == {3}
    assert {each.state.parent for each in first} == {tmp_path} and {e.state.parent for e in second} == {tmp_path / "1"}
    assert [point.step for point in outcome.tuned.curve] == [0, 5, 10, 15, 20]
    assert outcome.tuned.best.step == 20 and outcome.tuned.skipped == 2
    assert outcome.before == pytest.approx(0.9) and cer(outcome.tuned.params) == 0.05


def test_what_the_second_stage_makes_worse_is_what_the_first_has_left(played: Played) -> None:
    played.ends = [0.5, 0.5, 0.5, 0.4, 0.8, 0.8, 0.8, 0.05]
    outcome = run(task_of(6, staged()))
    assert cer(outcome.tuned.params) == 0.4
    assert outcome.tuned.best[:2] == pytest.approx((10, 0.5)) and outcome.before == pytest.approx(0.9)
    assert [point.step for point in outcome.tuned.curve] == [0, 5, 10, 15, 20] and outcome.tuned.skipped == 2
    assert [cer(part.params) for part in outcome.unmet] == [0.5] * 3


def test_a_first_stage_that_was_no_better_is_not_gone_on_from(played: Played) -> None:
    played.ends = [0.95] * 4 + [0.5] * 4
    outcome = run(task_of(6, staged()))
    assert [cer(each.begin) for each in played.calls] == [0.9] * 8
    assert outcome.tuned.best.step == 20 and cer(outcome.tuned.params) == 0.5


def test_a_metatrained_stage_learns_from_the_clips_alone(played: Played) -> None:
    played.ends = [0.5] * 8
    first = Plan(steps=10, averaged=False, inner=Inner(0.1, 10))
    beside = [[clip(50)]] * 3
    run(task_of(6, staged(first=first), beside=[clip(60)], unmet_beside=beside))
    found = [[number for number in each.learned if number > 9] for each in played.calls]
    assert found == [[]] * 4 + [[50]] * 3 + [[60]]


def test_the_errors_of_each_clip_are_those_of_what_had_not_met_it(played: Played) -> None:
    parts = [Unmet(at(0.1), [2], [0, 1], at(0.5)), Unmet(at(0.25), [0, 1], [2])]
    assert clip_errors(task_of(3, CROSSED), parts) == {0: (0.5, 1), 1: (1.0, 2), 2: (0.75, 3)}


def outcome_of(cer: float, ends: Sequence[float], steps: int = 10, measured: Any = "cross-validated") -> Outcome:
    point = Point(steps, cer, 1.0)
    unmet = [Unmet(at(9.0), [1 - i], [i], at(end)) for i, end in enumerate(ends)]
    return Outcome(0.9, Tuned(at(cer), point, (Point(0, 0.9, 0.0), point)), measured, tuple(unmet))


def test_a_soup_is_the_mean_of_the_ends_measured_anew(played: Played) -> None:
    """Of two clips of 1 and 2 letters: (1 · 0.3 + 2 · 0.6) / 3."""
    found = soup(task_of(2, CROSSED), [outcome_of(0.2, [0.2, 0.5]), outcome_of(0.4, [0.4, 0.7], steps=20)])
    assert cer(found.tuned.params) == pytest.approx(0.3)
    assert found.tuned.best == Point(20, pytest.approx(0.5), 1.0)  # type: ignore[arg-type]
    assert [cer(part.params) for part in found.unmet] == pytest.approx([0.3, 0.6])
    assert [cer(part.end) for part in found.unmet] == pytest.approx([0.3, 0.6])
    assert [point.step for point in found.tuned.curve] == [0, 10], "the curve is that of the first"
    assert found.before == 0.9 and [(*part.learned, *part.held) for part in found.unmet] == [(1, 0), (0, 1)]


def test_the_shortest_clip_measures_a_soup_as_any(played: Played) -> None:
    one = [replace(each, unmet=each.unmet[:1]) for each in (outcome_of(0.2, [0.2]), outcome_of(0.4, [0.4]))]
    assert soup(task_of(1, CROSSED), one).tuned.best.cer == pytest.approx(0.3)


def test_a_soup_of_what_nothing_measures_has_no_errors_to_tell(played: Played) -> None:
    assert soup(task_of(2, CROSSED), [outcome_of(0.2, [])]).tuned.best.cer == 0.0


SHARES: list[tuple[Plan, Any, list[float], float]] = [
    (CROSSED, "cross-validated", [0.1, 0.2], 0.25),
    (replace(HELD, again=True), "held-out", [0.1], 0.25),
    (HELD, "held-out", [0.1], 1.0),
    (replace(CROSSED, again=True), "own clips", [], 1.0),
]


@pytest.mark.parametrize(("plan", "measured", "ends", "share"), SHARES)
def test_how_much_of_the_clips_what_measured_has_learned_from(
    plan: Plan, measured: Any, ends: list[float], share: float
) -> None:
    """Each part has learned from one clip of four."""
    assert share_of(task_of(4, plan), outcome_of(0.2, ends, measured=measured)) == share


def test_uneven_parts_count_by_their_mean() -> None:
    outcome = replace(outcome_of(0.2, []), unmet=(Unmet(at(0), [0], [1]), Unmet(at(0), [1, 2, 3], [0])))
    assert share_of(task_of(4, CROSSED), outcome) == 0.5


def test_the_end_of_a_fine_tuning_that_keeps_no_other_is_its_best() -> None:
    best, last = at(0.1), at(0.2)
    assert Unmet(best, [], []).end is best and Unmet(best, [], [], last).end is last
