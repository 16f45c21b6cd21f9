"""How fast is `earful.metatrain`'s MAML beside higher, TorchOpt and learn2learn, and is it the same gradient?

`images`: the four-layer convolutional net of Finn et al. 2017 (blocks of 3×3 convolution, batch norm by the statistics
of the batch, ReLU, 2×2 max-pooling) on random 28×28 images, 5-way, 15 query images a class. `ctc`: random frames, four
clips to adapt to and four to query, through a small Transformer of earful's layers or one linear map; earful with its
own `ctc_loss`, the others with CTC in plain tensor operations (`plain` of bench/ctc.py), and higher with earful's too,
to tell what the loss alone is worth. All of second order, four tasks a meta-step, Adam outside, one thread.

Every round runs each library once, in an order drawn anew, and counts the processor's seconds, so that other work on
the machine counts for little. `earful` takes tasks one by one, as the others do, `earful, vmap` all at once. Memory: by
how much the peak of a process of its own grows in two meta-steps (Linux with glibc). The gradients of the first
meta-step are compared: in float64 on small nets, in float32 in every case that is timed.

The others are not needed to run this: what cannot be imported is left out, and the file says why. To have all:

    pip install --no-deps higher torchopt optree graphviz
    pip install --no-deps learn2learn gym gym-notices cloudpickle scipy pandas pillow torchvision==0.15.2

learn2learn 0.2.0 ships C files that do not compile on Python 3.11: delete learn2learn/data/*.c in its source archive,
say `use_cython = True` in its setup.py, and `pip install --no-deps --no-build-isolation .` with cython<3. It imports
torchvision, which beside a torch that it was not built for is only importable before 0.16.

    python bench/meta_speed.py --out bench/meta_speed.json

A run that was cut off goes on with the cases that its file lacks; to begin anew, delete the file.
"""

import argparse
import ctypes
import importlib
import itertools
import json
import random
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn.functional import cross_entropy
from torch.utils._pytree import tree_map

from ctc import Problem as Lattice
from ctc import kernel_cpu, peak_bytes, plain, resident_bytes, short
from earful.ctc.head import Upsample
from earful.ctc.loss import ctc_loss
from earful.encoder.attention import layout
from earful.encoder.encoder import EncoderConfig, initialise, quieten_branches
from earful.encoder.subsample import entrance
from earful.encoder.transformer import TransformerLayer
from earful.kshot.machine import machine
from earful.metatrain import maml
from earful.trees import mean

SEED = 0
TASKS = 4
WAYS, QUERY, SIDE = 5, 15, 28
CLIPS, BINS, WIDTH, SYMBOLS = 4, 80, 96, 32
INNER_RATE, OUTER_RATE = 0.01, 1e-3
FEWEST = 3  # rounds of a case
AIMS = {"images": 2.0, "ctc": 10.0}
"""How many times as fast as the fastest of the others earful is meant to be."""

Batch = tuple[Tensor, ...]
Episode = tuple[Batch, Batch]
Loss = Callable[[Callable[..., Tensor], Batch], Tensor]
"""Of a net and a batch: what goes into the net, and last what should come out."""


class Case(NamedTuple):
    """`size`: shots and filters of images, frames and labels of clips. `layers`: of the net; 0 is a linear map."""

    kind: str
    steps: int
    size: tuple[int, int]
    layers: int
    dtype: str = "float32"

    def described(self) -> dict[str, Any]:
        first, second = ("shots", "filters") if self.kind == "images" else ("frames", "labels")
        return {**self._asdict(), first: self.size[0], second: self.size[1]}


CASES = [Case("images", steps, (1, 64), 4) for steps in (1, 5)]
CASES += [Case("ctc", steps, (100, 20), layers) for layers in (2, 0) for steps in (1, 3)]
EXACT = (Case("images", 3, (1, 8), 2, "float64"), Case("ctc", 3, (100, 10), 2, "float64"))
"""Cases whose gradients are compared only, not timed."""
TINY = {"images": (1, 4), "ctc": (60, 5)}


class Problem(NamedTuple):
    """A net, its loss for earful and that for the others, and the tasks."""

    net: nn.Module
    ours: Loss
    plain: Loss
    episodes: list[Episode]


