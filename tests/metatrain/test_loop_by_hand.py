"""The outer loop on one number, with all of it reckoned on paper: what is stepped along, told, chosen and saved.

A task is a target b; the loss is ½ (w − b)², so at w = 0 the gradient is −b and the loss ½ b².
"""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from earful.errors import CheckpointError, ConfigError, TrainingError
from earful.metatrain import Learner, multitask
from earful.metatrain.loop import Drawn, MetaStep, Outer, Trained, metatrain
from earful.train import Optimisation, load_state, save_state

ODD = 7.0  # a target whose loss is another
PLAIN = Optimisation(1, rate=0.5, warmup=0.0)


def loss(params: Mapping[str, Tensor], target: Tensor) -> Tensor:
    found: Tensor = ((params["w"] - target) ** 2).sum() / 2
    return found


def learner(progress: float) -> Learner:
    return multitask(loss, rate=0.1)


def task(target: float, name: str = "", weight: float = 1.0) -> Drawn:
    both = torch.tensor([target], dtype=torch.float64)
    return Drawn((both, both), name, weight)


def run(state: Path, targets: Callable[[int, int], Drawn], optimisation: Optimisation = PLAIN, **more: Any) -> Trained:
    outer = {name: more.pop(name) for name in ("tasks", "chunk", "validate_every", "save_every") if name in more}
    return metatrain(
        learner,
        {"w": torch.zeros(1, dtype=torch.float64)},
        lambda step, number, losses: targets(step, number),
        Outer(optimisation, optimiser=more.pop("optimiser", "sgd"), **outer),
        state=state,
        **more,
    )


def w(trained: Trained) -> float:
    return float(trained.last["start.w"])


def test_it_steps_along_the_weighed_mean_and_tells_the_weighed_loss(tmp_path: Path) -> None:
    """Targets 1 and 3 of weights 1 and 3: the gradient is −(1 + 9)/4, the loss (½ + 3 · 4½)/4."""
    told = list[MetaStep]()
    trained = run(tmp_path / "s", lambda s, t: (task(1.0), task(3.0, weight=3.0))[t], tasks=2, report=told.append)
    assert w(trained) == pytest.approx(0.5 * 2.5)
    (step,) = told
    assert (step.number, step.loss, step.grad_norm) == (1, pytest.approx(3.5), pytest.approx(2.5))
    assert (step.skipped, step.validation) == (0, None) and 0 <= step.elapsed_s < 60


@pytest.mark.parametrize("chunk", [1, 2, 5])
def test_every_task_of_every_step_is_met_once(chunk: int, tmp_path: Path) -> None:
    """Targets 0 … 4: their mean is 2, whatever goes through the learner together."""
    met = list[tuple[int, int]]()

    def targets(step: int, number: int) -> Drawn:
        met.append((step, number))
        return task(float(number))

    trained = run(tmp_path / "s", targets, Optimisation(2, rate=0.5, warmup=0.5), tasks=5, chunk=chunk)
    assert met == [(step, number) for step in range(2) for number in range(5)]
    assert w(trained) == pytest.approx(1.0 + 0.5 * (2 - 1.0)), "half of the way to 2, twice"


def test_a_clipped_step_is_told_with_the_norm_that_it_had(tmp_path: Path) -> None:
    told = list[MetaStep]()
    clipped = Optimisation(1, rate=0.5, warmup=0.0, clip_norm=0.1)
    assert w(run(tmp_path / "s", lambda s, t: task(8.0), clipped, report=told.append)) == pytest.approx(0.05, rel=1e-4)
    assert told[0].grad_norm == pytest.approx(8.0)


@pytest.mark.parametrize(("optimiser", "moved"), [("adam", 0.5), ("adamw", 0.5)])
def test_adam_steps_by_the_sign(optimiser: str, moved: float, tmp_path: Path) -> None:
    assert w(run(tmp_path / "s", lambda s, t: task(8.0), optimiser=optimiser)) == pytest.approx(moved, rel=1e-6)


def test_the_rate_is_that_of_the_step(tmp_path: Path) -> None:
    """Targets stay 1 away, so that each step moves by its rate: a rise over two of four, then a fall to a hundredth."""
    told, at = list[float](), {"w": 0.0}
    state = tmp_path / "s"

    def targets(step: int, number: int) -> Drawn:
        saved = load_state(state)
        at["w"] = float(saved[0]["meta.start.w"]) if saved else 0.0
        told.append(at["w"])
        return task(at["w"] + 1.0)

    trained = run(state, targets, Optimisation(4, rate=0.4, warmup=0.5), tasks=1, save_every=1)
    moved = [after - before for before, after in zip(told, [*told[1:], w(trained)], strict=True)]
    assert moved == pytest.approx([0.2, 0.4, 0.4, 0.4 * (0.01 + 0.99 * 0.5)])


