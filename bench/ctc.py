"""How fast is `earful.ctc.loss.ctc_loss` in first and second order, beside torch's loss and plain tensor operations?

`native` and `ours`: value and gradient by the log-probabilities of torch's CTC loss and of earful's. `hvp`: earful's
value, gradient and Hessian times a direction, from scratch. `plain_hvp`: the same three by autograd through a loop over
the frames, on small shapes only. All in float32 on random log-probabilities, clips of a batch equally long; where
T < 2 L + 1 the labels might not fit, and the shape is left out.

Every round runs each of the first three once, in an order drawn anew: what else the machine does, and what the one
before left in caches and freed memory, hits all alike. `plain_hvp` takes turns with `hvp` alone, for it leaves all
caches cold. How much memory `ours` and `hvp` need beyond their input is measured in processes of their own, on one
thread (Linux).

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
from torch import Tensor
from torch.nn.functional import ctc_loss as native_ctc_loss
from torch.nn.functional import pad

from earful.ctc.loss import ctc_loss, kernel_cpu
from earful.kshot.machine import machine

SEED = 0
FEWEST, MOST, FEW = 5, 1001, 3
"""Rounds of a shape, and those of a shape of more than HUGE log-probabilities."""
HUGE = 3e7
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
Runs = dict[str, Callable[[], tuple[Tensor, Tensor]]]


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
    # Three ways into a state: from two before it (between labels that differ), from the one before, and from itself.
    ways_BS3 = torch.zeros(*symbols_BS.shape, 3).to(given.logp_FBV)
    ways_BS3[..., 0] = LEAST
    ways_BS3[:, 3::2, 0] = torch.where(labels_BL[:, 1:] == labels_BL[:, :-1], LEAST, 0.0)
    emission_FBS = given.logp_FBV.gather(2, symbols_BS.expand(frames, -1, -1))
    ahead_BS = emission_FBS[0] + torch.where(torch.arange(symbols_BS.shape[1]) < 2, 0.0, LEAST)
    for emission_BS in emission_FBS[1:]:
        from_BS3 = pad(ahead_BS, (2, 0), value=LEAST).unfold(1, 3, 1)
        ahead_BS = (from_BS3 + ways_BS3).logsumexp(-1) + emission_BS
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


def turn(runs: Runs, generator: torch.Generator) -> dict[str, float]:
    """Seconds of each, run once, in any order."""
    names, took_s = list(runs), {}
    for i in torch.randperm(len(names), generator=generator).tolist():
        began_s = time.perf_counter()
        runs[names[i]]()
        took_s[names[i]] = time.perf_counter() - began_s
    return took_s


def rounds_of(shape: Shape, turn_s: float, budget_s: float) -> int:
    if shape.frames * shape.batch * shape.symbols > HUGE:
        return FEW
    return max(FEWEST, min(MOST, math.floor(budget_s / turn_s)))


def medians(runs: Runs, shape: Shape, budget_s: float) -> tuple[int, dict[str, float]]:
    """Rounds, and seconds of each. A first turn, which does not count, says how many rounds fit the budget."""
    generator = torch.Generator().manual_seed(SEED)
    rounds = rounds_of(shape, sum(turn(runs, generator).values()), budget_s)
    turns_s = [turn(runs, generator) for _ in range(rounds)]
    return rounds, {name: statistics.median(each[name] for each in turns_s) for name in runs}


def measured(shape: Shape, threads: Sequence[int], budget_s: float) -> Iterator[dict[str, Any]]:
    """A row for each number of threads."""
    given = problem(shape)
    runs: Runs = {"native": partial(first, native, given), "ours": partial(first, ours, given)}
    runs["hvp"] = partial(second, ours, given)
    for count in threads:
        torch.set_num_threads(count)
        row: dict[str, Any] = {**shape._asdict(), "threads": count, "differences": differences(runs)}
        row["rounds"], row["median_s"] = medians(runs, shape, budget_s)
        row["ratios"] = ratios(row["median_s"], ("native", "ours"), ("hvp", "ours"))
        if is_small(shape):
            slow: Runs = {"hvp": runs["hvp"], "plain_hvp": partial(second, plain, given)}
            row["plain_rounds"], row["plain_median_s"] = medians(slow, shape, budget_s)
            row["ratios"] |= ratios(row["plain_median_s"], ("plain_hvp", "hvp"))
            row["differences"] |= distances(slow, given)
        yield row


def is_small(shape: Shape) -> bool:
    """Whether plain tensor operations take no minutes."""
    return shape.frames <= 200 and shape.batch <= 8 and shape.symbols <= 40


def ratios(median_s: Mapping[str, float], *pairs: tuple[str, str]) -> dict[str, float]:
    return {f"{a}/{b}": median_s[a] / median_s[b] for a, b in pairs}


def differences(runs: Runs) -> dict[str, float]:
    """How far native's value lies from ours, as a part of it."""
    return {"native value": float((runs["native"]()[0] / runs["ours"]()[0] - 1).abs())}


