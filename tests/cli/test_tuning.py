"""`earful adapt --tune`: what it shows, what it uses, how it goes on, and what it refuses."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from earful.adapt.finetune import Plan
from earful.adapt.search import Trial
from earful.checkpoint import load_checkpoint
from earful.cli.tuning import Found, doubts, print_trials, settings

pytest.importorskip("optuna")

QUICK = Plan(steps=2, copies=0, folds=3, batch_s=8.0)
STAGE = "searching for settings"


@pytest.fixture(autouse=True)
def few_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("earful.adapt.search.MOST_TRIALS", 3)
    monkeypatch.setattr("earful.adapt.effort.plan_of", lambda start, used, effort, steps: QUICK)


def tune_words(clips: Path, out: Path, base: Path) -> tuple[object, ...]:
    return "adapt", clips, "--out", out, "--base", base, "--greedy", "--tune", "5"


def test_json(earful, clips: Path, tiny_base: Path, tmp_path: Path) -> None:
    run = earful(*tune_words(clips, tmp_path / "m", tiny_base), "--json")
    assert run.status == 0 and run.out.count("\n") == 1
    row = json.loads(run.out)
    tuned = row["tuned"]
    assert set(tuned) == {"trials", "cer_default", "cer_best", "minutes"}
    assert (tuned["trials"], tuned["minutes"]) == (3, 5.0) and 0 < tuned["cer_best"] <= tuned["cer_default"]
    assert 1 <= row["plan"]["steps"] <= 6 and row["plan"]["folds"] == 3
    assert (tuned["cer_best"] < tuned["cer_default"]) == (row["plan"]["rate"] != QUICK.rate)
    assert any("a little too low" in warning for warning in row["warnings"])
    assert [path.name for path in tmp_path.iterdir()] == ["m"], "the state is removed"


def test_the_plan_that_was_found_is_used(
    earful, clips: Path, tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = replace(QUICK, steps=3, rate=2e-3)
    monkeypatch.setattr("earful.adapt.tune.best_of", lambda plan, trials: other)
    row = json.loads(earful(*tune_words(clips, tmp_path / "m", tiny_base), "--json").out)
    assert (row["plan"]["steps"], row["plan"]["rate"]) == (3, 2e-3)
    monkeypatch.setattr("earful.adapt.effort.plan_of", lambda start, used, effort, steps: other)
    assert earful(*tune_words(clips, tmp_path / "same", tiny_base)[:-2]).status == 0
    first, second = (load_checkpoint(tmp_path / name).params for name in ("m", "same"))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_for_people(earful, clips: Path, tiny_base: Path, tmp_path: Path) -> None:
    run = earful(*tune_words(clips, tmp_path / "m", tiny_base))
    table, _, rest = run.out.partition("CER before")
    assert table.startswith("3 trials, 0 of them stopped early") and rest
    assert " usual " in f" {table}" and "5.0e-04" in table and "2×40" in table
    assert "warning: the settings were chosen on the clips that CER is measured on" in run.err


@contextmanager
def stopping(stage: str, at: Callable[[list[str]], bool], seen: list[str]) -> Iterator[object]:
    def tell(now: str, done: float, total: float, note: str = "") -> None:
        seen.append(now)
        if now == stage and at(seen):
            raise KeyboardInterrupt

    yield tell


@pytest.mark.parametrize(("stage", "done"), [(STAGE, 1), ("adapting", 3)])
def test_an_interrupted_search_goes_on_and_is_the_same(
    earful, clips: Path, tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str, done: int
) -> None:
    assert earful(*tune_words(clips, tmp_path / "whole", tiny_base)).status == 0
    words, seen = tune_words(clips, tmp_path / "m", tiny_base), list[str]()
    with monkeypatch.context() as patch:
        # the seventh step of the search is the first of its second trial
        patch.setattr("earful.cli.adapt.progress", lambda: stopping(stage, lambda s: s.count(STAGE) >= 7, seen))
        assert earful(*words).status == 130
    (journal,) = (tmp_path / ".m.adapting").glob("tuning-*.jsonl")
    assert sum("settings" in json.loads(line) for line in journal.read_text().splitlines()) == done
    seen.clear()
    monkeypatch.setattr("earful.cli.adapt.progress", lambda: stopping("", lambda s: False, seen))
    assert earful(*words).status == 0 and (STAGE in seen) == (done < 3)
    first, second = (load_checkpoint(tmp_path / name).params for name in ("whole", "m"))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not (tmp_path / ".m.adapting").exists()


@pytest.mark.parametrize("minutes", ["0", "-3", "nan", "inf", "soon"])
def test_minutes_that_cannot_be(earful, clips: Path, tiny_base: Path, tmp_path: Path, minutes: str) -> None:
    run = earful(*tune_words(clips, tmp_path / "m", tiny_base)[:-1], minutes)
    assert run.status == 2 and run.out == "" and run.err.count("\n") == 1
    assert "'--tune'" in run.err and (minutes in run.err or minutes == "soon") and list(tmp_path.iterdir()) == []


def test_optuna_is_not_installed(earful, tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says so at once: these clips are not even looked for."""
    monkeypatch.setitem(sys.modules, "optuna", None)
    run = earful(*tune_words(tmp_path / "nowhere", tmp_path / "m", tiny_base))
    assert run.status == 2 and 'pip install ".[tune]"' in run.err and "nowhere" not in run.err