def test_running_means_of_losses_keep_nine_tenths_of_themselves(tmp_path: Path) -> None:
    """Of the one name that is asked for; its losses are 2, 8 and 0."""
    seen = list[dict[str, float]]()

    def draw(step: int, number: int, losses: Mapping[str, float]) -> Drawn:
        seen.append(dict(losses))
        return task((2.0, 4.0, 0.0)[step], "known" if number else "unknown")

    still = Optimisation(3, rate=1e-12, warmup=0.0)
    start = {"w": torch.zeros(1, dtype=torch.float64)}
    outer = Outer(still, tasks=2, optimiser="sgd")
    metatrain(learner, start, draw, outer, state=tmp_path / "s", names=("known",))
    assert seen[::2] == [{}, {"known": pytest.approx(2.0)}, {"known": pytest.approx(0.9 * 2.0 + 0.1 * 8.0)}]
    found = load_state(tmp_path / "s")
    assert found is not None and found[1]["losses"] == {"known": pytest.approx(0.9 * 2.6)}


@pytest.mark.parametrize("chunk", [1, 3])
def test_a_step_without_a_finite_task_is_not_taken(chunk: int, tmp_path: Path) -> None:
    told = list[MetaStep]()
    trained = run(
        tmp_path / "s",
        lambda step, number: task(math.nan if step == 1 or number == 0 else 1.0),
        Optimisation(4, rate=0.5, warmup=0.0),
        tasks=3,
        chunk=chunk,
        report=told.append,
    )
    assert [step.skipped for step in told] == [1, 4, 5, 6] and trained.skipped == 6
    assert math.isnan(told[1].loss) and math.isnan(told[1].grad_norm) and told[0].loss == pytest.approx(0.5)
    assert 0 < w(trained) < 1


@pytest.mark.parametrize(("power", "skipped"), [(0.5, 1), (1.0, 0)])
def test_a_gradient_that_is_not_finite_moves_nothing(power: float, skipped: int, tmp_path: Path) -> None:
    """Of the root at 0 the value is finite, the gradient is not; 1e200 is finite, the norm of two is not."""

    def odd(params: Mapping[str, Tensor], batch: Tensor) -> Tensor:
        found: Tensor = (1e200 * params["w"] if power == 1 else params["w"].abs() ** power).sum()
        return found if float(batch) == ODD else loss(params, batch)

    told = list[MetaStep]()
    trained = metatrain(
        lambda progress: multitask(odd, rate=0.1),
        {"w": torch.zeros(2, dtype=torch.float64)},
        lambda step, number, losses: task(ODD if step == 0 else 1.0),
        Outer(Optimisation(3, rate=0.5, warmup=0.0), tasks=1, optimiser="sgd"),
        state=tmp_path / "s",
        report=told.append,
    )
    assert trained.skipped == skipped and not math.isfinite(told[0].grad_norm)
    assert ((trained.last["start.w"] > 0) & (trained.last["start.w"] < 1)).all()


def test_only_a_whole_run_of_such_steps_is_divergence(tmp_path: Path) -> None:
    """Of four steps two in a row at the end are."""
    four = Optimisation(4, rate=0.5, warmup=0.0)
    assert run(tmp_path / "s", lambda step, number: task(math.nan if step != 2 else 1.0), four, tasks=1).skipped == 3
    with pytest.raises(TrainingError, match="diverged at step 4 of 4: no gradient of the last 2 steps"):
        run(tmp_path / "t", lambda step, number: task(math.nan if step >= 2 else 1.0), four, tasks=1)


def test_what_never_had_a_finite_task_is_divergence_when_it_is_resumed_too(tmp_path: Path) -> None:
    """One step of nine is left after the interruption: too few to tell by these alone."""
    more: dict[str, Any] = {"optimisation": Optimisation(9, rate=0.5, warmup=0.0), "tasks": 2, "save_every": 8}

    def stop(step: MetaStep) -> None:
        if step.number == 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "s", lambda step, number: task(math.nan), report=stop, **more)
    with pytest.raises(TrainingError, match="diverged at step 9 of 9"):
        run(tmp_path / "s", lambda step, number: task(math.nan), **more)


