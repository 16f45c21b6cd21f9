"""Sinusoids from a few points: do the learners of `earful.metatrain` what their papers say of them?

A task is a sinusoid, to be told from K of its points by a network of two hidden layers of 40 rectified linear units
(Finn et al. 2017, section 5.1). The sinusoids of `finn` differ in amplitude and phase, as there; those of `li` in
frequency too, as in Li et al. 2017, whose table 1 stands beside them. Each learner is meta-trained once for every K and
seed, with K points to adapt to and K to query, and tested on 600 sinusoids that are the same for all: mean squared
error after one step and after ten. All seeds go through one nested `vmap`, each with a start and tasks of its own.

    python bench/sinusoid.py --out bench/sinusoid.json
"""

import argparse
import itertools
import json
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.func import vmap
from torch.fx.experimental.proxy_tensor import make_fx

from earful.kshot.machine import machine
from earful.metatrain import LEARNERS, Learner
from earful.trees import part, under

Params = Mapping[str, Tensor]
Points = tuple[Tensor, Tensor]
"""x and y, each of B sinusoids with N points: BN1."""

SHOTS = (5, 10, 20)
STEPS = (1, 10)
TASKS = 25
TESTS, QUERY, TEST_SEED = 600, 100, 1_000_000
HIDDEN = 40
DIVERGED = 1e6  # of a mean: no sinusoid is larger than 5


class Family(NamedTuple):
    """The intervals from which a sinusoid is drawn, evenly."""

    amplitude: tuple[float, float]
    frequency: tuple[float, float]
    phase: tuple[float, float]


FAMILIES = {
    "finn": Family((0.1, 5.0), (1.0, 1.0), (0.0, math.pi)),
    "li": Family((0.1, 5.0), (0.8, 1.2), (0.0, math.pi)),
}
X = (-5.0, 5.0)


class Outer(NamedTuple):
    """The outer loop: its first rate, and whether it stays or falls to zero."""

    optimiser: str
    rate: float
    schedule: str


class Setting(NamedTuple):
    inner: dict[str, Any]
    outer: Outer


ADAM = Outer("adam", 1e-3, "constant")
SETTINGS = {
    "maml": Setting({"rate": 0.01}, ADAM),
    "fomaml": Setting({"rate": 0.01}, ADAM),
    "meta-sgd": Setting({"rate": 0.01}, ADAM),
    # Steps and inner rate of the sinusoids that Nichol et al. 2018 show; the outer rate of their other experiments.
    "reptile": Setting({"rate": 0.02, "steps": 5}, Outer("sgd", 1.0, "linear")),
    "multitask": Setting({"rate": 0.01}, ADAM),
}
RUNS = {"finn": tuple(SETTINGS), "li": ("maml", "meta-sgd")}

PRINTED = {
    "maml": {
        5: ((1.13, 0.18), (0.85, 0.14), (0.71, 0.12)),
        10: ((1.17, 0.16), (0.77, 0.11), (0.56, 0.08)),
        20: ((1.29, 0.20), (0.76, 0.12), (0.48, 0.08)),
    },
    "meta-sgd": {
        5: ((0.90, 0.16), (0.63, 0.12), (0.50, 0.10)),
        10: ((0.88, 0.14), (0.53, 0.09), (0.35, 0.06)),
        20: ((1.01, 0.17), (0.54, 0.08), (0.31, 0.05)),
    },
}
"""Li et al. 2017, table 1, as printed there: K that was trained with → MSE and 95 % interval, tested with 5, 10, 20."""


def start_of(generator: torch.Generator) -> dict[str, Tensor]:
    """Weights even in ±1/√(inputs), as `torch.nn.Linear` has them, and no biases.

    Where one starts tells: with normal weights of variance 2/inputs MAML needs several times as many outer steps.
    """
    sizes = (1, HIDDEN, HIDDEN, 1)
    params = {}
    for layer, (inputs, outputs) in enumerate(itertools.pairwise(sizes), 1):
        params[f"w{layer}"] = (2 * torch.rand(inputs, outputs, generator=generator) - 1) / math.sqrt(inputs)
        params[f"b{layer}"] = torch.zeros(outputs)
    return params


