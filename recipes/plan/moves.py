"""What of a recogniser should move when it meets a new voice, and how fast? Single fine-tunings, in turn.

A recogniser of Dutch, made from one of the two speakers of Fish Fillets NG, meets the other: as she is, and changed
(`bench/changed_voices.py`). What is found is tried by `earful adapt` itself in bench/voices.py, on other draws.

    python recipes/plan/moves.py --base work/plan-base --corpus work/fillets-nl --log bench/plan_moves.json
"""

import argparse
import json
import math
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import torch
from tasks import Task, cer, task, walked
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))
from plans import before as plan_before
from voices import SPEAKERS, known_by, learned, tested

from earful.adapt.descend import adamw, descend
from earful.adapt.finetune import Plan, _batches, _noisy_loss, moves, rate_factor
from earful.kshot.machine import machine
from earful.model import AcousticModel, Params
from earful.writing import replacing

RANK, FURTHER = 4, 0.2  # of a low-rank product; of the rate that a recogniser moved by until then
Walk = Callable[[Task], Params]


def by(change: Callable[[Plan], Plan]) -> Walk:
    """A walk by today's plan, changed."""
    return lambda each: walked(each, change(each.ready.plan), 7)


def low_rank(rate: float) -> Walk:
    """Matrices move by a product of rank 4, which starts at nothing (LoRA: Hu et al. 2022, eq. 3); vectors do not."""

    def walk(each: Task) -> Params:
        model, plan = AcousticModel(each.ready.config), replace(each.ready.plan, rate=rate)
        wide = {n: v for n, v in each.start.items() if v.dim() == 2 and moves(each.ready.config, n)}
        draw, small = torch.Generator().manual_seed(7), dict[str, Tensor]()
        for name, value in wide.items():
            small[f"down.{name}"] = torch.randn(RANK, value.shape[1], generator=draw) / math.sqrt(value.shape[1])
            small[f"up.{name}"] = torch.zeros(value.shape[0], RANK)

        def whole(low: Mapping[str, Tensor]) -> dict[str, Tensor]:
            return {**each.start, **{n: v + low[f"up.{n}"] @ low[f"down.{n}"] for n, v in wide.items()}}

        among = {label for copies in each.ready.copies for label in copies[0].labels}
        noisy, end = _noisy_loss(model, 7, among), small
        batches = _batches(each.ready.copies, plan, each.ready.config, 7, 0)
        rule = adamw(lambda name, step: rate_factor(step, plan) * plan.rate)
        for at in descend(lambda low, item: noisy(whole(low), item), small, batches, rule, clip_norm=1.0):
            end = at.params
        return {name: value.detach() for name, value in whole(end).items()}

    return walk


LAYERS = ("encoder", *(f"encoder.layers.{number}" for number in range(4)), "upsample", "heads")


def only(*moving: str, factor: float) -> Callable[[Plan], Plan]:
    """These groups of weights move, by a factor on the rate of a new language; the others do not."""
    every = [f"{layer} {what}" for layer in LAYERS for what in ("matrices", "vectors")]
    factors = {name: factor if name in moving else 0.0 for name in every}
    return lambda plan: replace(plan, rate=plan.rate / FURTHER, factors=factors)


WALKS: Mapping[str, Walk] = {
    "all, a fifth of the rate (the plan before)": by(lambda plan: plan),
    "all, half the rate": by(lambda plan: replace(plan, rate=plan.rate * 0.5 / FURTHER)),
    "all, the rate of a language": by(lambda plan: replace(plan, rate=plan.rate / FURTHER)),
    "all, a fifth of the rate, a quarter of the steps": by(lambda plan: replace(plan, steps=plan.steps // 4)),
    "rows": by(lambda plan: replace(plan, rate=plan.rate / FURTHER, moves="head")),
    "vectors": by(only(*(f"{layer} vectors" for layer in LAYERS), factor=4.0)),
    "low rank": low_rank(2e-3),
    "a vector of the speaker": by(only("encoder vectors", factor=10.0)),
}
HALF_WAY = ("all, the rate of a language", "all, half the rate", "vectors")
"""Walks from whose end half the way is gone back, too ("WiSE-FT": Wortsman et al. 2022, eq. 1)."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", required=True, help="a base that has not heard Dutch")
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--kinds", nargs="+", default=["as they are", "a child", "slurred and slow", "a distant room"])
    parser.add_argument("--speaker", default="nl-small", choices=SPEAKERS, help="whose voice is met")
    parser.add_argument("--clips", type=int, nargs="+", default=[5, 20, 50])
    parser.add_argument("--seeds", type=int, nargs="+", default=[10])
    parser.add_argument("--query", type=int, default=60)
    parser.add_argument("--log", type=Path, required=True)
    options = parser.parse_args()
    rows = []
    for kind in options.kinds:
        speaker, (other,) = options.speaker, (each for each in SPEAKERS if each != options.speaker)
        known, test = (
            known_by(other, options.base, options.corpus),
            tested(options.corpus, speaker, kind, options.query),
        )
        for seed in options.seeds:
            for clips in options.clips:
                each = task(known, kind, learned(options.corpus, speaker, kind, clips, seed), test, seed)
                plan = plan_before(clips, each.ready.speech_s)
                plan = replace(plan, rate=FURTHER * plan.rate, letters="like", folds=0, evaluations=1)
                each = each._replace(ready=each.ready._replace(plan=plan))
                row = {"kind": kind, "clips": clips, "seed": seed, "before": cer(each, each.start)}
                for name, walk in WALKS.items():
                    began, end = time.process_time(), walk(each)
                    row[name] = {"cer": cer(each, end), "cpu_s": round(time.process_time() - began, 1)}
                    if name in HALF_WAY:
                        between = {key: each.start[key].lerp(value, 0.5) for key, value in end.items()}
                        row[f"{name}, half way back"] = row[name] | {"cer": cer(each, between)}
                rows.append(row)
                print(json.dumps(row), file=sys.stderr, flush=True)
                with replacing(options.log) as beside:
                    beside.write_text(json.dumps({"machine": machine(), "rows": rows}, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
