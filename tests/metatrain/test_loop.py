"""The outer loop: it learns, resumes bit for bit, leaves out what is not finite, and adds up over processes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from earful.errors import CheckpointError, ConfigError, TrainingError
from earful.metatrain import Learner, maml, meta_sgd, reptile, scratch
from earful.metatrain.loop import Drawn, MetaStep, Outer, Trained, metatrain
from earful.train import Optimisation


def loss(params: Mapping[str, Tensor], batch: Any) -> Tensor:
    x, y = batch
    found: Tensor = ((torch.tanh(x @ params["a"]) @ params["b"] - y) ** 2).mean()
    return found


def params() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {"a": torch.randn(1, 8, generator=generator), "b": torch.randn(8, 1, generator=generator) / 3}


def episode(step: int, task: int) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Lines of any slope."""
    generator = torch.Generator().manual_seed(1000 * step + task)
    slope, x = torch.randn((), generator=generator), torch.randn(2, 5, 1, generator=generator)
    return (x[0], slope * x[0]), (x[1], slope * x[1])


def draw(step: int, task: int, losses: Mapping[str, float]) -> Drawn:
    return Drawn(episode(step, task))


def learner_at(progress: float) -> Learner:
    return meta_sgd(loss, rate=0.05)


def run(state: Path, steps: int = 40, outer: dict[str, Any] | None = None, **settings: Any) -> Trained:
    optimisation = Optimisation(steps, rate=0.02, weight_decay=0.0)
    return metatrain(
        settings.pop("learner_at", learner_at),
        params(),
        settings.pop("draw", draw),
        Outer(optimisation, **{"tasks": 4, "save_every": 10, **(outer or {})}),
        state=state,
        **settings,
    )


def test_it_learns_and_keeps_the_best(tmp_path: Path) -> None:
    told: list[MetaStep] = []

    def validate(meta: Mapping[str, Tensor]) -> float:
        return float(sum(learner_at(1.0).gradient(meta, episode(10**6, task))[1] for task in range(20)))

    trained = run(tmp_path / "s", 80, {"validate_every": 20}, validate=validate, report=told.append)
    assert [step.number for step in told] == list(range(1, 81)) and told[-1].skipped == 0
    assert sum(step.loss for step in told[-10:]) < 0.7 * sum(step.loss for step in told[:10])
    found = [step.validation for step in told if step.validation is not None]
    assert len(found) == 4 and trained.validation == min(found) == validate(trained.best)


def test_resumed_is_bit_for_bit_uninterrupted(tmp_path: Path) -> None:
    whole = run(tmp_path / "whole")

    def interrupt(step: MetaStep) -> None:
        if step.number == 25:  # the last save was after step 20
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "parts", report=interrupt)
    resumed = run(tmp_path / "parts")
    assert all(torch.equal(value, resumed.last[name]) for name, value in whole.last.items())
    again = run(tmp_path / "parts")  # done: nothing moves
    assert all(torch.equal(value, again.last[name]) for name, value in whole.last.items())


def test_vmap_and_loop_agree(tmp_path: Path) -> None:
    one, many = run(tmp_path / "1", 5), run(tmp_path / "2", 5, {"chunk": 3})
    for name, value in one.last.items():
        torch.testing.assert_close(many.last[name], value)


def test_a_task_that_is_not_finite_is_left_out_and_counted(tmp_path: Path) -> None:
    def broken(step: int, task: int, losses: Mapping[str, float]) -> Drawn:
        support, query = episode(step, task)
        return Drawn(((support[0] * torch.nan, support[1]) if task == 1 else support, query))

    trained = run(tmp_path / "s", 10, draw=broken)
    assert trained.skipped == 10 and all(bool(value.isfinite().all()) for value in trained.last.values())
    with pytest.raises(TrainingError, match="diverged at step 3 of 3: no gradient of the last 3 steps was finite"):
        run(tmp_path / "t", 3, {"tasks": 1}, draw=lambda step, task, losses: broken(step, 1, losses))
    assert not (tmp_path / "t").exists()


def test_weights_of_tasks(tmp_path: Path) -> None:
    alone = run(tmp_path / "1", 3, {"tasks": 1}, draw=lambda step, task, losses: Drawn(episode(step, 2)))
    weighed = run(
        tmp_path / "2", 3, draw=lambda step, task, losses: Drawn(episode(step, task), weight=float(task == 2))
    )
    for name, value in alone.last.items():
        torch.testing.assert_close(weighed.last[name], value)


