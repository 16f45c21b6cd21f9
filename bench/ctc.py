"""How fast is `earful.ctc.loss.ctc_loss` in first and second order, beside torch's loss and plain tensor operations?

`native` and `ours`: value and gradient by the log-probabilities of torch's CTC loss and of earful's. `hvp`: earful's
value, gradient and Hessian times a direction, from scratch. `plain_hvp`: the same three by autograd through a loop over
the frames. All in float32 on random log-probabilities, clips of a batch equally long; where T < 2 L + 1 the labels
might not fit, and the shape is left out. Every round runs each once, in turn, so that what else the machine does hits
all alike. How much memory `ours` and `hvp` need beyond their input is measured in processes of their own (Linux).

    python bench/ctc.py --out bench/ctc.json
"""

import argparse
import itertools
import json
import math
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import torch
from machine import machine
from torch import Tensor
from torch.nn.functional import ctc_loss as native_ctc_loss
from torch.nn.functional import pad

from earful.ctc import kernel_torch
from earful.ctc.loss import _kernel, ctc_loss

SEED = 0
FEWEST, MOST, FEW = 5, 201, 3
"""Rounds of a shape, and those of a shape of more than HUGE log-probabilities."""
HUGE = 3e7
RATIOS = (("native", "ours"), ("hvp", "ours"), ("plain_hvp", "hvp"))
LEAST = -1e30  # stands for minus infinity: with infinities, derivatives of differences are not numbers


class Shape(NamedTuple):
    frames: int
    batch: int
    labels: int
    symbols: int


class Grid(NamedTuple):
    """What is measured: times over products, memory over two series."""

    frames: Sequence[int]
    batches: Sequence[int]
    labels: Sequence[int]
    symbols: Sequence[int]
    memory: Sequence[Shape]

    def shapes(self) -> list[Shape]:
        products = itertools.product(self.frames, self.batches, self.labels, self.symbols)
        return [shape for shape in itertools.starmap(Shape, products) if shape.frames >= 2 * shape.labels + 1]


# Memory: three lengths with the same labels, three label counts of the same length.
FULL = Grid(
    (50, 200, 750, 1500), (1, 8, 32), (10, 60, 200), (40, 500, 5000),
    [*(Shape(frames, 8, 60, 40) for frames in (200, 750, 1500)), *(Shape(750, 8, labels, 40) for labels in (10, 200))],
)  # fmt: skip
QUICK = Grid((50, 200), (1, 8), (10, 60), (40,), [Shape(200, 8, 60, 40), Shape(750, 8, 60, 40)])


class Problem(NamedTuple):
    logp_FBV: Tensor
    direction_FBV: Tensor
    labels_BL: Tensor
    counts: tuple[list[int], list[int]]


Loss = Callable[[Problem], Tensor]
Run = Callable[[], Tensor]


def problem(shape: Shape) -> Problem:
    frames, batch, labels, symbols = shape
    generator = torch.Generator().manual_seed(SEED)
    logp_FBV = torch.randn(frames, batch, symbols, generator=generator).log_softmax(-1).requires_grad_()
    direction_FBV = torch.randn(frames, batch, symbols, generator=generator)
    labels_BL = torch.randint(1, symbols, (batch, labels), generator=generator)
    return Problem(logp_FBV, direction_FBV, labels_BL, ([frames] * batch, [labels] * batch))


def native(given: Problem) -> Tensor:
    return native_ctc_loss(given.logp_FBV, given.labels_BL, *given.counts, reduction="sum")


def ours(given: Problem) -> Tensor:
    return ctc_loss(given.logp_FBV, given.labels_BL, *given.counts, reduction="sum")