def distances(runs: Runs, given: Problem) -> dict[str, float]:
    """How far each product with the Hessian, in float32, lies from the plain one in float64."""
    logp_FBV = given.logp_FBV.detach().double().requires_grad_()
    exact = given._replace(logp_FBV=logp_FBV, direction_FBV=given.direction_FBV.double())
    change_FBV = second(plain, exact)[1]
    return {name: float((run()[1] - change_FBV).abs().max()) for name, run in runs.items()}


def short(x: Any) -> Any:
    """Numbers within rows and lists, to four digits."""
    if isinstance(x, dict):
        return {key: short(value) for key, value in x.items()}
    if isinstance(x, list):
        return [short(value) for value in x]
    return float(f"{x:.4g}") if isinstance(x, float) else x


def summary(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Geometric means over the rows, and the extremes with the shapes they are of."""
    found: dict[str, Any] = {"rows": len(rows), "geometric_means": {}}
    for name, word, pick in (
        ("native/ours", "least", min),
        ("hvp/ours", "largest", max),
        ("plain_hvp/hvp", "least", min),
    ):
        having = [row for row in rows if name in row["ratios"]]
        if having:
            row = pick(having, key=lambda row, name=name: row["ratios"][name])
            found["geometric_means"][name] = statistics.geometric_mean(row["ratios"][name] for row in having)
            where = {key: row[key] for key in (*Shape._fields, "threads")}
            found[f"{word} {name}"] = {"ratio": row["ratios"][name], **where}
    kinds = {kind for row in rows for kind in row["differences"]}
    found["largest differences"] = {k: max(row["differences"].get(k, 0.0) for row in rows) for k in sorted(kinds)}
    return found


def peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * resource.getpagesize()


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
        command,
        env=os.environ | {"MALLOC_MMAP_THRESHOLD_": "32768"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=True,
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
        print(json.dumps(short(row)), file=sys.stderr, flush=True)
        return row

    facts = {
        "what": " ".join(__doc__.rpartition("\n\n    ")[0].split()),
        "seed": SEED,
        "budget_s": options.budget,
        "kernel": "tensor operations" if kernel_cpu is None else f"Numba {version('numba')}",
        "machine": machine() | {"threads": None},
        "memory": [note(row) for row in memory(grid.memory)],  # first: a child takes over its parent's peak
    }
    first(ours, tiny := problem(Shape(50, 2, 3, 5))), second(ours, tiny)  # what is loaded once
    for shape in grid.shapes():
        rows += [note(row) for row in measured(shape, options.threads, options.budget)]
        by_threads = {str(n): summary([row for row in rows if row["threads"] == n]) for n in options.threads}
        found = short(facts | {"summary": summary(rows), "summary_by_threads": by_threads, "rows": rows})
        options.out.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    print(json.dumps(found["summary"], indent=1))


if __name__ == "__main__":
    main()
