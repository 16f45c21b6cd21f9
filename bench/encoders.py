"""Which encoder is the most accurate for its time? Equal CPU seconds for each, the same data, three seeds, interleaved.

First the processor seconds of a step of each encoder are measured, in turn, so that each gets as many steps as fit the
same budget. Then each trains with the supervised objective (characters, phones, phones of frames) on synthetic speech,
and its phone error rate is taken on held-out synthetic clips and on real Dutch, which it has never met. Encoders are of
like size; `inference_xrt` is seconds of audio a processor second, the frozen part below apart.

    python bench/encoders.py --dutch work/fillets-nl/test.jsonl --out bench/encoders.json
"""

import argparse
import itertools
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch

from earful.config import read_toml
from earful.ctc.greedy import greedy_ids
from earful.data.frames import frames_of
from earful.data.manifest import read_manifest
from earful.kshot.machine import machine
from earful.model import BACKBONE, PHONES, AcousticModel, fast_arithmetic, frames_by
from earful.pretrain.dataset import Dataset, open_dataset, phones_of
from earful.pretrain.recipe import Recipe
from earful.pretrain.supervised import train_base
from earful.text.score import errors_of_each

Clip = tuple[torch.Tensor, list[int]]

KINDS = {
    "conformer": {"width": 208, "layers": 4},
    "transformer": {"width": 256, "layers": 5},
    "bigru": {"width": 268, "layers": 4},
    "bilstm": {"width": 240, "layers": 4},
}


def as_text(ids: tuple[int, ...] | list[int]) -> str:
    """Phone ids as characters of their own, so that the scorer counts phones."""
    return "".join(chr(0x4E00 + i) for i in ids)


def phone_error_rate(model: AcousticModel, clips: list[Clip]) -> float:
    """Greedy phone error rate, clip by clip."""
    model.eval()
    hypotheses = []
    for frames_FM, _ in clips:
        with torch.no_grad(), fast_arithmetic():
            output = model(frames_FM[None], torch.tensor([len(frames_FM)]), PHONES)
        hypotheses += [as_text(ids) for ids in greedy_ids(*output)]
    counts = [errors.characters for errors in errors_of_each([as_text(phones) for _, phones in clips], hypotheses)]
    return sum(c.errors for c in counts) / sum(c.length for c in counts)


def steps_for(recipes: Mapping[str, Recipe], dataset: Dataset, budget_s: float, rounds: int = 5) -> dict[str, int]:
    """How many steps of each fit the budget: medians of a few interleaved trials, the first of which only warms up."""
    costs: dict[str, list[float]] = {kind: [] for kind in recipes}
    for _ in range(rounds + 1):
        for kind, recipe in recipes.items():
            with tempfile.TemporaryDirectory() as work:
                trial = replace(recipe, work=Path(work), optimisation=replace(recipe.optimisation, steps=8))
                began = time.process_time()
                train_base(trial, dataset)
                costs[kind].append((time.process_time() - began) / 8)
    return {kind: round(budget_s / statistics.median(found[1:])) for kind, found in costs.items()}


def inference_xrt(model: AcousticModel, clips: list[Clip], hop_s: float) -> float:
    """Seconds of audio a processor second, one clip after the other, features apart."""
    began = time.process_time()
    with torch.no_grad(), fast_arithmetic():
        for frames_FM, _ in clips:
            model(frames_FM[None], torch.tensor([len(frames_FM)]))
    return sum(len(frames_FM) for frames_FM, _ in clips) * hop_s / (time.process_time() - began)


def dutch_clips(path: Path, dataset: Dataset, recipe: Recipe, count: int) -> list[Clip]:
    """Real clips with the phones that espeak-ng's rules give their transcripts; none of them was trained on."""
    spoken = [u for u in read_manifest(path) if phones_of(u)]
    chosen = spoken[:: max(1, len(spoken) // count)][:count]
    front = partial(frames_by, dataset.backbone or recipe.features)
    return [(frames_of(u, front), [dataset.phone_ids.get(p, 0) for p in phones_of(u)]) for u in chosen]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipe", type=Path, default=Path("recipes/base/synthetic.toml"))
    parser.add_argument("--dutch", type=Path, required=True, help="real test clips with phones, a manifest")
    parser.add_argument("--budget", type=float, default=120.0, help="processor seconds of training for each run")
    parser.add_argument("--batch-s", type=float, default=60.0, help="speech in a batch: small, for many steps")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    recipe = replace(read_toml(Recipe, options.recipe), batch_s=options.batch_s)
    dataset = open_dataset(recipe)
    order = torch.randperm(len(dataset.utterances), generator=torch.Generator().manual_seed(1)).tolist()
    held = [(dataset.frames[i], list(dataset.phones[i])) for i in order[:200]]
    learn, dutch = dataset.only(sorted(order[200:])), dutch_clips(options.dutch, dataset, recipe, 200)
    recipes = {
        kind: replace(recipe, encoder=replace(recipe.encoder, kind=kind, **size)) for kind, size in KINDS.items()
    }
    steps = steps_for(recipes, learn, options.budget)
    rows: list[dict] = []
    for seed, (kind, chosen) in itertools.product(options.seeds, recipes.items()):
        with tempfile.TemporaryDirectory() as work:
            run = replace(chosen, seed=seed, work=Path(work))
            began = time.process_time()
            checkpoint = train_base(replace(run, optimisation=replace(run.optimisation, steps=steps[kind])), learn)
            cpu_s = time.process_time() - began
        model = checkpoint.build()
        row = {"kind": kind, "seed": seed, "steps": steps[kind], "cpu_s": round(cpu_s, 1)}
        row["parameters"] = sum(p.numel() for name, p in model.named_parameters() if not name.startswith(BACKBONE))
        row["per_synthetic"] = phone_error_rate(model, held)
        row["per_dutch"] = phone_error_rate(model, dutch)
        row["inference_xrt"] = inference_xrt(model, held[:40], dataset.features.hop_s)
        rows.append(row)
        print(json.dumps(row), file=sys.stderr, flush=True)
        facts = {"recipe": str(options.recipe), "budget_cpu_s": options.budget, "batch_s": options.batch_s}
        write(options.out, rows, facts)


def write(path: Path, rows: list[dict], settings: dict) -> None:
    """All rows so far, and their medians: an interrupted run keeps what it has."""
    keys = ("parameters", "steps", "per_synthetic", "per_dutch", "inference_xrt")
    kinds = {row["kind"]: [r for r in rows if r["kind"] == row["kind"]] for row in rows}
    table = {kind: {key: statistics.median(r[key] for r in some) for key in keys} for kind, some in kinds.items()}
    result = {"machine": machine()} | settings | {"medians": table, "rows": rows}
    path.write_text(json.dumps(result, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