def predicted(params: Params, x_BN1: Tensor) -> Tensor:
    """The network; parameters and points may have the same further dimensions in front."""
    y_BN1 = x_BN1
    for layer in (1, 2, 3):
        y_BN1 = y_BN1 @ params[f"w{layer}"] + params[f"b{layer}"].unsqueeze(-2)
        y_BN1 = y_BN1 if layer == 3 else y_BN1.relu()
    return y_BN1


def errors(params: Params, points: Points) -> Tensor:
    """The mean squared error of each sinusoid."""
    x_BN1, y_BN1 = points
    return (predicted(params, x_BN1) - y_BN1).square().mean((-2, -1))


def loss(params: Params, points: Points) -> Tensor:
    """The error; of several sinusoids, each with parameters of its own, the sum, whose gradient has a part for each."""
    return errors(params, points).sum()


def sinusoids(family: Family, count: int, points: int, generator: torch.Generator) -> Points:
    """So many sinusoids, each at so many places of its own."""
    drawn = torch.rand(count, 3 + points, 1, generator=generator)
    bounds = (*family, *([X] * points))
    low, high = (torch.tensor(side).unsqueeze(-1) for side in zip(*bounds, strict=True))
    amplitude_B11, frequency_B11, phase_B11, x_BN1 = (low + (high - low) * drawn).split((1, 1, 1, points), 1)
    return x_BN1, amplitude_B11 * (frequency_B11 * x_BN1 + phase_B11).sin()


def cut(points: Points, *counts: int) -> list[Points]:
    """The first so many points of each sinusoid, the next so many, …"""
    xs, ys = (side.split(counts, -2) for side in points)
    return list(zip(xs, ys, strict=True))


def episodes(family: Family, shots: int, generators: Sequence[torch.Generator]) -> tuple[Points, Points]:
    """Support and query of TASKS sinusoids for each generator, stacked."""
    xs, ys = zip(*(sinusoids(family, TASKS, 2 * shots, each) for each in generators), strict=True)
    support, query = cut((torch.stack(xs), torch.stack(ys)), shots, shots)
    return support, query


Gradient = Callable[[Params, tuple[Points, Points]], dict[str, Tensor]]


def gradient_of(learner: Learner) -> Gradient:
    """The mean meta-gradient over tasks, for each seed."""

    def of_tasks(meta: Params, episode: tuple[Points, Points]) -> dict[str, Tensor]:
        found, _ = vmap(learner.gradient, (None, 0))(meta, episode)
        return {name: value.mean(0) for name, value in found.items()}

    return vmap(of_tasks)


def compiled(gradient: Gradient, meta: Params, family: Family, shots: int, count: int) -> Gradient:
    """`gradient` as machine code: a sixth of the time, after some seconds of g++.

    Raises:
        RuntimeError: it is not the same.
    """
    one, other = (
        episodes(family, shots, [torch.Generator().manual_seed(seed + i) for i in range(count)]) for seed in (0, count)
    )
    # Traced first: torch.compile does not see through nested vmap and grad, but does through what they come to.
    fast: Gradient = torch.compile(make_fx(gradient)(dict(meta), one))
    expected = gradient(meta, other)
    for name, value in fast(dict(meta), other).items():
        if not torch.allclose(value, expected[name], rtol=1e-3, atol=1e-5):
            raise RuntimeError(f"compiled, the gradient of {name} is another: run with --plain")
    return fast


def share_at(done: float, schedule: str) -> float:
    """What is left of the outer rate when a share `done` of the steps is taken."""
    return {"constant": 1.0, "linear": 1 - done}[schedule]


def meta_trained(
    learner: Learner, outer: Outer, family: Family, shots: int, seeds: Sequence[int], steps: int, plain: bool
) -> dict[str, Tensor]:
    """Meta-parameters after `steps`, those of all seeds stacked."""
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    starts = [learner.init(start_of(generator)) for generator in generators]
    meta = {name: torch.stack([start[name] for start in starts]) for name in starts[0]}
    gradient = gradient_of(learner)
    gradient = gradient if plain else compiled(gradient, meta, family, shots, len(seeds))
    leaves = list(meta.values())
    # Both rules go number by number, so that no seed knows of another.
    optimiser = (
        torch.optim.SGD(leaves, outer.rate) if outer.optimiser == "sgd" else torch.optim.Adam(leaves, fused=True)
    )
    for step in range(steps):
        optimiser.param_groups[0]["lr"] = outer.rate * share_at(step / steps, outer.schedule)
        found = gradient(meta, episodes(family, shots, generators))
        for name, leaf in meta.items():
            leaf.grad = found[name]
        optimiser.step()
    return meta