def plain(given: Problem) -> Tensor:
    """CTC as one would write it (Graves et al. 2006, eq. 6), for clips that are all of full length.

    All clips and states at once, frame by frame; no state is ever minus infinity, so that each sum of exponentials has
    derivatives of every order.
    """
    labels_BL = given.labels_BL
    frames, batch, _ = given.logp_FBV.shape
    symbols_BS = torch.zeros(batch, 2 * labels_BL.shape[1] + 1, dtype=torch.long)
    symbols_BS[:, 1::2] = labels_BL
    skips_BS = torch.full(symbols_BS.shape, LEAST)
    skips_BS[:, 1] = 0.0
    skips_BS[:, 3::2] = torch.where(labels_BL[:, 1:] == labels_BL[:, :-1], LEAST, 0.0)
    emission_FBS = given.logp_FBV.gather(2, symbols_BS.expand(frames, -1, -1))
    ahead_BS = emission_FBS[0] + torch.where(torch.arange(symbols_BS.shape[1]) < 2, 0.0, LEAST)
    for emission_BS in emission_FBS[1:]:
        before_BS, label_before_BS = pad(ahead_BS, (1, -1), value=LEAST), pad(ahead_BS, (2, -2), value=LEAST)
        ahead_BS = torch.stack([ahead_BS, before_BS, label_before_BS + skips_BS]).logsumexp(0) + emission_BS
    return -ahead_BS[:, -2:].logsumexp(1).sum()


def first(loss: Loss, given: Problem) -> tuple[Tensor, Tensor]:
    """Value and gradient."""
    value = loss(given)
    return value.detach(), torch.autograd.grad(value, given.logp_FBV)[0]


def second(loss: Loss, given: Problem) -> tuple[Tensor, Tensor]:
    """Value, and the gradient's derivative along the direction."""
    value = loss(given)
    (gradient_FBV,) = torch.autograd.grad(value, given.logp_FBV, create_graph=True)
    return value.detach(), torch.autograd.grad(gradient_FBV, given.logp_FBV, given.direction_FBV)[0]


def contestants(shape: Shape, given: Problem) -> dict[str, Callable[[], tuple[Tensor, Tensor]]]:
    """Who runs; plain tensor operations only where they need not minutes."""
    runs = {"native": partial(first, native, given), "ours": partial(first, ours, given)}
    runs["hvp"] = partial(second, ours, given)
    if shape.frames <= 200 and shape.batch <= 8 and shape.symbols <= 40:
        runs["plain_hvp"] = partial(second, plain, given)
    return runs


