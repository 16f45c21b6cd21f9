"""The plan of fine-tuning, learned: rates of groups of weights, what moves first, steps, batch, dropout, decay, masks.

What a user runs is 80 to 120 steps of AdamW. Two stages learn how, over many tasks (`tasks.py`), each task adapted as
`earful adapt` adapts:

1. **Rates by group**, by long-horizon meta-gradients of the first order. With directions taken for constants, where a
   walk ends moves with the logarithm of a group's rate as the way that this group has gone: d end / d log rate =
   end − start. So the derivative of the query loss is ⟨∇ loss(end), end − start⟩ over the group (Baydin et al. 2018,
   the same over one step), at the cost of one walk and one gradient. Adam moves the logarithms.
2. **All else**, by a population search (Optuna's TPE, Bergstra et al. 2011) at the compute of today's plan or less: a
   trial is given up when it falls behind the median of the others after some tasks.

What is best is compared with today's plan on draws that neither stage has met (`--validate`). The log has it all.

    python recipes/plan/learn.py rates  --base work/without-dutch --corpora work/fillets-nl … --log work/plan.json
    python recipes/plan/learn.py search --base work/without-dutch --corpora work/fillets-nl … --log work/plan.json
    python recipes/plan/learn.py validate …
"""

import argparse
import json
import math
import random
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import torch
from tasks import Task, cer, of_corpus, walked

from earful.adapt.finetune import Plan, group_of
from earful.data.batch import collate
from earful.features.mask import SpecAugment
from earful.kshot.machine import machine
from earful.model import AcousticModel, Params, loss_of
from earful.writing import replacing

CLIPS, QUERY = (5, 10, 50), 60
ROUNDS, RATE = 48, 0.1
LEAST_FACTOR, MOST_FACTOR = 1 / 16, 16.0
BEFORE_GIVING_UP = 4


def slopes(each: Task, end: Params) -> tuple[dict[str, float], float]:
    """The derivative of the query loss by the logarithm of each group's rate, and the query loss a letter."""
    model = AcousticModel(each.ready.config).eval()
    moving = {n: v.detach().clone().requires_grad_() for n, v in end.items() if not torch.equal(v, each.start[n])}
    letters = sum(len(example.labels) for example in each.query)
    found, total = dict[str, float](), 0.0
    gradients = {name: torch.zeros_like(value) for name, value in moving.items()}
    for first in range(0, len(each.query), 12):
        part = each.query[first : first + 12]
        value = loss_of(model)({**end, **moving}, collate(list(part))) * len(part)
        for name, grad in zip(moving, torch.autograd.grad(value, list(moving.values())), strict=True):
            gradients[name] += grad
        total += float(value)
    for name, grad in gradients.items():
        group = group_of(name, grad)
        found[group] = found.get(group, 0.0) + float((grad * (end[name] - each.start[name])).sum()) / letters
    return found, total / letters


class Adam:
    """Adam on the logarithms of the factors (Kingma and Ba 2015, algorithm 1)."""

    def __init__(self) -> None:
        self.logs: dict[str, float] = {}
        self.means: dict[str, tuple[float, float, int]] = {}

    def step(self, slopes: Mapping[str, float]) -> None:
        for name, slope in slopes.items():
            m, v, n = self.means.get(name, (0.0, 0.0, 0))
            m, v, n = 0.8 * m + 0.2 * slope, 0.95 * v + 0.05 * slope * slope, n + 1
            self.means[name] = m, v, n
            moved_by = RATE * (m / (1 - 0.8**n)) / (math.sqrt(v / (1 - 0.95**n)) + 1e-12)
            log = self.logs.get(name, 0.0) - moved_by
            self.logs[name] = min(max(log, math.log(LEAST_FACTOR)), math.log(MOST_FACTOR))

    @property
    def factors(self) -> dict[str, float]:
        return {name: round(math.exp(log), 4) for name, log in sorted(self.logs.items())}