class Run(NamedTuple):
    """The start, and what leaves the mean meta-gradient of some tasks in its `.grad`."""

    start: dict[str, Tensor]
    backward: Callable[[], None]

    def gradient(self) -> Tensor:
        """What `backward` left, in one vector of float64."""
        return torch.cat([leaf.grad.double().flatten() for leaf in self.start.values() if leaf.grad is not None])


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

    blocks: list[nn.Module] = []
    for before, after in itertools.pairwise((1, *[filters] * case.layers)):
        norm = nn.BatchNorm2d(after, track_running_stats=False)
        blocks += [nn.Conv2d(before, after, 3, padding=1), norm, nn.ReLU(), nn.MaxPool2d(2)]
    net = nn.Sequential(*blocks, nn.Flatten(), nn.Linear(filters * (SIDE >> case.layers) ** 2, WAYS))

    def loss(net: Callable[..., Tensor], batch: Batch) -> Tensor:
        return cross_entropy(net(batch[0]), batch[1])

    return Problem(net, loss, loss, [(batch(shots), batch(QUERY)) for _ in range(TASKS)])


class Linear(nn.Linear):
    """Log-probabilities `[F, B, V]`, a linear map of each frame."""

    def forward(self, frames_BFM: Tensor, counts_B: Tensor) -> Tensor:  # type: ignore[override]
        return super().forward(frames_BFM).log_softmax(-1).transpose(0, 1)


class Transformer(nn.Module):
    """Log-probabilities `[F', B, V]` by earful's layers; higher cannot patch `Encoder`, whose class is abstract."""

    def __init__(self, layers: int) -> None:
        super().__init__()
        config = EncoderConfig("transformer", bins=BINS, width=WIDTH, layers=layers, dropout=0.0)
        self.head_width = config.width // config.heads
        self.entrance = entrance(config)
        self.layers = nn.ModuleList(TransformerLayer(config) for _ in range(layers))
        self.norm = nn.LayerNorm(WIDTH)
        initialise(self)
        quieten_branches(self)
        self.upsample = Upsample(WIDTH, 2)
        self.head = nn.Linear(WIDTH, SYMBOLS)

    def forward(self, frames_BFM: Tensor, counts_B: Tensor) -> Tensor:
        hidden_BFD, counts_B, valid_BF = self.entrance(frames_BFM, counts_B)
        attention = layout(valid_BF, self.head_width, hidden_BFD.dtype)
        for layer in self.layers:
            hidden_BFD = layer(hidden_BFD, attention)
        hidden_BFD, _ = self.upsample(self.norm(hidden_BFD), counts_B)
        return self.head(hidden_BFD).log_softmax(-1).transpose(0, 1)


def clips(case: Case, generator: torch.Generator) -> Problem:
    frames, labels = case.size

    def batch() -> Batch:
        frames_BFM = torch.randn(CLIPS, frames, BINS, generator=generator)
        return frames_BFM, torch.full((CLIPS,), frames), torch.randint(1, SYMBOLS, (CLIPS, labels), generator=generator)

    def ours(net: Callable[..., Tensor], batch: Batch) -> Tensor:
        logp_FBV = net(*batch[:2])
        return ctc_loss(logp_FBV, batch[2], [len(logp_FBV)] * CLIPS, [labels] * CLIPS)

    def theirs(net: Callable[..., Tensor], batch: Batch) -> Tensor:
        logp_FBV = net(*batch[:2])
        return plain(Lattice(logp_FBV, logp_FBV, batch[2], ([], []))) / (CLIPS * labels)

    net = Transformer(case.layers) if case.layers else Linear(BINS, SYMBOLS)
    return Problem(net, ours, theirs, [(batch(), batch()) for _ in range(TASKS)])


def earful(net: nn.Module, loss: Loss, episodes: Sequence[Episode], steps: int, at_once: bool = False) -> Run:
    def pure(params: Mapping[str, Tensor], batch: Batch) -> Tensor:
        return loss(lambda *inputs: functional_call(net, dict(params), inputs), batch)

    learner = maml(pure, rate=INNER_RATE, steps=steps)
    meta = {name: value.requires_grad_() for name, value in learner.init(dict(net.named_parameters())).items()}

    def backward() -> None:
        here = {name: value.detach() for name, value in meta.items()}
        if at_once:
            stacked = tree_map(lambda *leaves: torch.stack(leaves), *episodes)
            found, _ = vmap(learner.gradient, (None, 0))(here, stacked)
            gradient = {name: value.mean(0) for name, value in found.items()}
        else:
            gradient = mean([learner.gradient(here, episode)[0] for episode in episodes])
        for name, value in gradient.items():
            meta[name].grad = value

    return Run(meta, backward)


