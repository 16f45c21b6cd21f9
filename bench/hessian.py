"""What do second derivatives through each encoder cost, forwards or backwards, with oneDNN and without?

`forwards` are five products of the support loss's Hessian with a vector by `torch.func.jvp` of the gradient, each from
scratch; `backwards` the same five by `torch.func.vjp` of it, whose graph is built once, as `metatrain/imaml.py` has it;
`maml` is one meta-gradient of two inner steps. The loss is CTC of five clips of three seconds in random frames; layers
are two, 144 wide. Every round runs each way once, in an order drawn anew; seconds are the processor's, on one thread.

    python bench/hessian.py --rounds 5 --out bench/hessian.json
"""

import argparse
import json
import random
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from earful.encoder.encoder import KINDS, EncoderConfig
from earful.kshot.machine import machine
from earful.metatrain import maml
from earful.model import AcousticModel, ModelConfig, loss_of, parameters_of
from earful.text.alphabet import Alphabet
from earful.trees import dot, plus
from earful.writing import replacing

WIDTH, LAYERS, CLIPS, FRAMES, LABELS, PRODUCTS = 144, 2, 5, 300, 25, 5
LETTERS = Alphabet(tuple(" abcdefghijklmnopqrstuvwxyz"))
SEED = 0
WAYS = ("forwards", "backwards", "maml")
Params = dict[str, Tensor]


def batch_of(generator: torch.Generator) -> tuple[Tensor, ...]:
    frames_BFM = torch.randn(CLIPS, FRAMES, 80, generator=generator)
    labels_BL = torch.randint(1, LETTERS.size, (CLIPS, LABELS), generator=generator)
    return frames_BFM, torch.full((CLIPS,), FRAMES), labels_BL, torch.full((CLIPS,), LABELS)


class Case:
    """An encoder of one kind, its loss on a batch, and a direction."""

    def __init__(self, kind: str) -> None:
        generator = torch.Generator().manual_seed(SEED)
        torch.manual_seed(SEED)
        model = AcousticModel(ModelConfig(LETTERS, encoder=EncoderConfig(kind, width=WIDTH, layers=LAYERS))).eval()
        self.loss, self.params = loss_of(model), parameters_of(model)
        self.batch, self.other = batch_of(generator), batch_of(generator)
        self.along = {name: torch.randn(value.shape, generator=generator) for name, value in self.params.items()}
        self.gradient = torch.func.grad(lambda params: self.loss(params, self.batch))

    def forwards(self) -> Params:
        for _ in range(PRODUCTS):
            found: Params = torch.func.jvp(self.gradient, (self.params,), (self.along,))[1]
        return found

    def backwards(self) -> Params:
        _, pull = torch.func.vjp(self.gradient, self.params)[:2]
        for _ in range(PRODUCTS):
            (found,) = pull(self.along)
        return found  # type: ignore[no-any-return]

    def maml(self) -> Params:
        learner = maml(self.loss, rate=0.05, steps=2)
        return learner.gradient(learner.init(self.params), (self.batch, self.other))[0]


def measured(case: Case, way: str, onednn: bool) -> tuple[float, Params]:
    """Processor seconds, and what came out. Raises NotImplementedError where PyTorch has no such derivative."""
    run: Callable[[], Params] = getattr(case, way)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of TF32 on Intel's GPUs, which nobody asked for
        with torch.backends.mkldnn.flags(enabled=onednn):
            began = time.process_time()
            found = run()
            return time.process_time() - began, found


def rows_of(kind: str, rounds: int, chance: random.Random) -> list[dict[str, Any]]:
    case, rows = Case(kind), list[dict[str, Any]]()
    first: dict[str, Params] = {}
    ways = [(way, onednn) for way in WAYS for onednn in (True, False)]
    for number in range(rounds + 1):  # the first one warms up, and says whether all ways agree
        for way, onednn in chance.sample(ways, len(ways)):
            try:
                cpu_s, found = measured(case, way, onednn)
            except NotImplementedError:
                cpu_s, found = None, None
            row = {"kind": kind, "way": way, "onednn": onednn, "round": number, "cpu_s": cpu_s}
            if number == 0 and found is not None:
                same = first.setdefault("maml" if way == "maml" else "products", found)
                away = plus(found, same, -1.0)
                row["apart"] = float((dot(away, away) / dot(same, same)).sqrt())
            rows.append(row)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    chance = random.Random(SEED)
    rows = [row for kind in KINDS for row in rows_of(kind, options.rounds, chance)]
    facts = {"machine": machine(), "products": PRODUCTS, "width": WIDTH, "layers": LAYERS, "rounds": options.rounds}
    with replacing(options.out) as beside:
        beside.write_text(json.dumps(facts | {"rows": rows}, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
