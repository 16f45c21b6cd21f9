"""How fast is `earful.metatrain`'s MAML beside higher, TorchOpt and learn2learn, and is it the same gradient?

`images`: the four-layer convolutional net of Finn et al. 2017 (blocks of 3×3 convolution, batch norm by the statistics
of the batch, ReLU, 2×2 max-pooling) on random 28×28 images, 5-way, 15 query images a class. `ctc`: a small
Transformer of earful's layers on random frames, four clips to adapt to and four to query; earful with its own
`ctc_loss`, the others with CTC in plain tensor operations (`plain` of bench/ctc.py), and higher with earful's too, to
tell what the loss alone is worth. All of second order, four tasks a meta-step, Adam outside.

Every round runs each library once, in an order drawn anew, and counts the processor's seconds, so that other work on
the machine counts for little. `earful` takes tasks one by one, as the others do, `earful, vmap` all at once. Memory: by
how much the peak of a process of its own grows in two meta-steps, on one thread (Linux). The gradients of the first
meta-step are compared in float64 on small nets, the convolutional one of two blocks, and in float32 in every case that
is timed.

The others are not needed to run this: what cannot be imported is left out, and the file says why. To have all:

    pip install --no-deps higher torchopt optree graphviz
    pip install --no-deps learn2learn gym gym-notices cloudpickle scipy pandas pillow torchvision==0.15.2

learn2learn 0.2.0 ships C files that do not compile on Python 3.11: delete learn2learn/data/*.c in its source archive,
say `use_cython = True` in its setup.py, and `pip install --no-deps --no-build-isolation .` with cython<3. It imports
torchvision, which beside a torch that it was not built for is only importable before 0.16.

    python bench/meta_speed.py --out bench/meta_speed.json
"""

import argparse
import importlib
import itertools
import json
import os
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import torch
from machine import machine
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn.functional import cross_entropy
from torch.utils._pytree import tree_map

from ctc import Problem as Lattice
from ctc import kernel_cpu, peak_bytes, plain, resident_bytes, short
from earful.ctc.head import Upsample
from earful.ctc.loss import ctc_loss
from earful.encoder.attention import plan
from earful.encoder.encoder import EncoderConfig, initialise, quieten_branches
from earful.encoder.subsample import entrance
from earful.encoder.transformer import TransformerLayer
from earful.metatrain import Learner, maml
from earful.trees import mean, part

SEED = 0
TASKS = 4
WAYS, QUERY, SIDE = 5, 15, 28
CLIPS, BINS, WIDTH, LAYERS, SYMBOLS = 4, 80, 96, 2, 32
INNER_RATE, OUTER_RATE = 0.01, 1e-3
FEWEST, MOST = 3, 101
"""Rounds of a case."""
AIMS = {"images": 2.0, "ctc": 10.0}
"""How many times as fast as the fastest of the others earful is meant to be."""

Batch = tuple[Tensor, ...]
Episode = tuple[Batch, Batch]
Forward = Callable[..., Tensor]
Objective = Callable[[Tensor, Batch], Tensor]


class Case(NamedTuple):
    """`size`: shots and filters of images, frames and labels of clips; `blocks` of the convolutional net."""

    kind: str
    steps: int
    size: tuple[int, int]
    blocks: int = 4
    dtype: str = "float32"


class Problem(NamedTuple):
    """A net; the objective for earful and that for the others, of what the net answers and a batch; the tasks.

    A batch is what goes into the net (`inputs` of it) and what should come out.
    """

    net: nn.Module
    inputs: int
    ours: Objective
    plain: Objective
    episodes: list[Episode]


class Run(NamedTuple):
    """The start, and what leaves the mean meta-gradient of some tasks in its `.grad`."""

    start: dict[str, Tensor]
    backward: Callable[[], None]


def problem(case: Case) -> Problem:
    generator = torch.Generator().manual_seed(SEED)
    torch.manual_seed(SEED)
    made = images(case, generator) if case.kind == "images" else clips(case, generator)
    if case.dtype == "float32":
        return made
    double: list[Episode] = tree_map(lambda x: x.double() if x.is_floating_point() else x, made.episodes)
    return made._replace(net=made.net.double(), episodes=double)


def images(case: Case, generator: torch.Generator) -> Problem:
    shots, filters = case.size

    def batch(each: int) -> Batch:
        classes_B = torch.arange(WAYS).repeat_interleave(each)
        return torch.rand(len(classes_B), 1, SIDE, SIDE, generator=generator), classes_B

    channels = (1, *[filters] * case.blocks)
    blocks = [block(*pair) for pair in itertools.pairwise(channels)]
    side = SIDE >> case.blocks
    net = nn.Sequential(*blocks, nn.Flatten(), nn.Linear(filters * side * side, WAYS))

    def objective(logits_BV: Tensor, batch: Batch) -> Tensor:
        return cross_entropy(logits_BV, batch[1])

    return Problem(net, 1, objective, objective, [(batch(shots), batch(QUERY)) for _ in range(TASKS)])