def turn(runs: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    """Seconds of each, run once."""
    took_s = {}
    for name, run in runs.items():
        began_s = time.perf_counter()
        run()
        took_s[name] = time.perf_counter() - began_s
    return took_s


def rounds_of(shape: Shape, turn_s: float, budget_s: float) -> int:
    if shape.frames * shape.batch * shape.symbols > HUGE:
        return FEW
    return max(FEWEST, min(MOST, math.floor(budget_s / turn_s)))


def measured(shape: Shape, threads: Sequence[int], budget_s: float) -> Iterator[dict[str, Any]]:
    """A row for each number of threads. A first turn, which does not count, says how many rounds fit the budget."""
    given = problem(shape)
    runs = contestants(shape, given)
    for count in threads:
        torch.set_num_threads(count)
        rounds = rounds_of(shape, sum(turn(runs).values()), budget_s)
        turns_s = [turn(runs) for _ in range(rounds)]
        median_s = {name: statistics.median(each[name] for each in turns_s) for name in runs}
        yield {
            **shape._asdict(),
            "threads": count,
            "rounds": rounds,
            "median_s": {name: short(s) for name, s in median_s.items()},
            "ratios": {f"{a}/{b}": short(median_s[a] / median_s[b]) for a, b in RATIOS if a in runs},
            "differences": differences(runs),
        }


def differences(runs: Mapping[str, Callable[[], tuple[Tensor, Tensor]]]) -> dict[str, float]:
    """How far the answers lie apart: native's value from ours in parts of it, the plain Hessian from ours."""
    expected = runs["ours"]()[0]
    found = {"native": short(float((runs["native"]()[0] / expected - 1).abs()))}
    if "plain_hvp" in runs:
        found["plain_hvp"] = short(float((runs["plain_hvp"]()[1] - runs["hvp"]()[1]).abs().max()))
    return found


def short(x: float) -> float:
    return float(f"{x:.4g}")


def summary(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Geometric means over the shapes, and the extremes with the shapes they are of."""
    by = {name: [(row["ratios"][name], row) for row in rows if name in row["ratios"]] for name in map("/".join, RATIOS)}
    extremes = {}
    for name, pick in (("native/ours", min), ("hvp/ours", max), ("plain_hvp/hvp", min)):
        if by[name]:
            ratio, row = pick(by[name], key=lambda pair: pair[0])
            extremes[name] = {"ratio": ratio, **{key: row[key] for key in (*Shape._fields, "threads")}}
    return {
        "rows": len(rows),
        "geometric_means": {
            name: short(statistics.geometric_mean([r for r, _ in pairs])) for name, pairs in by.items() if pairs
        },
        "least_native/ours": extremes["native/ours"],
        "largest_hvp/ours": extremes["hvp/ours"],
        "least_plain_hvp/hvp": extremes.get("plain_hvp/hvp"),
        "largest_differences": {
            name: max(row["differences"][name] for row in rows if name in row["differences"])
            for name in sorted({name for row in rows for name in row["differences"]})
        },
    }


def peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def growth(shape: Shape, order: int) -> int:
    """Bytes by which the peak of this process grows in a run of `ours` (order 1) or `hvp` (order 2); once a process."""
    torch.set_num_threads(1)
    run = partial(first if order == 1 else second, ours)
    run(problem(Shape(3, 1, 1, 2)))  # what is loaded once
    given = problem(shape)
    # The peak of before, this process's or its parent's, would hide what the run needs: use up to it.
    ballast: list[bytearray] = []
    while resident_bytes() < peak_bytes():
        ballast.append(bytearray(b"\1") * 65_536)
    before = peak_bytes()
    run(given)
    return peak_bytes() - before


def grown(shape: Shape, order: int) -> int:
    """`growth` in a new process, where an array of 32 kB or more is given back when it is freed."""
    command = [sys.executable, __file__, "--growth", *map(str, (*shape, order))]
    answer = subprocess.run(
        command, env=os.environ | {"MALLOC_MMAP_THRESHOLD_": "32768"}, capture_output=True, text=True, check=True
    )
    return int(answer.stdout)


def memory(shapes: Sequence[Shape]) -> Iterator[dict[str, Any]]:
    grown(shapes[0], 2)  # compiles, if that was not done yet
    for shape in shapes:
        used = {"ours": grown(shape, 1), "hvp": grown(shape, 2)}
        frames = {name: round(count / shape.frames) for name, count in used.items()}
        yield {**shape._asdict(), "bytes": used, "bytes_a_frame": frames}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="the JSON file to write")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument(
        "--budget", type=float, default=2.0, help="seconds of rounds for a shape, by which they are many"
    )
    parser.add_argument("--quick", action="store_true", help="a small grid, to try the script")
    parser.add_argument("--growth", type=int, nargs=5, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.out and not options.growth:
        parser.error("--out is missing")
    return options


def main() -> None:
    options = arguments()
    if options.growth:
        print(growth(Shape(*options.growth[:4]), options.growth[4]))
        return
    grid, rows = QUICK if options.quick else FULL, []

    def note(row: dict[str, Any]) -> dict[str, Any]:
        print(json.dumps(row), file=sys.stderr, flush=True)
        return row

    facts = {
        "what": __doc__.rpartition("\n\n    ")[0],
        "seed": SEED,
        "budget_s": options.budget,
        "kernel": "tensor operations" if _kernel(torch.zeros(0)) is kernel_torch else f"Numba {version('numba')}",
        "machine": machine() | {"threads": None},
        "memory": [note(row) for row in memory(grid.memory)],  # first: a child takes over its parent's peak
    }
    turn(contestants(tiny := Shape(50, 2, 3, 5), problem(tiny)))  # what is loaded once
    for shape in grid.shapes():
        rows += [note(row) for row in measured(shape, options.threads, options.budget)]
        by_threads = {str(n): summary([row for row in rows if row["threads"] == n]) for n in options.threads}
        found = facts | {"summary": summary(rows), "summary_by_threads": by_threads, "rows": rows}
        options.out.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    print(json.dumps(found["summary"], indent=1))


if __name__ == "__main__":
    main()
