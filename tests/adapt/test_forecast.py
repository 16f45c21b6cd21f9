"""The forecast: what it draws and measures, the curves that it fits, how it keeps to its time, and what it refuses."""

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from earful.adapt import curve as learning
from earful.adapt import forecast as module
from earful.adapt.curve import BEND, RUN, Curve, Curves, fit_curve
from earful.adapt.finetune import Plan, finetune
from earful.adapt.forecast import CHAINS, Forecast, draw_parts, forecast, nested, pooled
from earful.adapt.select import plan_for
from earful.checkpoint import Checkpoint
from earful.data.manifest import Manifest
from earful.errors import AdaptationError, CheckpointError, ConfigError

QUICK = Plan(steps=1, copies=0, batch_s=8.0)
MINUTES = torch.tensor([0.5, 1, 2, 4], dtype=torch.float64)


def run(base: Checkpoint, clips: Manifest, **options: Any) -> Forecast:
    return forecast(base, clips, **{"plan": QUICK, **options})


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# --- the curve -------------------------------------------------------------------------------------------------------


def rates(floor: float, scale: float, exponent: float, minutes: Tensor = MINUTES) -> Tensor:
    return floor + scale * minutes**-exponent


def fitted(cer_S: Tensor, noise: float, minutes: Tensor = MINUTES) -> tuple[Curve, Curves]:
    return fit_curve(60 * minutes, cer_S, noise**2 * torch.eye(len(cer_S)).double(), seeded())


def forecast_of(curve: Curve, curves: Curves, minutes: float = 4.0) -> Forecast:
    return Forecast(0.8, 40, minutes, 8, (), curve, curves)