def block(before: int, after: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, padding=1),
        nn.BatchNorm2d(after, track_running_stats=False),
        nn.ReLU(),
        nn.MaxPool2d(2),
    )


class Recogniser(nn.Module):
    """The layers of earful's Transformer between its entrance and a head: log-probabilities `[F', B, V]`.

    Put together anew, since higher cannot patch a class that is abstract, as `Encoder` is.
    """

    def __init__(self) -> None:
        super().__init__()
        config = EncoderConfig("transformer", bins=BINS, width=WIDTH, layers=LAYERS, dropout=0.0)
        self.head_width = config.width // config.heads
        self.entrance = entrance(config)
        self.layers = nn.ModuleList(TransformerLayer(config) for _ in range(LAYERS))
        self.norm = nn.LayerNorm(WIDTH)
        initialise(self)
        quieten_branches(self)
        self.upsample = Upsample(WIDTH, 2)
        self.head = nn.Linear(WIDTH, SYMBOLS)

    def forward(self, frames_BFM: Tensor, counts_B: Tensor) -> Tensor:
        hidden_BFD, counts_B, valid_BF = self.entrance(frames_BFM, counts_B)
        attention = plan(valid_BF, self.head_width, hidden_BFD.dtype)
        for layer in self.layers:
            hidden_BFD = layer(hidden_BFD, attention)
        hidden_BFD, _ = self.upsample(self.norm(hidden_BFD), counts_B)
        return self.head(hidden_BFD).log_softmax(-1).transpose(0, 1)


def clips(case: Case, generator: torch.Generator) -> Problem:
    frames, labels = case.size

    def batch() -> Batch:
        frames_BFM = torch.randn(CLIPS, frames, BINS, generator=generator)
        return frames_BFM, torch.full((CLIPS,), frames), torch.randint(1, SYMBOLS, (CLIPS, labels), generator=generator)

    def ours(logp_FBV: Tensor, batch: Batch) -> Tensor:
        counts = ([len(logp_FBV)] * CLIPS, [labels] * CLIPS)
        return ctc_loss(logp_FBV, batch[2], *counts, reduction="sum") / CLIPS

    def theirs(logp_FBV: Tensor, batch: Batch) -> Tensor:
        counts = ([len(logp_FBV)] * CLIPS, [labels] * CLIPS)
        return plain(Lattice(logp_FBV, logp_FBV, batch[2], counts)) / CLIPS

    return Problem(Recogniser(), 2, ours, theirs, [(batch(), batch()) for _ in range(TASKS)])


def of_module(net: Forward, objective: Objective, inputs: int, batch: Batch) -> Tensor:
    return objective(net(*batch[:inputs]), batch)


def leaves_of(net: nn.Module) -> dict[str, Tensor]:
    return dict(net.named_parameters())


def earful(given: Problem, case: Case, at_once: bool) -> Run:
    def loss(params: Mapping[str, Tensor], batch: Batch) -> Tensor:
        return given.ours(functional_call(given.net, dict(params), batch[: given.inputs]), batch)

    learner: Learner = maml(loss, rate=INNER_RATE, steps=case.steps)
    meta = {name: value.requires_grad_() for name, value in learner.init(leaves_of(given.net)).items()}

    def gradient() -> dict[str, Tensor]:
        here = {name: value.detach() for name, value in meta.items()}
        if not at_once:
            return mean([learner.gradient(here, episode)[0] for episode in given.episodes])
        stacked = tree_map(lambda *leaves: torch.stack(leaves), *given.episodes)
        found, _ = vmap(learner.gradient, (None, 0))(here, stacked)
        return {name: value.mean(0) for name, value in found.items()}

    def backward() -> None:
        for name, value in gradient().items():
            meta[name].grad = value

    return Run(part(meta, "start."), backward)


def higher(given: Problem, case: Case, objective: Objective) -> Run:
    """As in its example `maml-omniglot.py`."""
    library = importlib.import_module("higher")
    net = given.net

    def backward() -> None:
        inner = torch.optim.SGD(net.parameters(), lr=INNER_RATE)
        net.zero_grad()
        for support, query in given.episodes:
            with library.innerloop_ctx(net, inner, copy_initial_weights=False) as (moving, steps):
                for _ in range(case.steps):
                    steps.step(of_module(moving, objective, given.inputs, support))
                (of_module(moving, objective, given.inputs, query) / TASKS).backward()

    return Run(leaves_of(net), backward)


