"""`earful forecast`: its table, its words, the keys of its JSON, how it goes on, and what it refuses."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer

from earful.adapt import forecast as module
from earful.adapt.curve import Curve, Curves
from earful.adapt.finetune import Plan
from earful.adapt.forecast import Forecast, Needed, Rate
from earful.cli import forecast as command
from earful.cli.forecast import doubts, in_minutes, in_words, print_forecast, strip

QUICK = Plan(steps=1, copies=0, batch_s=8.0)
KEYS = {"cer_before", "clips", "minutes", "draws", "measured", "forecast", "curve", "target"}
MORE = {"left_out", "seconds", "warnings", "peak_memory_mb"}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """One step, four draws."""
    monkeypatch.setattr(module, "CHAINS", 4)
    monkeypatch.setattr(module, "plan_from", lambda base, clips, seconds: QUICK)


@pytest.fixture
def run(earful: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """The command line, whether or not `main` knows the command."""
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command()(command.forecast)
    app.command()(lambda: None)
    monkeypatch.setattr("earful.cli.main.app", app)
    return earful


def test_json(run: Any, clips: Path, tiny_base: Path, tmp_path: Path) -> None:
    done = run("forecast", tiny_base, clips, "--target", 50, "--state", tmp_path / "state", "--json")
    assert done.status == 0 and done.out.count("\n") == 1, done.err
    row = json.loads(done.out, parse_constant=pytest.fail)
    assert set(row) == KEYS | MORE and (row["clips"], row["left_out"], row["draws"]) == (8, 0, 4)
    assert [rate["times"] for rate in row["forecast"]] == [1, 2, 4, 8] and len(row["measured"]) == 3
    for rate in row["forecast"]:
        assert rate["minutes"] == pytest.approx(rate["times"] * row["minutes"])
        assert 0 < rate["interval_95"][0] < rate["cer"] < rate["interval_95"][1]
    assert set(row["curve"]) == {"floor", "scale", "exponent"} and set(row["target"]) == {
        "cer",
        "more_minutes",
        "interval_95",
    }
    assert row["target"]["cer"] == 0.5 and isinstance(row["warnings"], list)
    (kept,) = (tmp_path / "state").iterdir()
    again = json.loads(run("forecast", tiny_base, clips, "--state", tmp_path / "state", "--json").out)
    assert again["target"] is None and {key: again[key] for key in KEYS - {"target"}} == {
        key: row[key] for key in KEYS - {"target"}
    }
    assert kept.exists()


def test_for_people(run: Any, write_clips: Any, tiny_base: Path, tmp_path: Path) -> None:
    clips = write_clips(tmp_path / "clips", 9)
    (clips / "clip8.txt").write_text("abcabc " * 40, "utf-8")
    done = run("forecast", tiny_base, clips, "--target", "50", "--seed", 1)
    assert done.status == 0, done.err
    lines = done.out.splitlines()
    assert [sum(word in line for line in lines) for word in ("measured  ", "all your clips ", "extrapolated")] == [
        3,
        1,
        3,
    ]
    assert sum("●" in line for line in lines) == 7 and "CER 50.0 %" in lines[-1]
    assert "8 clips" in done.out and "× minutes^−" in done.out and "left out" in done.err and "clip8" in done.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--target", "0.2"), "0.2 is no CER in per cent, from 1 to 99"),
        (("--target", "100"), "100 is no CER in per cent"),
        (("--minutes", "0"), "not a number of minutes above 0"),
        (("--minutes", "nan"), "not a number of minutes above 0"),
    ],
)
def test_options_that_cannot_be(run: Any, tiny_base: Path, tmp_path: Path, options: tuple[str, ...], said: str) -> None:
    """It says so at once: these clips are not even looked for."""
    done = run("forecast", tiny_base, tmp_path / "nowhere", *options)
    assert done.status == 2 and done.out == "" and done.err.count("\n") == 1 and said in done.err


def test_too_few_clips(run: Any, write_clips: Any, tiny_base: Path, tmp_path: Path) -> None:
    done = run("forecast", tiny_base, write_clips(tmp_path / "clips", 7))
    assert done.status == 2 and done.err.startswith("earful: a forecast holds out") and "got 7; record more" in done.err


def test_a_model_or_clips_that_are_not_there(run: Any, clips: Path, tiny_base: Path, tmp_path: Path) -> None:
    assert "nothing" in run("forecast", tmp_path / "nothing", clips).err
    assert "nowhere" in run("forecast", tiny_base, tmp_path / "nowhere").err


def curves(cer: float, floor: float, exponent: float, minutes: float) -> Curves:
    """Three curves around one."""
    import torch

    around = torch.tensor([-0.1, 0.0, 0.1], dtype=torch.float64)
    same = torch.ones(3, dtype=torch.float64)
    return Curves(60 * minutes, around + math.log(cer), exponent * same, floor * same, 0 * same)


@pytest.fixture
def found() -> Forecast:
    """Ten minutes, CER 40 %, a fifth of it floor."""
    points = (Rate(4.0, 0.5, (0.45, 0.55), 20.0), Rate(8.0, 0.42, (0.39, 0.46), 40.0))
    return Forecast(0.8, 50, 10.0, 8, points, Curve(0.08, 0.8, 0.4), curves(0.4, 0.2, 0.4, 10.0))


def test_the_table(found: Forecast, capsys: pytest.CaptureFixture[str]) -> None:
    print_forecast(found, found.needed(0.3))
    lines = capsys.readouterr().out.splitlines()
    shown = [line.split()[:3] for line in lines if "measured  " in line]
    assert shown == [["measured", "4.0", "50.0"], ["measured", "8.0", "42.0"]]
    ahead = [line for line in lines if "extrapolated" in line]
    assert [line.split()[:4] for line in ahead] == [
        [n, "times,", "extrapolated", m] for n, m in (("2", "20"), ("4", "40"), ("8", "80"))
    ]
    places = [line.index("●") for line in lines if "●" in line]
    assert places == sorted(places, reverse=True) and len(set(places)) > 3
    assert "50 clips, 10 minutes; each size was measured 8 times" in lines[-3] and "80.0 %" in lines[-3]
    assert lines[-2].endswith("CER = 8.0 % + 80.0 % × minutes^−0.40")


@pytest.mark.parametrize(
    ("cer", "words"),
    [
        (0.30, "To reach CER 30.0 % you need about 16 more minutes ["),
        (0.41, "CER 41.0 % is about what all your clips give, at the worst after 2.5 more minutes."),
        (0.60, "CER 60.0 % is what all your clips give."),
        (0.18, "you probably need more than 150 more minutes ["),
        (0.05, "CER 5.0 % is out of reach of 150 more minutes; beyond that nothing can be said."),
    ],
)
def test_a_target_in_words(found: Forecast, cer: float, words: str) -> None:
    said = in_words(found.needed(cer), found)
    assert words in said, said
    assert ("[" in words) == ("–" in said)


def test_an_open_end(found: Forecast) -> None:
    assert in_words(Needed(0.2, 60.0, (30.0, None)), found).endswith("about 60 more minutes [30 – more than 150].")


def test_small_things() -> None:
    assert [in_minutes(m) for m in (0.04, 0.4321, 9.94, 43.21)] == ["0.0", "0.4", "9.9", "43"]
    assert strip(Rate(1.0, 0.2, (0.1, 0.4)), 0.4, 9) == "  ──●────"
    assert strip(Rate(1.0, 0.2, (0.2, 0.2)), 0.4, 9) == "    ●"


def test_what_is_doubtful(found: Forecast) -> None:
    assert list(doubts(found, 15)) == []
    (few,) = doubts(replace(found, draws=2), 15)
    assert "2 draws" in few and "--minutes" in few
    (worse,) = doubts(replace(found, cer_before=0.41), 15)
    assert "does not improve" in worse
