"""Medians, intervals and paired differences: against values that can be worked out by hand."""

from typing import Any

import numpy as np
import pytest

from earful.kshot.interval import interval, notes_on, summarise
from earful.kshot.protocol import Steps
from earful.kshot.results import Row


def row(entrant: str, cer: float, task: str = "nl", seed: int = 0, **more: Any) -> Row:
    known: dict[str, Any] = {"shots": 5, "steps": 10, "taken": 10, "speech_s": 9.0, "cpu_s": 1.0}
    return Row(entrant, task, seed, cer=cer, wer=1.0, errors=round(1000 * cer), characters=1000, **known | more)


def test_the_interval_of_three_seeds_is_all_they_say() -> None:
    # the least of three is the median of a resample in 7 of 27, so both ends lie beyond 2.5 %
    assert interval(np.array([[0.1, 0.2, 0.4]])) == (0.1, 0.4)
    assert interval(np.full((1, 7), 0.25)) == (0.25, 0.25)
    assert interval(np.array([[0.3]])) is None


def test_tasks_are_resampled_and_not_their_seeds_alone() -> None:
    apart = np.repeat([[0.1], [0.9]], 20, axis=1) + np.linspace(0, 0.01, 20)
    low, high = interval(apart) or (0, 0)
    assert low < 0.12 and high > 0.89, "another draw may hold one task only"


@pytest.mark.parametrize("seeds", [5, 20])
def test_the_interval_holds_the_median_about_as_often_as_it_says(seeds: int) -> None:
    random = np.random.default_rng(1)
    held = 0
    for _ in range(200):
        low, high = interval(random.exponential(size=(1, seeds)), resamples=300) or (0.0, 0.0)
        held += low <= np.log(2) <= high
    assert 0.85 <= held / 200 <= 0.99


def test_medians_and_paired_differences() -> None:
    levels = {("nl", 0): 0.2, ("nl", 1): 0.3, ("de", 0): 0.7, ("de", 1): 0.9}
    rows = [row("first", cer, task, seed) for (task, seed), cer in levels.items()]
    rows += [row("other", cer - 0.1, task, seed, cpu_s=3.0) for (task, seed), cer in levels.items()]
    first, other = summarise(rows)
    assert (first.cer, first.difference, first.difference_95, first.values) == (0.5, None, None, 4)
    assert first.interval_95 is not None and first.interval_95[1] - first.interval_95[0] > 0.4
    assert (other.cer, other.difference, other.cpu_s) == (pytest.approx(0.4), pytest.approx(-0.1), 3.0)
    assert other.difference_95 == (pytest.approx(-0.1), pytest.approx(-0.1)), "the same tasks and seeds are compared"


def test_every_number_of_clips_and_steps_has_a_line() -> None:
    cells: list[tuple[int, Steps]] = [(k, n) for k in (1, 5) for n in (0, "usual")]
    rows = [row(name, 0.5, shots=k, steps=n, taken=80 if n else 0) for name in ("a", "b") for k, n in cells]
    found = summarise(rows)
    assert [(each.shots, each.steps, each.entrant) for each in found] == [(k, n, e) for k, n in cells for e in "ab"]
    assert all(each.interval_95 is None and each.values == 1 for each in found)


def test_a_grid_with_holes_is_refused() -> None:
    rows = [row("a", 0.5, task, seed) for task, seed in (("nl", 0), ("nl", 1), ("de", 0))]
    with pytest.raises(ValueError, match="every seed of every task"):
        summarise(rows)


def test_notes_on_compute() -> None:
    alike = [row(name, 0.5, seed=seed, cpu_s=s) for name, s in (("a", 1.0), ("b", 1.1)) for seed in range(5)]
    assert notes_on(alike) == []
    slow = [row("c", 0.5, seed=seed, cpu_s=3.0) for seed in range(5)]
    (note,) = notes_on([*alike, *slow])
    assert "c takes 3 times the processor time of a" in note
    own = [row(name, 0.5, steps="usual", taken=n, seed=s) for name, n in (("a", 80), ("b", 5)) for s in range(5)]
    (note,) = notes_on(own)
    assert "a 80 in 1 s, b 5 in 1 s" in note
    idle = [row(name, 0.5, steps=0, seed=s, cpu_s=t) for name, t in (("a", 1.0), ("b", 9.0)) for s in range(5)]
    assert notes_on(idle) == [], "without steps there is nothing to be equal"


def test_a_note_on_few_values() -> None:
    (note,) = notes_on([row("a", 0.5), row("a", 0.4, seed=1)])
    assert "2 values" in note and "more seeds" in note