def torchopt(given: Problem, case: Case, objective: Objective) -> Run:
    """As in its example `few-shot/maml_omniglot.py`, but each task's backward pass at once, which takes less memory."""
    library = importlib.import_module("torchopt")
    net, start = given.net, leaves_of(given.net)
    inner = library.MetaSGD(net, lr=INNER_RATE)

    def backward() -> None:
        for leaf in start.values():
            leaf.grad = None
        before = [library.extract_state_dict(each, by="reference") for each in (net, inner)]
        for support, query in given.episodes:
            for _ in range(case.steps):
                inner.step(of_module(net, objective, given.inputs, support))
            (of_module(net, objective, given.inputs, query) / TASKS).backward()
            for each, state in zip((net, inner), before, strict=True):
                library.recover_state_dict(each, state)

    return Run(start, backward)


def learn2learn(given: Problem, case: Case, objective: Objective) -> Run:
    """As in its example `vision/maml_omniglot.py`."""
    library = importlib.import_module("learn2learn")
    start = library.algorithms.MAML(given.net, lr=INNER_RATE)

    def backward() -> None:
        start.zero_grad()
        for support, query in given.episodes:
            moving = start.clone()
            for _ in range(case.steps):
                moving.adapt(of_module(moving, objective, given.inputs, support))
            (of_module(moving, objective, given.inputs, query) / TASKS).backward()

    return Run(leaves_of(given.net), backward)


OTHERS = {"higher": higher, "torchopt": torchopt, "learn2learn": learn2learn}
OURS = {"earful": False, "earful, vmap": True}
WITH_OURS = "higher, earful's loss"


def names_of(case: Case, libraries: Mapping[str, str]) -> list[str]:
    mixed = [WITH_OURS] if case.kind == "ctc" and "higher" in libraries else []
    return [*OURS, *libraries, *mixed]


def run_of(name: str, case: Case) -> Run:
    """With a net of its own, made from the same seed."""
    given = problem(case)
    if name in OURS:
        return earful(given, case, OURS[name])
    if name == WITH_OURS:
        return higher(given, case, given.ours)
    return OTHERS[name](given, case, given.plain)


def imported() -> tuple[dict[str, str], dict[str, str]]:
    """Versions of the libraries that can be imported, and why the others cannot."""
    found, missing = {}, {}
    for name in OTHERS:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                importlib.import_module(name)
            found[name] = version(name)
        except Exception as reason:  # whatever a library raises when it meets a torch that it does not know
            missing[name] = f"not importable: {type(reason).__name__}: {reason}".splitlines()[0]
    return found, missing


def meta_steps(run: Run) -> Callable[[], None]:
    optimiser = torch.optim.Adam(run.start.values(), lr=OUTER_RATE)

    def step() -> None:
        run.backward()
        optimiser.step()

    return step


def gradient_of(run: Run) -> Tensor:
    """The first meta-gradient, in one vector of float64."""
    run.backward()
    return torch.cat([leaf.grad.double().flatten() for leaf in run.start.values() if leaf.grad is not None])


EXACT = (Case("images", 3, (1, 8), 2, "float64"), Case("ctc", 3, (100, 10), dtype="float64"))
"""What is compared in float64."""


def differences(case: Case, names: Sequence[str]) -> dict[str, float]:
    """The norm of each gradient's difference to earful's, as a part of earful's norm."""
    ours, *others = (gradient_of(run_of(name, case)) for name in ("earful", *names))
    return {name: float((each - ours).norm() / ours.norm()) for name, each in zip(names, others, strict=True)}


def turn(steps: Mapping[str, Callable[[], None]], generator: torch.Generator) -> dict[str, float]:
    """Processor seconds of each, run once, in any order."""
    names, took_s = list(steps), {}
    for i in torch.randperm(len(names), generator=generator).tolist():
        began_s = time.process_time()
        steps[names[i]]()
        took_s[names[i]] = time.process_time() - began_s
    return took_s