def higher(net: nn.Module, loss: Loss, episodes: Sequence[Episode], steps: int) -> Run:
    """As in its example `maml-omniglot.py`."""
    library = importlib.import_module("higher")

    def backward() -> None:
        inner = torch.optim.SGD(net.parameters(), lr=INNER_RATE)
        net.zero_grad()
        for support, query in episodes:
            with library.innerloop_ctx(net, inner, copy_initial_weights=False) as (moving, optimiser):
                for _ in range(steps):
                    optimiser.step(loss(moving, support))
                (loss(moving, query) / TASKS).backward()

    return Run(dict(net.named_parameters()), backward)


def torchopt(net: nn.Module, loss: Loss, episodes: Sequence[Episode], steps: int) -> Run:
    """As in its example `few-shot/maml_omniglot.py`, but each task's backward pass at once, which takes less memory."""
    library = importlib.import_module("torchopt")
    start, inner = dict(net.named_parameters()), library.MetaSGD(net, lr=INNER_RATE)

    def backward() -> None:
        net.zero_grad()
        before = [library.extract_state_dict(each, by="reference") for each in (net, inner)]
        for support, query in episodes:
            for _ in range(steps):
                inner.step(loss(net, support))
            (loss(net, query) / TASKS).backward()
            for each, state in zip((net, inner), before, strict=True):
                library.recover_state_dict(each, state)

    return Run(start, backward)


def learn2learn(net: nn.Module, loss: Loss, episodes: Sequence[Episode], steps: int) -> Run:
    """As in its example `vision/maml_omniglot.py`."""
    library = importlib.import_module("learn2learn")
    start = library.algorithms.MAML(net, lr=INNER_RATE)

    def backward() -> None:
        start.zero_grad()
        for support, query in episodes:
            moving = start.clone()
            for _ in range(steps):
                moving.adapt(loss(moving, support))
            (loss(moving, query) / TASKS).backward()

    return Run(dict(net.named_parameters()), backward)


OTHERS = {"higher": higher, "torchopt": torchopt, "learn2learn": learn2learn}
OURS = {"earful": False, "earful, vmap": True}
WITH_OURS = "higher, earful's loss"


def run_of(name: str, case: Case) -> Run:
    """With a net of its own, made from the same seed."""
    net, ours, theirs, episodes = problem(case)
    if name in OURS:
        return earful(net, ours, episodes, case.steps, OURS[name])
    return OTHERS.get(name, higher)(net, ours if name == WITH_OURS else theirs, episodes, case.steps)


def names_of(case: Case, libraries: Mapping[str, str]) -> list[str]:
    return [*OURS, *libraries, *([WITH_OURS] if case.kind == "ctc" and "higher" in libraries else [])]


def imported() -> tuple[dict[str, str], dict[str, str]]:
    """Versions of the libraries that can be imported, and why the others cannot."""
    found, missing = {}, {}
    for name in OTHERS:
        try:
            importlib.import_module(name)
            found[name] = version(name)
        except Exception as reason:  # whatever it raises when it meets a torch that it does not know
            missing[name] = f"not importable: {type(reason).__name__}: {reason}".splitlines()[0]
    return found, missing


def meta_steps(run: Run) -> Callable[[], None]:
    optimiser = torch.optim.Adam(run.start.values(), lr=OUTER_RATE)

    def step() -> None:
        run.backward()
        optimiser.step()

    return step


def differences(runs: Mapping[str, Run]) -> dict[str, float]:
    """The norm of each gradient's difference to earful's, as a part of earful's norm."""
    ours = runs["earful"].gradient()
    return {name: float((run.gradient() - ours).norm() / ours.norm()) for name, run in runs.items() if name != "earful"}