@pytest.mark.parametrize("true", [(0.0, 0.5, 0.3), (0.1, 0.4, 0.5), (0.2, 0.2, 0.4), (0.0, 0.9, 0.1)])
def test_a_power_law_is_found_again(true: tuple[float, float, float], monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight sure points of a curve that does not bend give the curve."""
    monkeypatch.setattr(learning, "BEND", 1e-4)
    monkeypatch.setattr(learning, "RUN", 1e-4)
    minutes = 0.25 * 2 ** torch.arange(8, dtype=torch.float64)
    curve, curves = fitted(rates(*true, minutes), 1e-3, minutes)
    found, expected = forecast_of(curve, curves, 32.0), rates(*true, torch.tensor([32.0, 64, 256]))
    for times, cer in zip((1, 2, 8), expected.tolist(), strict=True):
        assert found.predicted(32.0 * times).cer == pytest.approx(cer, rel=0.015 * times)
    for at in (1.0, 32.0):
        assert curve.floor + curve.scale * at**-curve.exponent == pytest.approx(
            float(rates(*true, torch.tensor(at))), rel=0.01
        )


def test_intervals_hold_what_they_say() -> None:
    """Curves as likely as is assumed beforehand, measured with the noise that is assumed: 95 of 100 lie within."""
    generator, noise, inside = seeded(), 0.04, dict.fromkeys((1, 2, 8), 0)
    count = 200
    for _ in range(count):
        exponent = learning.EXPONENT * math.exp(learning.EXPONENT_SPREAD * float(torch.randn((), generator=generator)))
        share = 0.98 * float(torch.rand((), generator=generator))
        steps = BEND * torch.randn(3, generator=generator, dtype=torch.float64)
        bends = torch.cat([steps.flip(0).cumsum(0).flip(0), torch.zeros(1)])
        at_four = 0.4 * share + 0.4 * (1 - share) * (MINUTES / 4) ** -exponent
        measured = at_four * (bends + noise * torch.randn(4, generator=generator, dtype=torch.float64)).exp()
        found = forecast_of(*fitted(measured, noise))
        for times in inside:
            stray = math.sqrt(RUN**2 + BEND**2 * math.log2(times)) * float(torch.randn((), generator=generator))
            cer = 0.4 * (share + (1 - share) * times**-exponent) * math.exp(stray)
            low, high = found.predicted(4.0 * times).interval_95
            inside[times] += low <= cer <= high
    assert all(0.91 * count <= hits <= 0.99 * count for hits in inside.values()), inside


def test_the_interval_opens_with_the_distance_and_the_noise() -> None:
    cer_S = rates(0.1, 0.4, 0.4)
    sure, unsure = (forecast_of(*fitted(cer_S, noise)) for noise in (0.01, 0.1))
    for found in (sure, unsure):
        lows, highs = zip(*(found.predicted(4.0 * n).interval_95 for n in (1, 2, 4, 8, 16)), strict=True)
        widths = [math.log(high / low) for low, high in zip(lows, highs, strict=True)]
        assert widths == sorted(widths) and min(lows) > 0
    narrow, wide = (found.predicted(16.0).interval_95 for found in (sure, unsure))
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_few_points_do_not_run_wild() -> None:
    """Two of three points by chance in the wrong order: no fall to nothing, no rise, and the interval says the rest."""
    found = forecast_of(
        *fit_curve(60 * MINUTES[1:], torch.tensor([0.5, 0.52, 0.42]).double(), 0.1**2 * torch.eye(3).double(), seeded())
    )
    eight = found.predicted(32.0)
    assert 0.15 < eight.interval_95[0] < eight.cer < found.predicted(4.0).cer < 0.5
    flat = forecast_of(*fitted(torch.full((4,), 0.4).double(), 0.02))
    assert 0.3 < flat.predicted(32.0).cer < 0.4


def test_what_is_needed_is_where_the_forecast_gets_there() -> None:
    found = forecast_of(*fitted(rates(0.05, 0.4, 0.4), 0.01))
    target = found.predicted(10.0).cer
    needed = found.needed(target)
    soonest, latest = needed.interval_95
    assert needed.cer == target and needed.more_minutes == pytest.approx(6.0, rel=0.02)
    assert soonest is not None and found.predicted(4.0 + soonest).interval_95[0] == pytest.approx(target, rel=0.01)
    assert latest is not None and found.predicted(4.0 + latest).interval_95[1] == pytest.approx(target, rel=0.01)
    assert 0 < soonest < 6.0 < latest


def test_what_is_there_already_and_what_is_out_of_reach() -> None:
    found = forecast_of(*fitted(rates(0.05, 0.4, 0.4), 0.01))
    assert found.needed(0.9).more_minutes == 0 and found.needed(0.9).interval_95 == (0, 0)
    assert found.needed(0.02).more_minutes is None and found.needed(0.02).interval_95 == (None, None)
    half = found.needed(found.predicted(64.0).cer * 0.99)
    assert half.more_minutes is None and half.interval_95[0] is not None and half.interval_95[1] is None


@pytest.mark.parametrize("minutes", [0.0, -1.0, 64.1, math.nan, math.inf])
def test_no_forecast_beyond_sixteen_times(minutes: float) -> None:
    found = forecast_of(*fitted(rates(0.05, 0.4, 0.4), 0.01))
    assert found.farthest == 64.0 and found.predicted(64.0).cer > 0
    with pytest.raises(ConfigError, match="must be above 0 and at most 64, 16 times the speech there is"):
        found.predicted(minutes)


# --- the draws -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "sizes"), [(8, 3), (9, 3), (10, 3), (11, 4), (12, 4), (50, 4), (450, 4)])
def test_parts(count: int, sizes: int) -> None:
    lengths = (1 + 4 * torch.rand(count, generator=seeded())).tolist()
    parts = draw_parts(lengths, range(count), 3)
    again, others = (draw_parts(lengths, range(count), seed) for seed in (3, 4))
    assert len(parts) == CHAINS and parts == again != others
    for held, learn in parts:
        assert len(learn) == sizes and not set(held) & set(learn[-1]) and len(held) <= 100
        assert len(held) + len(learn[-1]) == count, "what does not measure is learned from"
        for fewer, more in pairwise(learn):
            assert fewer and more[: len(fewer)] == fewer and len(more) > len(fewer)
    if count < 400:
        for turn in (parts[:4], parts[4:]):
            assert sorted(i for held, _ in turn for i in held) == list(range(count)), "each clip measures once a turn"
    assert len({learn[0][0] for _, learn in parts}) > 2, "small sizes are drawn anew"


def test_a_group_is_on_one_side_and_resampled_as_one() -> None:
    groups = [i // 3 for i in range(30)]
    for held, learn in draw_parts([3.0] * 30, groups, 0):
        assert not {groups[i] for i in held} & {groups[i] for i in learn[-1]}
        assert [len(each) for each in module._by_group(held, groups)] == [3] * (len(held) // 3)


def test_sizes_are_of_seconds() -> None:
    assert nested([5.0] * 16, 3) == [2, 4, 8, 16]
    assert nested([40.0, 1, 1, 1, 1, 1, 1, 1], 3) == [1, 2, 3, 8], "all differ, however long the first is"
    assert nested([1.0, 1, 1, 1, 1, 1, 1, 40], 3) == [5, 6, 7, 8]
    lengths = (1 + 9 * torch.rand(200, generator=seeded())).tolist()
    for count, share in zip(nested(lengths, 3), (8, 4, 2, 1), strict=True):
        assert sum(lengths[:count]) == pytest.approx(sum(lengths) / share, abs=5.0)


def chain(errors: Sequence[Sequence[float]], lengths: Sequence[float]) -> Any:
    sizes = torch.arange(1, 1 + len(errors)).double()
    return module._Chain(
        sizes, 60 * sizes, torch.zeros(len(lengths)), torch.tensor(errors).double(), torch.tensor(lengths).double()
    )


def test_rates_are_of_all_characters_together() -> None:
    chains = [
        chain([[5, 1] * 20, [2, 0] * 20], [10, 30] * 20),
        chain([[4, 2, 0] * 20, [2, 0, 0] * 20], [10, 10, 40] * 20),
    ]
    cer_S, cer_RS = pooled(chains, seeded())
    assert cer_S.tolist() == [0.12, 0.04]
    assert cer_RS.shape[1] == 2 and float((cer_RS.mean(0) / cer_S - 1).abs().max()) < 0.05
    assert float(torch.corrcoef(cer_RS.T)[0, 1]) > 0.3, "a clip that is hard for one size is for the next"
    perfect, _ = pooled([chain([[0, 0]], [10, 40])], seeded())
    assert perfect.tolist() == [0.01], "half an error"


def test_more_clips_and_draws_are_surer() -> None:
    rate = torch.rand(400, generator=seeded())
    spreads = []
    for draws, clips in ((1, 4), (1, 40), (8, 40)):
        each = rate[: draws * clips].reshape(draws, 1, clips) * 20
        _, cer_RS = pooled([chain(errors.tolist(), [20.0] * clips) for errors in each], seeded())
        spreads.append(float(cer_RS.log().std()))
    assert spreads[0] > 2 * spreads[1] > 4 * spreads[2] > 0


# --- measuring -------------------------------------------------------------------------------------------------------


def test_a_forecast(base: Checkpoint, manifest: Manifest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHAINS", 5)
    told = list[tuple[str, int, int]]()
    found = run(base, manifest, tell=lambda *now: told.append(now))
    assert found.clips == 8 and found.draws == 5 and 0 < found.cer_before < math.inf
    assert found.minutes == pytest.approx(manifest.duration_s / 60, rel=0.05)
    minutes = [rate.minutes for rate in found.points]
    assert minutes[-1] == pytest.approx(0.75 * found.minutes, rel=0.05)
    assert minutes[1] == pytest.approx(minutes[-1] / 2, rel=0.3) and found.points[-1].clips == 6
    for rate in (*found.points, found.predicted(found.minutes), found.predicted(found.farthest)):
        low, high = rate.interval_95
        assert 0 < low <= rate.cer <= high < math.inf
    assert list(dict.fromkeys(stage for stage, _, _ in told)) == ["listening", "measuring"]
    done = [now for stage, now, _ in told if stage == "measuring"]
    assert len(done) == 5 * 3 and done == sorted(done) and done[-1] == 1000
    again = run(base, manifest)
    assert found == again and found.predicted(1.0) == again.predicted(1.0), "the same seed, the same forecast"
    assert found != run(base, manifest, seed=1)


def test_each_size_has_its_own_plan_and_what_measures_is_not_met(
    base: Checkpoint, manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = list[tuple[int, int, int, int]]()

    def watching(model: Any, start: Any, clips: Any, held: Any, alphabet: Any, plan: Plan, **named: Any) -> Any:
        seen.append((len(clips), len(clips[0]), plan.steps, len(held)))
        return finetune(model, start, clips, held, alphabet, replace(QUICK, steps=1), **named)

    monkeypatch.setattr("earful.adapt.finetune.finetune", watching)
    monkeypatch.setattr(module, "CHAINS", 2)
    monkeypatch.setattr(
        module, "plan_from", lambda base, clips, seconds: replace(QUICK, steps=max(1, clips), copies=int(clips < 5))
    )
    found = forecast(base, manifest)
    assert [rate.clips for rate in found.points] == [sum(one[0] for one in seen[i::3]) / 2 for i in range(3)]
    for clips, variants, steps, held in seen:
        assert steps == clips and variants == 1 + (clips < 5) and held == 0
    assert plan_for(6, 10.0).steps == 80, "what it is by default"


def test_errors_are_those_of_the_clips_that_were_held_out(
    base: Checkpoint, manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a CER of 0.5 for every clip after adaptation and 0.75 before, that is what comes out."""
    started, scored = list[int](), list[int]()

    def tuning(model: Any, start: Any, clips: Any, *rest: Any, **named: Any) -> Any:
        started.append(id(start))
        return finetune(model, start, clips, *rest, **named)

    def scoring(model: Any, params: Any, held: Any, alphabet: Any) -> float:
        scored.append(len(held))
        return 0.5 if id(params) not in started else 0.75

    monkeypatch.setattr("earful.adapt.finetune.finetune", tuning)
    monkeypatch.setattr(module, "cer_of", scoring)
    found = run(base, manifest)
    assert [rate.cer for rate in found.points] == pytest.approx([0.5] * 3) and set(scored) == {1}
    assert len(scored) == 8 * 2 * (3 + 1), "each clip twice, at three sizes and before"


class Clock:
    """A second a step."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 0.0
        monkeypatch.setattr(module, "monotonic", lambda: self.now_s)
        monkeypatch.setattr("earful.adapt.finetune.finetune", self.finetune)

    def finetune(self, *arguments: Any, **named: Any) -> Any:
        self.now_s += 1
        return finetune(*arguments, **named)


@pytest.mark.parametrize(("seconds", "draws"), [(0.5, 4), (14, 4), (16, 5), (99, 6)])
def test_it_keeps_to_its_time(
    base: Checkpoint, manifest: Manifest, monkeypatch: pytest.MonkeyPatch, seconds: float, draws: int
) -> None:
    """Three sizes, three seconds a draw; four draws until each clip has measured."""
    monkeypatch.setattr(module, "CHAINS", 6)
    clock, told = Clock(monkeypatch), list[int]()
    found = run(base, manifest, minutes=seconds / 60, tell=lambda stage, now, total: told.append(now))
    assert (found.draws, clock.now_s) == (draws, 3.0 * draws)
    assert told[8:] == sorted(told[8:]) and told[-1] >= 800


def test_it_goes_on(base: Checkpoint, manifest: Manifest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(module, "CHAINS", 4)
    whole = run(base, manifest)
    clock = Clock(monkeypatch)

    def interrupt(stage: str, done: int, total: int) -> None:
        if clock.now_s >= 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(base, manifest, state=tmp_path, tell=interrupt)
    (path,) = tmp_path.iterdir()
    before_s = clock.now_s
    again = run(base, manifest, state=tmp_path)
    assert clock.now_s - before_s == 3 * (4 - 2), "two draws were kept"
    assert again == whole and again.predicted(1.0) == whole.predicted(1.0)
    before_s = clock.now_s
    assert run(base, manifest, state=tmp_path) == whole and clock.now_s == before_s, "nothing is left to measure"
    run(base, manifest, state=tmp_path, seed=1, minutes=0.01)
    assert len(list(tmp_path.iterdir())) == 2, "another seed, another state"
    path.write_bytes(b"damaged")
    with pytest.raises(CheckpointError, match=r"forecast-\w+\.safetensors: the saved state is damaged .* delete it"):
        run(base, manifest, state=tmp_path)


@pytest.mark.parametrize("minutes", [0.0, -1.0, math.nan])
def test_minutes_that_cannot_be(base: Checkpoint, manifest: Manifest, minutes: float) -> None:
    with pytest.raises(ConfigError, match="must be a number above 0"):
        run(base, manifest, minutes=minutes)


def test_too_few_clips(base: Checkpoint, manifest: Manifest) -> None:
    with pytest.raises(
        AdaptationError, match="at least 8 clips that can be used and have nothing in common, got 7; record more"
    ):
        run(base, manifest[:7])
    silent = Manifest((*manifest[:7], replace(manifest[7], text="")))
    with pytest.raises(AdaptationError, match="got 7"):
        run(base, silent)
