"""How much faster could MAML be on the tasks of meta_speed.py, whatever a meta-learning library does?

`images`: the shares of a meta-gradient's processor time that torch's own kernels take (torch.profiler), which every
library calls with the same shapes. If only they were left, that would be the greatest speed-up. `ctc`: a meta-gradient
with CTC in plain tensor operations, which other libraries need, with earful's loss, and with a loss that costs almost
nothing (the mean log-probability): what the best of losses could save. One thread, interleaved, medians of processor
seconds.

    python bench/meta_bounds.py --out bench/meta_bounds.json
"""

import argparse
import random
import statistics
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from cells import Cells
from meta_speed import CASES, SEED, Batch, Case, earful, problem, turn
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

KINDS = {
    "convolution": ("aten::mkldnn_convolution", "aten::convolution_backward", "aten::_convolution"),
    "pooling": ("aten::max_pool2d_with_indices", "aten::max_pool2d_with_indices_backward"),
    "norm": ("aten::native_batch_norm", "aten::native_batch_norm_backward"),
}
"""Kernels by what they compute; what is no kernel of torch's at all, Python above all, is not seen by its profiler."""


def gradients(case: Case) -> dict[str, Callable[[], None]]:
    """Meta-gradients of the case's tasks by earful, by the name of the loss."""
    net, ours, plain, episodes = problem(case)

    def free(net: Callable[..., Tensor], batch: Batch) -> Tensor:
        return -net(*batch[:2]).mean()

    losses = {"earful": ours} if case.kind == "images" else {"plain": plain, "earful": ours, "free": free}
    return {name: earful(net, loss, episodes, case.steps).backward for name, loss in losses.items()}


def timed(runs: Mapping[str, Callable[[], None]], rounds: int) -> dict[str, float]:
    """Median processor seconds of each."""
    order = random.Random(SEED)
    turn(runs, order)  # the first is slower
    turns_s = [turn(runs, order) for _ in range(rounds)]
    return {name: statistics.median(each[name] for each in turns_s) for name in runs}


def shares(run: Callable[[], None]) -> dict[str, float]:
    """The share of each kind of kernel in the time that torch's operators take."""
    run()
    with profile(activities=[ProfilerActivity.CPU]) as seen:
        run()
    taken = Counter({each.key: each.self_cpu_time_total for each in seen.key_averages()})
    found = {kind: sum(taken[name] for name in names) / taken.total() for kind, names in KINDS.items()}
    return found | {"other": 1 - sum(found.values())}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="the JSON file; one that is there is gone on with")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    torch.set_num_threads(1)
    cells = Cells(options.out, seed=SEED, rounds=options.rounds)
    done = [(row["kind"], row["steps"], row["layers"]) for row in cells.rows]
    for case in CASES:
        if (case.kind, case.steps, case.layers) in done:
            continue
        runs = gradients(case)
        row = {**case.described(), "median_s": timed(runs, options.rounds)}
        cells.add(row | ({"shares": shares(runs["earful"])} if case.kind == "images" else {}))


if __name__ == "__main__":
    main()