def test_losses_are_remembered_by_name_and_survive_an_interruption(tmp_path: Path) -> None:
    seen: list[dict[str, float]] = []

    def named(step: int, task: int, losses: Mapping[str, float]) -> Drawn:
        seen.append(dict(losses))
        return Drawn(episode(step, task), "even" if task % 2 == 0 else "odd")

    def interrupt(step: MetaStep) -> None:
        if step.number == 2:
            raise KeyboardInterrupt

    whole = run(tmp_path / "whole", 4, draw=named, names=("even", "odd", "never"))
    told, seen[:] = seen[::4], []
    assert told[0] == {} and all(step.keys() == {"even", "odd"} for step in told[1:])
    start = learner_at(0.0).init(params())
    first = {task: float(learner_at(0.0).gradient(start, episode(0, task))[1]) for task in range(4)}
    assert told[1] == pytest.approx({"even": (first[0] + first[2]) / 2, "odd": (first[1] + first[3]) / 2}, rel=1e-5)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "parts", 4, {"save_every": 2}, draw=named, names=("even", "odd", "never"), report=interrupt)
    resumed = run(tmp_path / "parts", 4, {"save_every": 2}, draw=named, names=("even", "odd", "never"))
    assert seen[::4] == told
    assert all(torch.equal(value, resumed.last[name]) for name, value in whole.last.items())


def test_progress_reaches_the_learner(tmp_path: Path) -> None:
    seen: list[float] = []

    def make(progress: float) -> Learner:
        seen.append(progress)
        return maml(loss, rate=0.05)

    run(tmp_path / "s", 4, learner_at=make)
    assert seen == [0.0, 0.0, 0.25, 0.5, 0.75]


def test_errors_name_what_to_do(tmp_path: Path) -> None:
    run(tmp_path / "s", 2, learner_at=lambda progress: maml(loss, rate=0.05))
    with pytest.raises(CheckpointError, match=r"another run \(2 steps; it differs in start\)"):
        run(tmp_path / "s", 2)
    with pytest.raises(ConfigError, match="tasks is 0"):
        run(tmp_path / "t", 2, {"tasks": 0})
    with pytest.raises(ConfigError, match="must be adamw, adam or sgd"):
        run(tmp_path / "t", 2, {"optimiser": "lion"})
    with pytest.raises(ConfigError, match='adam has no weight_decay; leave it out, or take optimiser = "adamw"'):
        Outer(Optimisation(2, weight_decay=0.1), optimiser="adam")


def far(params: Mapping[str, Tensor], batch: Tensor) -> Tensor:
    found: Tensor = ((params["w"] - batch) ** 2).sum() / 2
    return found


def test_plain_descent_is_the_papers_reptile_however_far_the_end(tmp_path: Path) -> None:
    """φ + ε (φ~ − φ), with ε the rate of the step, for a difference much longer than any clip."""
    support, query = torch.tensor([100.0]), torch.tensor([300.0])

    def moved(**optimisation: Any) -> float:
        outer = Outer(Optimisation(1, rate=0.5, warmup=0.0, **optimisation), tasks=1, optimiser="sgd")
        start = {"w": torch.zeros(1)}
        trained = metatrain(
            lambda progress: reptile(far, rate=0.5, steps=2),
            start,
            lambda step, task, losses: Drawn((support, query)),
            outer,
            state=tmp_path / f"{len(list(tmp_path.iterdir()))}",
        )
        return float(trained.last["start.w"])

    end = 0.5 * 300 + 0.5 * (0.5 * 100)
    assert moved() == pytest.approx(0.5 * end)
    assert moved(clip_norm=1.0) == pytest.approx(0.5, rel=1e-4)  # where it is asked for


@pytest.mark.parametrize(
    ("name", "settings", "decayed"),
    [("adamw", {}, 0.01), ("adamw", {"weight_decay": 0.0}, 0.0), ("adam", {}, 0.0), ("sgd", {}, 0.0)],
)
def test_what_decays(name: str, settings: dict[str, float], decayed: float, tmp_path: Path) -> None:
    """Where nothing is learned, AdamW alone moves: by its decay."""
    outer = Outer(Optimisation(1, rate=0.5, warmup=0.0, **settings), tasks=1, optimiser=name)
    trained = metatrain(
        lambda progress: scratch(far, rate=0.5),
        {"w": torch.ones(1)},
        lambda step, task, losses: Drawn((torch.zeros(1), torch.zeros(1))),
        outer,
        state=tmp_path / "s",
    )
    assert float(trained.last["start.w"]) == pytest.approx(1 - 0.5 * decayed)


WORKER = """
import sys, torch
sys.path.insert(0, {here!r})
from pathlib import Path
from test_loop import run
torch.distributed.init_process_group("gloo")
trained = run(Path({folder!r}) / f"state{{torch.distributed.get_rank()}}", 6)
from safetensors.torch import save_file
save_file(trained.last, Path({folder!r}) / f"last{{torch.distributed.get_rank()}}.safetensors")
torch.distributed.barrier()
torch.distributed.destroy_process_group()
"""


def test_two_processes_give_the_gradients_of_one(side_by_side: Any, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    script, log = tmp_path / "worker.py", tmp_path / "log"
    script.write_text(WORKER.format(here=str(Path(__file__).parent), folder=str(tmp_path)))
    assert side_by_side(log, script) == [0, 0], log.read_text("utf-8")
    alone = run(tmp_path / "alone", 6).last
    found = [load_file(tmp_path / f"last{rank}.safetensors") for rank in (0, 1)]
    for name, value in alone.items():
        torch.testing.assert_close(found[0][name], value)
        assert torch.equal(found[0][name], found[1][name])