class Log:
    """All that was tried, in a file that is whole at every moment; what is in it is not tried again."""

    def __init__(self, path: Path, about: Mapping[str, Any]) -> None:
        self.path = path
        self.found: dict[str, Any] = {"machine": machine(), **about, "rates": [], "trials": [], "validation": []}
        if path.exists():
            self.found |= json.loads(path.read_text("utf-8"))

    def add(self, part: str, row: Mapping[str, Any]) -> None:
        self.found[part].append(row)
        print(json.dumps(row), file=sys.stderr, flush=True)
        with replacing(self.path) as beside:
            beside.write_text(json.dumps(self.found, indent=1) + "\n", "utf-8")


def tasks_of(options: argparse.Namespace, seeds: Sequence[int]) -> list[Task]:
    """A task for each corpus, number of clips and seed, in an order by chance; the first corpus comes twice."""
    wanted = [
        (c, k, seed)
        for place, c in enumerate(options.corpora)
        for k in options.clips
        for seed in (seeds if place == 0 else seeds[: max(1, len(seeds) // 2)])
    ]
    random.Random(0).shuffle(wanted)
    found = []
    for number, (corpus, clips, seed) in enumerate(wanted, 1):
        found.append(of_corpus(options.base, corpus, clips, seed, options.query))
        print(f"task {number} of {len(wanted)}: {corpus.name}, {clips} clips, draw {seed}", file=sys.stderr, flush=True)
    return found


def learn_rates(options: argparse.Namespace, log: Log) -> None:
    """Stage 1. It goes on from the factors that the log ends with (their means begin anew)."""
    tasks, adam = tasks_of(options, options.seeds), Adam()
    if log.found["rates"]:
        adam.logs = {name: math.log(value) for name, value in log.found["rates"][-1]["factors"].items()}
    for number in range(len(log.found["rates"]), options.rounds):
        each, began = tasks[number % len(tasks)], time.process_time()
        end = walked(each, replace(cheaper(each.ready.plan, options.compute), factors=adam.factors), seed=1000 + number)
        found, loss = slopes(each, end)
        # the units of a loss differ from task to task: what counts is the share by which it falls
        adam.step({name: slope / loss for name, slope in found.items()})
        row = {"round": number, "source": each.source, "clips": each.clips, "draw": each.seed, "loss": loss}
        row |= {"slopes": found, "cpu_s": round(time.process_time() - began, 1), "factors": adam.factors}
        log.add("rates", row)


def cheaper(plan: Plan, compute: float) -> Plan:
    """The plan with smaller batches, for that share of its compute."""
    return replace(plan, batch_s=compute * plan.batch_s)


def suggested(trial: optuna.Trial, plan: Plan, factors: Mapping[str, float], compute: float) -> Plan:
    """A plan of that share of the compute of `plan`: steps times seconds of speech in each."""
    batch = trial.suggest_float("batch", 0.2, 1.0, log=True)
    strength = trial.suggest_float("strength", 0.0, 1.5)
    return replace(
        plan,
        factors={name: round(value**strength, 4) for name, value in factors.items()},
        batch_s=batch * plan.batch_s,
        steps=max(1, round(compute / batch * plan.steps)),
        rate=plan.rate * trial.suggest_float("rate", 0.5, 2.0, log=True),
        rows_first=trial.suggest_float("rows_first", 0.0, 0.3),
        decay=trial.suggest_float("decay", 1e-3, 1.0, log=True),
        dropout=trial.suggest_float("dropout", 0.0, 0.25),
        copies=round(plan.copies * trial.suggest_categorical("copies", [0.0, 0.5, 1.0])),
        masks=SpecAugment(
            frequency_masks=plan.masks.frequency_masks,
            time_masks=trial.suggest_int("time_masks", 0, 4),
            time_frames=trial.suggest_int("time_frames", 6, 60),
        ),
    )


def search(options: argparse.Namespace, log: Log) -> None:
    """Stage 2: trials against today's plan, task by task; the value is the mean logarithm of the ratio of errors."""
    tasks = tasks_of(options, options.seeds)
    factors = log.found["rates"][-1]["factors"] if log.found["rates"] else {}
    today = [max(cer(each, walked(each, each.ready.plan, 7)), 1e-3) for each in tasks]
    study = optuna.create_study(
        sampler=optuna.samplers.TPESampler(seed=len(log.found["trials"]), multivariate=True, n_startup_trials=8),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=6, n_warmup_steps=BEFORE_GIVING_UP),
    )
    first = {"batch": options.compute, "rate": 1.0, "rows_first": 0.0, "decay": 0.01, "dropout": 0.1, "copies": 1.0}
    first |= {"time_masks": 2, "time_frames": 40}
    begun = [{"strength": 0.0}, {"strength": 1.0}, {"strength": 0.0, "batch": 0.25}, {"strength": 0.0, "rate": 2.0}]
    begun += [{"strength": 0.4}, {"strength": 0.0, "rows_first": 0.2}, {"strength": 0.0, "decay": 0.5}]
    begun += [{"strength": 0.0, "time_masks": 4}, {"strength": 0.0, "copies": 0.0}, {"strength": 0.0, "dropout": 0.2}]
    for change in begun:
        study.enqueue_trial({**first, **change})

    def objective(trial: optuna.Trial) -> float:
        ratios: list[float] = []
        for number, (each, before) in enumerate(zip(tasks, today, strict=True)):
            plan = suggested(trial, each.ready.plan, factors, options.compute)
            ratios.append(math.log(max(cer(each, walked(each, plan, 7)), 1e-3) / before))
            trial.report(sum(ratios) / len(ratios), number)
            if trial.should_prune():
                break
        value = sum(ratios) / len(ratios)
        log.add("trials", {"settings": trial.params, "tasks": len(ratios), "log_ratio": value, "ratios": ratios})
        if len(ratios) < len(tasks):
            raise optuna.TrialPruned
        return value

    until = time.monotonic() + 60 * options.minutes
    while time.monotonic() < until:
        study.optimize(objective, n_trials=1)


def best_of(log: Log) -> Mapping[str, Any]:
    """The settings of the best trial that met all tasks."""
    whole = [row for row in log.found["trials"] if row["tasks"] == max(r["tasks"] for r in log.found["trials"])]
    return min(whole, key=lambda row: row["log_ratio"])["settings"]  # type: ignore[no-any-return]


def validate(options: argparse.Namespace, log: Log) -> None:
    """Today's plan, rates alone, and the best trial, in turn, on draws that are new."""
    factors = log.found["rates"][-1]["factors"] if log.found["rates"] else {}
    chosen = {
        "today": None,
        "cheaper": {},
        "rates": {"strength": 1.0},
        **({"best": best_of(log)} if log.found["trials"] else {}),
    }
    done = {(row["source"], row["clips"], row["draw"]) for row in log.found["validation"]}
    for corpus in options.corpora:
        for seed in options.seeds:
            for clips in options.clips:
                if (corpus.name, clips, seed) in done:
                    continue
                each = of_corpus(options.base, corpus, clips, seed, options.query)
                row: dict[str, Any] = {"source": corpus.name, "clips": clips, "draw": seed}
                for name, settings in chosen.items():
                    plan, began = each.ready.plan, time.process_time()
                    if name == "cheaper":
                        plan = cheaper(plan, options.compute)
                    elif name == "rates":
                        plan = replace(cheaper(plan, options.compute), factors=factors)
                    elif settings:
                        fixed: Any = optuna.trial.FixedTrial(dict(settings))
                        plan = suggested(fixed, plan, factors, options.compute)
                    row[name] = {"cer": cer(each, walked(each, plan, seed))}
                    row[name] |= {"cpu_s": round(time.process_time() - began, 1)}
                log.add("validation", row)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stage", choices=["rates", "search", "validate"])
    parser.add_argument("--base", required=True)
    parser.add_argument("--corpora", type=Path, nargs="+", required=True, help="folders with train.jsonl, test.jsonl")
    parser.add_argument("--clips", type=int, nargs="+", default=list(CLIPS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--query", type=int, default=QUERY)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--compute", type=float, default=0.5, help="share of the compute of today's plan")
    parser.add_argument("--log", type=Path, required=True)
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    log = Log(options.log, {"base": str(options.base)})
    {"rates": learn_rates, "search": search, "validate": validate}[options.stage](options, log)


if __name__ == "__main__":
    main()