def measured(case: Case, libraries: Mapping[str, str], budget_s: float) -> dict[str, Any]:
    names = names_of(case, libraries)
    generator = torch.Generator().manual_seed(SEED)
    steps = {name: meta_steps(run_of(name, case)) for name in names}
    first_s = sum(turn(steps, generator).values())  # says how many rounds fit the budget, and does not count
    rounds = max(FEWEST, min(MOST, int(budget_s / first_s)))
    turns_s = [turn(steps, generator) for _ in range(rounds)]
    median_s = {name: statistics.median(each[name] for each in turns_s) for name in names}
    found: dict[str, Any] = {
        **described(case),
        "differences": differences(case, [name for name in names if name != "earful"]),
        "rounds": rounds,
        "median_s": median_s,
        "meta_steps_a_second": {name: 1 / seconds for name, seconds in median_s.items()},
    }
    if libraries:
        found["fastest_other"] = fastest = min(libraries, key=lambda name: median_s[name])
        for name in (*OURS, *([WITH_OURS] if WITH_OURS in names else [])):
            found.setdefault("times_fastest_other", {})[name] = median_s[fastest] / median_s[name]
    return found


def described(case: Case) -> dict[str, Any]:
    keys = ("shots", "filters") if case.kind == "images" else ("frames", "labels")
    return {"kind": case.kind, "steps": case.steps, **dict(zip(keys, case.size, strict=True))}


def growth(name: str, case: Case) -> int:
    """Bytes by which the peak of this process grows in two meta-steps; once a process."""
    torch.set_num_threads(1)
    tiny = case._replace(steps=1, size=(1, 4) if case.kind == "images" else (60, 5))
    meta_steps(run_of(name, tiny))()  # what is loaded once
    step = meta_steps(run_of(name, case))
    # The peak of before, this process's or its parent's, would hide what the run needs: use up to it.
    ballast: list[bytearray] = []
    while resident_bytes() < peak_bytes():
        ballast.append(bytearray(b"\1") * 65_536)
    before = peak_bytes()
    step()
    step()
    return peak_bytes() - before


def grown(name: str, case: Case) -> int:
    """`growth` in a new process, where an array of 32 kB or more is given back when it is freed."""
    command = [sys.executable, "-W", "ignore", __file__, "--growth", name, json.dumps(case)]
    environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": "32768"}
    return int(
        subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout.split()[-1]
    )


def memory(case: Case, libraries: Mapping[str, str]) -> dict[str, int]:
    found = {name: grown(name, case) for name in names_of(case, libraries)}
    print(json.dumps(described(case) | found), file=sys.stderr, flush=True)
    return found


def cases(filters: int, quick: bool) -> Iterator[Case]:
    if quick:
        yield from (Case("images", 1, (1, 8)), Case("ctc", 1, (100, 10)))
        return
    yield from (Case("images", steps, (shots, filters)) for shots, steps in itertools.product((1, 5), (1, 5)))
    yield from (Case("ctc", steps, (300, 30)) for steps in (1, 3))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="the JSON file to write")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--filters", type=int, default=64)
    parser.add_argument("--budget", type=float, default=15.0, help="processor seconds of rounds for a case")
    parser.add_argument("--quick", action="store_true", help="small cases, to try the script")
    parser.add_argument("--growth", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.out and not options.growth:
        parser.error("--out is missing")
    return options


def main() -> None:
    options = arguments()
    if options.growth:
        name, case = options.growth
        kind, steps, size, *rest = json.loads(case)
        print(growth(name, Case(kind, steps, tuple(size), *rest)))
        return
    torch.set_num_threads(options.threads)
    listed = list(cases(options.filters, options.quick))
    libraries, missing = imported()
    # First: a child takes over its parent's peak.
    bytes_of = {case: memory(case, libraries) for case in listed}
    facts: dict[str, Any] = {
        "what": " ".join(__doc__.partition("\n\nThe others")[0].split()),
        "seed": SEED,
        "tasks": TASKS,
        "ways": WAYS,
        "query_images_a_class": QUERY,
        "clips": {"support": CLIPS, "query": CLIPS, "bins": BINS, "width": WIDTH, "layers": LAYERS, "symbols": SYMBOLS},
        "inner_rate": INNER_RATE,
        "outer_rate": OUTER_RATE,
        "budget_s": options.budget,
        "aims": AIMS,
        "libraries": libraries | missing,
        "kernel": "tensor operations" if kernel_cpu is None else f"Numba {version('numba')}",
        "machine": machine(),
        "differences_float64": {
            case.kind: described(case) | {"relative": differences(case, ["earful, vmap", *libraries])} for case in EXACT
        },
    }
    print(json.dumps(facts["libraries"] | facts["differences_float64"]), file=sys.stderr, flush=True)
    rows = []
    for case in listed:
        rows.append(measured(case, libraries, options.budget) | {"peak_growth_bytes": bytes_of[case]})
        print(json.dumps(short(rows[-1])), file=sys.stderr, flush=True)
        options.out.write_text(json.dumps(short(facts | {"rows": rows}), indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