def trial(cer: float, whole: bool = True, **changes: float) -> Trial:
    return Trial(replace(QUICK, **changes), (cer,) * 3, cer, whole, 1.0)  # type: ignore[arg-type]


def test_what_is_doubtful() -> None:
    one, better = trial(0.5), trial(0.4, rate=1e-3)
    assert doubts(Found(QUICK), "cross-validated") == []
    assert doubts(Found(QUICK, 5, (one, better)), "held-out") == []
    for few in ((), (one,)):
        (doubt,) = doubts(Found(QUICK, 5, few), "held-out")
        assert "5 min are too short for a search" in doubt and "--tune" in doubt
    assert doubts(Found(QUICK, 5, (trial(0.0),)), "held-out") == []


def test_a_search_that_tried_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert settings(Found(QUICK, 0.1))["tuned"] == {"trials": 0, "cer_default": None, "cer_best": None, "minutes": 0.1}
    print_trials([])
    assert capsys.readouterr().out == ""


def test_the_table_has_the_best_and_the_usual(capsys: pytest.CaptureFixture[str]) -> None:
    usual, stopped = trial(0.9), trial(0.05, whole=False)
    print_trials([usual, stopped, *(trial(0.1 + i / 10, dropout=i / 10) for i in range(7))])
    lines = capsys.readouterr().out.splitlines()
    assert "9 trials, 1 of them stopped early" in lines[0]
    shown = [line.split()[:2] for line in lines if "e-0" in line]
    assert shown == [["1.", "10.0"], ["2.", "20.0"], ["3.", "30.0"], ["4.", "40.0"], ["5.", "50.0"], ["usual", "90.0"]]


def test_the_table_fits_a_terminal_of_eighty_columns(capsys: pytest.CaptureFixture[str]) -> None:
    wide = replace(QUICK, rate=4.3e-4, head_factor=0.062, decay=0.0034, towards="zero", steps=1200, batch_s=120.0)
    wide = replace(wide, copies=12, masks=replace(wide.masks, time_masks=4, time_frames=100))
    print_trials([Trial(wide, (1.034,), 1.034, True, 1.0)])
    row = next(line for line in capsys.readouterr().out.splitlines() if "usual" in line)
    assert " ".join(row.split()) == "usual 103.4 4.3e-04 0.062 0.0034→0 base 1200 120 s 4×100 12"
    assert len(row) <= 80