def test_the_best_is_what_validates_best_and_of_equals_the_latest(tmp_path: Path) -> None:
    """It is asked at every second step, and at the last."""
    answers, asked = [3.0, 1.0, 1.0, 2.0], list[float]()

    def validate(meta: Mapping[str, Tensor]) -> float:
        asked.append(float(meta["start.w"]))
        assert not meta["start.w"].requires_grad
        return answers[len(asked) - 1]

    told = list[MetaStep]()
    trained = run(
        tmp_path / "s",
        lambda step, number: task(1.0),
        Optimisation(7, rate=0.1, warmup=0.0),
        validate_every=2,
        validate=validate,
        report=told.append,
    )
    assert [step.validation for step in told] == [None, 3.0, None, 1.0, None, 1.0, 2.0]
    assert (trained.validation, float(trained.best["start.w"])) == (1.0, asked[2])
    assert asked == sorted(set(asked)) and w(trained) == asked[-1]


def test_without_validation_the_last_is_the_best(tmp_path: Path) -> None:
    trained = run(tmp_path / "s", lambda step, number: task(1.0))
    assert trained.best is trained.last and trained.validation == math.inf
    assert not trained.last["start.w"].requires_grad


def test_it_is_saved_every_so_many_steps_and_at_the_end(tmp_path: Path) -> None:
    steps = list[int | None]()

    def look(step: MetaStep) -> None:
        found = load_state(tmp_path / "s")
        steps.append(found[1]["step"] if found else None)

    run(tmp_path / "s", lambda step, number: task(1.0), Optimisation(5), save_every=2, report=look)
    assert steps == [None, 2, 2, 4, 5]


def test_what_was_chosen_and_counted_outlives_an_interruption(tmp_path: Path) -> None:
    """The best of before, too; and how often is saved is no part of what a run is."""
    optimisation = Optimisation(6, rate=0.1, warmup=0.0)

    def targets(step: int, number: int) -> Drawn:
        return task(math.nan if number == 0 and step == 0 else 1.0)

    def stop(step: MetaStep) -> None:
        if step.number == 4:
            raise KeyboardInterrupt

    def validate(meta: Mapping[str, Tensor]) -> float:
        return float(meta["start.w"])  # the first is the best

    more: dict[str, Any] = {"tasks": 2, "validate": validate, "validate_every": 2}
    whole = run(tmp_path / "whole", targets, optimisation, save_every=1, **more)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "parts", targets, optimisation, save_every=2, report=stop, **more)
    resumed = run(tmp_path / "parts", targets, optimisation, save_every=3, **more)
    assert (resumed.validation, resumed.skipped) == (whole.validation, whole.skipped) and whole.skipped == 1
    assert torch.equal(resumed.best["start.w"], whole.best["start.w"]) and w(resumed) == w(whole)
    assert resumed.best["start.w"] < resumed.last["start.w"]
    with pytest.raises(CheckpointError, match="another run"):
        run(tmp_path / "parts", targets, optimisation, save_every=3, **{**more, "tasks": 3})


@pytest.mark.parametrize("spoilt", [{"losses": None}, {"losses": {"a": "x"}}, {"step": None}, {"validation": "x"}])
def test_a_header_that_is_none_is_damage(spoilt: dict[str, Any], tmp_path: Path) -> None:
    run(tmp_path / "s", lambda step, number: task(1.0))
    found = load_state(tmp_path / "s")
    assert found is not None
    save_state(tmp_path / "s", found[0], {**found[1], **spoilt})
    with pytest.raises(CheckpointError, match=r"s: the saved state is damaged .*delete it to start again"):
        run(tmp_path / "s", lambda step, number: task(1.0))


@pytest.mark.parametrize("tensors", [{}, {"meta.start.w": torch.zeros(2)}, {"meta.start.v": torch.zeros(1)}])
def test_the_state_of_another_model_is_refused(tensors: dict[str, Tensor], tmp_path: Path) -> None:
    run(tmp_path / "s", lambda step, number: task(1.0))
    found = load_state(tmp_path / "s")
    assert found is not None
    save_state(tmp_path / "s", tensors, found[1])
    with pytest.raises(CheckpointError, match="of another model or learner; delete it to start again"):
        run(tmp_path / "s", lambda step, number: task(1.0))


@pytest.mark.parametrize("name", ["tasks", "chunk", "validate_every", "save_every"])
def test_counts_are_one_or_more(name: str) -> None:
    Outer(PLAIN, **{name: 1})  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=f"{name} is 0, must be at least 1"):
        Outer(PLAIN, **{name: 0})  # type: ignore[arg-type]


def test_what_is_clipped_unasked() -> None:
    asked = Optimisation(1, clip_norm=2.0)
    assert [Outer(PLAIN, optimiser=name).clip_norm for name in ("adamw", "adam", "sgd")] == [1.0, 1.0, math.inf]
    assert [Outer(asked, optimiser=name).clip_norm for name in ("adamw", "adam", "sgd")] == [2.0] * 3
    assert Outer(Optimisation(1, weight_decay=0.0), optimiser="adam").optimisation.decay == 0.0