def exact(case: Case, libraries: Mapping[str, str]) -> dict[str, Any]:
    """Differences of the first meta-gradients, with a case of float64."""
    runs = {name: run_of(name, case) for name in (*OURS, *libraries)}
    for run in runs.values():
        run.backward()
    return case.described() | {"relative": differences(runs)}


def turn(steps: Mapping[str, Callable[[], None]], order: random.Random) -> dict[str, float]:
    """Processor seconds of each, run once, in any order."""
    took_s = {}
    for name in order.sample(list(steps), len(steps)):
        began_s = time.process_time()
        steps[name]()
        took_s[name] = time.process_time() - began_s
    return took_s


def measured(case: Case, libraries: Mapping[str, str], budget_s: float) -> dict[str, Any]:
    order = random.Random(SEED)
    runs = {name: run_of(name, case) for name in names_of(case, libraries)}
    steps = {name: meta_steps(run) for name, run in runs.items()}
    first_s = sum(turn(steps, order).values())  # says how many rounds fit the budget, and does not count
    apart = differences(runs)  # before the nets are
    rounds = max(FEWEST, int(budget_s / first_s))
    turns_s = [turn(steps, order) for _ in range(rounds)]
    median_s = {name: statistics.median(each[name] for each in turns_s) for name in runs}
    found = {**case.described(), "differences": apart, "rounds": rounds, "median_s": median_s}
    if libraries:
        found["fastest_other"] = fastest = min(libraries, key=lambda name: median_s[name])
        ours = [name for name in median_s if name not in libraries]
        found["times_fastest_other"] = {name: median_s[fastest] / median_s[name] for name in ours}
    return found


def growth(name: str, case: Case) -> int:
    """Bytes by which the peak of this process grows in two meta-steps; once a process."""
    ctypes.CDLL(None).mallopt(-3, 32_768)  # M_MMAP_THRESHOLD: arrays of 32 kB or more are given back when freed
    meta_steps(run_of(name, case._replace(steps=1, size=TINY[case.kind])))()  # what is loaded once
    step = meta_steps(run_of(name, case))
    ballast = []  # the peak of before would hide what the run needs: use up to it
    while resident_bytes() < peak_bytes():
        ballast.append(bytearray(b"\1") * 65_536)
    before = peak_bytes()
    step()
    step()
    return peak_bytes() - before


def memory(case: Case, libraries: Mapping[str, str]) -> dict[str, Any]:
    """`growth` of each, in processes of their own."""
    with get_context("fork").Pool(1, maxtasksperchild=1) as pool:
        found = {name: pool.apply(growth, (name, case)) for name in names_of(case, libraries)}
    return told(case.described() | {"bytes": found})


def told(row: dict[str, Any]) -> dict[str, Any]:
    print(json.dumps(short(row)), file=sys.stderr, flush=True)
    return row


def facts(libraries: Mapping[str, str], missing: Mapping[str, str]) -> dict[str, Any]:
    """All but the times. Memory first, for a child begins with what its parent has; once a net, for it is slow."""
    largest = {(case.kind, case.layers): case for case in CASES}.values()
    return {
        "what": " ".join(__doc__.partition("\n\nThe others")[0].split()),
        "memory": [memory(case, libraries) for case in largest],
        "tasks": TASKS,
        "images": {"ways": WAYS, "query_a_class": QUERY, "side": SIDE},
        "clips": {"support": CLIPS, "query": CLIPS, "bins": BINS, "width": WIDTH, "symbols": SYMBOLS},
        "aims": AIMS,
        "libraries": {**libraries, **missing},
        "kernel": "tensor operations" if kernel_cpu is None else f"Numba {version('numba')}",
        "machine": machine(),
        "differences_float64": {case.kind: told(exact(case, libraries)) for case in EXACT},
        "rows": [],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="the JSON file; one that is there is gone on with")
    parser.add_argument("--budget", type=float, default=15.0, help="processor seconds of rounds for a case")
    options = parser.parse_args()
    torch.set_num_threads(1)
    libraries, missing = imported()
    found = json.loads(options.out.read_text("utf-8")) if options.out.exists() else facts(libraries, missing)
    for case in CASES[len(found["rows"]) :]:
        found["rows"].append(told(measured(case, libraries, options.budget)))
        options.out.write_text(json.dumps(short(found), indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
