"""The training loop: the schedule, and that an interrupted run continues bit for bit."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from earful.errors import CheckpointError, ConfigError, TrainingError
from earful.train import Optimisation, Run, Step, append_log, fit, load_state, rate_at, save_state


def make_model() -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), nn.Linear(8, 1))


def losses_of(model: nn.Module) -> Callable[[int, torch.Generator], dict[str, Tensor]]:
    def losses(step: int, generator: torch.Generator) -> dict[str, Tensor]:
        x = torch.randn(16, 4, generator=generator)
        return {"loss": ((model(x)[:, 0] - x.sum(1)) ** 2).mean()}

    return losses


def test_it_learns_and_reports(tmp_path: Path) -> None:
    model, steps = make_model(), list[Step]()
    skipped = fit(model, losses_of(model), Optimisation(200, 0.03), seed=1, state=tmp_path / "s", report=steps.append)
    assert skipped == 0 and [step.number for step in steps] == list(range(1, 201))
    assert sum(s.losses["loss"] for s in steps[-20:]) < 0.6 * sum(s.losses["loss"] for s in steps[:20])


def test_an_interrupted_run_is_the_same_run(tmp_path: Path) -> None:
    whole = make_model()
    fit(whole, losses_of(whole), Optimisation(30), seed=1, state=tmp_path / "whole")

    def stop(step: Step) -> None:
        if step.number == 17:
            raise KeyboardInterrupt

    half = make_model()
    options: dict[str, Any] = {"seed": 1, "state": tmp_path / "half", "save_every": 5}
    with pytest.raises(KeyboardInterrupt):
        fit(half, losses_of(half), Optimisation(30), report=stop, **options)
    again, seen = make_model(), list[Step]()
    fit(again, losses_of(again), Optimisation(30), report=seen.append, **options)
    assert seen[0].number == 16
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), again.parameters(), strict=True))


def test_a_gradient_that_is_not_finite_is_skipped_and_counted(tmp_path: Path) -> None:
    model = make_model()
    plain = losses_of(model)

    def sometimes(step: int, generator: torch.Generator) -> dict[str, Tensor]:
        return {name: loss * (float("nan") if step == 2 else 1.0) for name, loss in plain(step, generator).items()}

    assert fit(model, sometimes, Optimisation(5), seed=1, state=tmp_path / "s") == 1
    assert all(bool(torch.isfinite(p).all()) for p in model.parameters())


def test_the_schedule_rises_and_falls() -> None:
    rates = [rate_at(step, Optimisation(100, 1.0, warmup=0.1)) for step in range(100)]
    assert rates[0] == pytest.approx(0.1) and rates[9] == 1.0 and max(rates) == 1.0 and 0.01 <= rates[-1] < 0.02
    assert rates[10:] == sorted(rates[10:], reverse=True)


def test_bad_optimisation() -> None:
    with pytest.raises(ConfigError, match="steps is 0"):
        Optimisation(0)


def test_state_round_trip_and_damage(tmp_path: Path) -> None:
    path = tmp_path / "a" / "state"
    assert load_state(path) is None
    save_state(path, {"x": torch.arange(3)}, {"step": 4, "curve": [1.5]})
    tensors, header = load_state(path) or ({}, {})
    assert torch.equal(tensors["x"], torch.arange(3)) and header == {"step": 4, "curve": [1.5]}
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(CheckpointError, match="damaged"):
        load_state(path)


def test_the_state_of_another_model_is_refused(tmp_path: Path) -> None:
    model, other = make_model(), nn.Linear(3, 1)
    fit(model, losses_of(model), Optimisation(1), seed=1, state=tmp_path / "s")
    with pytest.raises(CheckpointError, match=r"of another run \(1 steps; it differs in start\)"):
        fit(other, losses_of(other), Optimisation(1), seed=1, state=tmp_path / "s")


def test_a_run_that_went_further_is_not_set_back(tmp_path: Path) -> None:
    model = make_model()
    fit(model, losses_of(model), Optimisation(6), seed=1, state=tmp_path / "s")
    with pytest.raises(CheckpointError, match="differs in optimisation"):  # its rate fell otherwise, too
        fit(make_model(), losses_of(model), Optimisation(4), seed=1, state=tmp_path / "s")
    assert (load_state(tmp_path / "s") or ({}, {}))[1]["step"] == 6


@pytest.mark.parametrize(
    ("failure", "raised"), [(OSError(28, "No space left on device"), CheckpointError), (KeyboardInterrupt(), None)]
)
def test_what_was_saved_stands_when_saving_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: BaseException, raised: type[BaseException] | None
) -> None:
    def failing(tensors: object, path: Path, *_: object) -> None:
        path.write_bytes(b"half")
        raise failure

    save_state(tmp_path / "s", {"x": torch.zeros(1)}, {"step": 1})
    monkeypatch.setattr("earful.train.save_file", failing)
    with pytest.raises(raised or type(failure)) as error:
        save_state(tmp_path / "s", {"x": torch.ones(1)}, {"step": 2})
    assert raised is None or "No space left" in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == ["s"]
    assert (load_state(tmp_path / "s") or ({}, {}))[1] == {"step": 1}


def test_a_log_that_cannot_be_written(tmp_path: Path) -> None:
    append_log(tmp_path / "a" / "log.jsonl", {"step": 1})
    append_log(tmp_path / "a" / "log.jsonl", {"step": 2})
    assert (tmp_path / "a" / "log.jsonl").read_text() == '{"step": 1}\n{"step": 2}\n'
    with pytest.raises(CheckpointError, match="the log cannot be written"):
        append_log(tmp_path / "a" / "log.jsonl" / "deeper", {})


@pytest.mark.parametrize(
    ("what", "options"),
    [
        ("seed", {"seed": 2}),
        ("optimisation", {"optimisation": Optimisation(4, rate=0.02)}),
        ("clips", {"run": Run({"clips": "others"})}),
    ],
)
def test_another_run_does_not_get_the_state_of_this_one(tmp_path: Path, what: str, options: dict[str, Any]) -> None:
    first, other = make_model(), make_model()
    run: dict[str, Any] = {"optimisation": Optimisation(4), "seed": 1, "run": Run({"clips": "some"})}
    fit(first, losses_of(first), state=tmp_path / "s", **run)
    with pytest.raises(CheckpointError, match=rf"another run \(4 steps; it differs in {what}\).*--overwrite"):
        fit(other, losses_of(other), state=tmp_path / "s", **{**run, **options})
    assert all(torch.equal(a, b) for a, b in zip(make_model().parameters(), other.parameters(), strict=True))


def test_what_another_run_left_is_thrown_away_if_that_is_wanted_and_said(tmp_path: Path) -> None:
    model, said = make_model(), list[str]()
    fit(model, losses_of(model), Optimisation(4), seed=1, state=tmp_path / "s")
    append_log(tmp_path / "log.jsonl", {"step": 4})
    again, alone = make_model(), make_model()
    fit(again, losses_of(again), Optimisation(4), seed=2, state=tmp_path / "s", run=Run(discard=said.append))
    fit(alone, losses_of(alone), Optimisation(4), seed=2, state=tmp_path / "t")
    assert all(torch.equal(a, b) for a, b in zip(again.parameters(), alone.parameters(), strict=True))
    (sentence,) = said
    assert sentence.endswith("another run (4 steps; it differs in seed) is thrown away, and its log")
    assert not (tmp_path / "log.jsonl").exists()
    fit(make_model(), losses_of(again), Optimisation(4), seed=2, state=tmp_path / "t", run=Run(discard=said.append))
    assert len(said) == 1  # its own is not


def test_a_damaged_state_is_thrown_away_only_if_that_is_wanted(tmp_path: Path) -> None:
    (tmp_path / "s").write_bytes(b"no state")
    model, said = make_model(), list[str]()
    with pytest.raises(CheckpointError, match="damaged"):
        fit(model, losses_of(model), Optimisation(1), seed=1, state=tmp_path / "s")
    fit(model, losses_of(model), Optimisation(1), seed=1, state=tmp_path / "s", run=Run(discard=said.append))
    assert said == [f"{tmp_path / 's'}: a state that is damaged is thrown away"]


def test_a_training_that_diverges_ends_and_spoils_no_state(tmp_path: Path) -> None:
    model = make_model()
    plain = losses_of(model)

    def burst(step: int, generator: torch.Generator) -> dict[str, Tensor]:
        found = plain(step, generator)
        if step == 12:  # the gradient is finite, the parameter is not any more
            with torch.no_grad():
                next(iter(model.parameters()))[0, 0] = float("inf")
        return (
            found
            if step <= 12
            else {"loss": torch.stack([p.nan_to_num(0, 0, 0).sum() for p in model.parameters()]).sum()}
        )

    options: dict[str, Any] = {"seed": 1, "state": tmp_path / "s", "save_every": 5}
    with pytest.raises(
        TrainingError, match=r"diverged at step 15 of 40.*rate, 0\.003, is.*good state, of step 10"
    ) as error:
        fit(model, burst, Optimisation(40, 0.003), **options)
    assert str(tmp_path / "s") in str(error.value)
    found = load_state(tmp_path / "s")
    assert found is not None and found[1]["step"] == 10
    assert all(bool(torch.isfinite(value).all()) for value in found[0].values())


def test_a_training_without_a_finite_gradient_ends(tmp_path: Path) -> None:
    model, steps = make_model(), list[Step]()

    def bad(step: int, generator: torch.Generator) -> dict[str, Tensor]:
        return {name: loss * float("nan") for name, loss in losses_of(model)(step, generator).items()}

    with pytest.raises(TrainingError, match=r"step 50 of 400: no gradient of the last 50.*no state was saved"):
        fit(model, bad, Optimisation(400), seed=1, state=tmp_path / "s", report=steps.append)
    assert len(steps) == 50 and not (tmp_path / "s").exists()
    with pytest.raises(TrainingError, match="step 3 of 3: no gradient of the last 3 steps"):
        fit(model, bad, Optimisation(3), seed=1, state=tmp_path / "s")
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize("header", ["[]", "null", "{}", '{"run": []}', '{"step": "x"}', "[" * 100_000])
def test_a_header_that_is_none_is_damage(tmp_path: Path, header: str) -> None:
    save_file({"a": torch.zeros(1)}, tmp_path / "s", {"state": header})
    model = make_model()
    with pytest.raises(CheckpointError, match=f"{tmp_path / 's'}"):
        fit(model, losses_of(model), Optimisation(1), seed=1, state=tmp_path / "s")


@pytest.mark.parametrize(
    "options",
    [
        {"steps": 10**23},
        {"steps": 1, "rate": float("nan")},
        {"steps": 1, "rate": float("inf")},
        {"steps": 1, "rate": -1.0},
        {"steps": 1, "clip_norm": -1.0},
        {"steps": 1, "clip_norm": float("nan")},
        {"steps": 1, "clip_norm": 0.0},
        {"steps": 1, "weight_decay": float("nan")},
    ],
)
def test_numbers_that_cannot_be(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=f"{list(options)[-1]} is "):
        Optimisation(**options)


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="the system does not say what is mapped")
def test_a_state_that_was_loaded_is_not_held(tmp_path: Path) -> None:
    save_state(tmp_path / "state", {"a": torch.ones(1000, 1000)}, {})
    found = load_state(tmp_path / "state")
    assert found is not None and "a" in found[0]
    assert str(tmp_path) not in Path("/proc/self/maps").read_text("utf-8"), "Windows replaces no file that is mapped"