def tested(learner: Learner, meta: Params, support: Points, query: Points, steps: int) -> dict[str, float | None]:
    """Mean and 95 % interval (1.96 standard errors) of the errors after adaptation; None where it diverged.

    All sinusoids adapt at once, each from a start of its own. `adapt` takes no step whose gradient is not finite, here
    for all as soon as for one: but then the mean is far behind DIVERGED anyway.
    """
    start = {name: value.expand(len(support[0]), *value.shape) for name, value in part(meta, "start.").items()}
    errors_B = errors(learner.adapt({**meta, **under(start, "start.")}, support, steps), query)
    mean, half = float(errors_B.mean()), 1.96 * float(errors_B.std()) / math.sqrt(len(errors_B))
    fine = math.isfinite(half) and mean < DIVERGED
    return {"mse": mean if fine else None, "interval": half if fine else None}


def rows_of(
    family: str, name: str, shots: int, seeds: Sequence[int], steps: int, plain: bool
) -> Iterator[dict[str, Any]]:
    """A learner, meta-trained with K points: what it makes of each number of points and of steps, for each seed."""
    inner, outer = SETTINGS[name]
    learner = LEARNERS[name](loss, **inner)
    meta = meta_trained(learner, outer, FAMILIES[family], shots, seeds, steps, plain)
    most = max(SHOTS)
    tests = sinusoids(FAMILIES[family], TESTS, most + QUERY, torch.Generator().manual_seed(TEST_SEED))
    support, query = cut(tests, most, QUERY)
    for index, seed in enumerate(seeds):
        of_seed = {key: value[index] for key, value in meta.items()}
        for count, taken in itertools.product(SHOTS, STEPS):
            where = {"family": family, "learner": name, "trained": shots, "tested": count, "seed": seed, "steps": taken}
            yield where | tested(learner, of_seed, cut(support, count, most - count)[0], query, taken)


def printed() -> dict[str, Any]:
    """PRINTED in rows like ours."""
    rows = [
        {"family": "li", "learner": name, "trained": shots, "tested": count, "steps": 1, "mse": mse, "interval": half}
        for name, by_shots in PRINTED.items()
        for shots, cells in by_shots.items()
        for count, (mse, half) in zip(SHOTS, cells, strict=True)
    ]
    return {"source": "Li et al. 2017, table 1", "rows": rows}


def short(value: Any) -> Any:
    """Numbers to four digits."""
    return float(f"{value:.4g}") if isinstance(value, float) else value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=10_000, help="outer steps")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--shots", type=int, nargs="+", default=list(SHOTS), help="the K to meta-train with")
    parser.add_argument("--families", nargs="+", default=list(RUNS), choices=RUNS)
    parser.add_argument("--learners", nargs="+", default=list(SETTINGS), choices=SETTINGS)
    parser.add_argument("--plain", action="store_true", help="compile nothing: slow, but needs no g++")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    rows: list[dict[str, Any]] = []
    for family, shots in itertools.product(options.families, options.shots):
        for name in (each for each in RUNS[family] if each in options.learners):
            for row in rows_of(family, name, shots, options.seeds, options.steps, options.plain):
                rows.append({key: short(value) for key, value in row.items()})
                print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
            facts = {
                "machine": machine(),
                "what": " ".join(__doc__.rpartition("\n\n    ")[0].split()),
                "outer_steps": options.steps,
                "tasks": TASKS,
                "test_sinusoids": TESTS,
                "seeds": options.seeds,
                "settings": {key: {**each.inner, "outer": each.outer._asdict()} for key, each in SETTINGS.items()},
                "families": {key: each._asdict() for key, each in FAMILIES.items()},
                "printed": printed(),
                "rows": rows,
            }
            options.out.write_text(json.dumps(facts, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
