"""Which encoder is the most accurate for its time? Equal CPU seconds for each, the same data, three seeds, interleaved.

Each encoder trains for the same budget of processor seconds with the supervised objective (characters, phones, phones
of frames) on synthetic speech, then its phone error rate is taken on clips of synthetic languages it was trained on and
on real Dutch, which it has never met. Encoders are of like size; `inference_xrt` is seconds of audio a second.

    python bench/encoders.py --speak work/speak --dutch work/fillets-nl --budget 180 --out bench/encoders.json
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch
from machine import machine

from earful.ctc.greedy import greedy_ids
from earful.encoder.encoder import EncoderConfig
from earful.model import PHONES, AcousticModel
from earful.pretrain.dataset import Dataset, open_dataset
from earful.pretrain.recipe import Corpus, Recipe
from earful.pretrain.supervised import model_of, train_base
from earful.text.score import errors_of_each
from earful.train import Optimisation

KINDS = {
    "conformer": EncoderConfig("conformer", width=144, layers=8),
    "transformer": EncoderConfig("transformer", width=176, layers=10),
    "bigru": EncoderConfig("bigru", width=224, layers=4),
    "bilstm": EncoderConfig("bilstm", width=208, layers=4),
}


def as_text(ids: tuple[int, ...] | list[int]) -> str:
    """Phone ids as characters of their own, so that the scorer counts phones."""
    return "".join(chr(0x4E00 + i) for i in ids)


def phone_error_rate(model: AcousticModel, dataset: Dataset, indexes: list[int]) -> float:
    model.eval()
    references, hypotheses = [], []
    for start in range(0, len(indexes), 8):
        part = indexes[start : start + 8]
        batch, _ = dataset.batch(part, model.config)
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            output = model(batch.frames_BFM, batch.frame_counts_B, PHONES)
        hypotheses += [as_text(ids) for ids in greedy_ids(*output)]
        references += [as_text(dataset.phones[i]) for i in part]
    counts = [errors.characters for errors in errors_of_each(references, hypotheses)]
    return sum(c.errors for c in counts) / sum(c.length for c in counts)


def train_for(recipe: Recipe, dataset: Dataset, budget_s: float) -> tuple[AcousticModel, int, float]:
    """Train for about `budget_s` processor seconds: the cost of a step is taken from a few, the schedule fitted to it."""
    trial = replace(recipe, work=recipe.work / "trial", optimisation=replace(recipe.optimisation, steps=6))
    train_base(replace(trial, work=recipe.work / "warm"), dataset)
    began = time.process_time()
    train_base(trial, dataset)
    steps = max(10, round(budget_s / ((time.process_time() - began) / 6)))
    began = time.process_time()
    checkpoint = train_base(replace(recipe, optimisation=replace(recipe.optimisation, steps=steps)), dataset)
    return checkpoint.build(), steps, time.process_time() - began


def inference_xrt(model: AcousticModel, dataset: Dataset, indexes: list[int]) -> float:
    """Seconds of audio a processor second, one clip after the other."""
    began = time.process_time()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        for i in indexes:
            frames_FM = dataset.frames[i]
            model(frames_FM[None], torch.tensor([len(frames_FM)]))
    return sum(dataset.frames.counts[i] for i in indexes) / 100 / (time.process_time() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--speak", type=Path, required=True, help="synthetic corpus")
    parser.add_argument("--dutch", type=Path, required=True, help="real corpus with phones, never trained on here")
    parser.add_argument("--budget", type=float, default=180.0, help="processor seconds of training for each run")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--cache", type=Path, default=Path("work/frames"))
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    corpora = (Corpus(options.speak / "manifest.jsonl", not_languages=("nl",)), Corpus(options.dutch / "manifest.jsonl"))
    recipe = Recipe(Path("unused"), corpora, Optimisation(1, rate=2e-3), cache=options.cache)
    dataset = open_dataset(recipe)
    real = [i for i, u in enumerate(dataset.utterances) if u.language == "nl"]
    synthetic = torch.randperm(len(dataset.utterances) - len(real), generator=torch.Generator().manual_seed(1)).tolist()
    held, learn = synthetic[:300], sorted(synthetic[300:])
    real = real[:: max(1, len(real) // 300)]
    rows = []
    for seed in options.seeds:
        for kind, encoder in KINDS.items():
            with tempfile.TemporaryDirectory() as work:
                run = replace(recipe, encoder=encoder, seed=seed, work=Path(work))
                model, steps, cpu_s = train_for(run, dataset.only(learn), options.budget)
            row = {"kind": kind, "seed": seed, "steps": steps, "cpu_s": round(cpu_s, 1)}
            row["parameters"] = sum(p.numel() for p in model.parameters())
            row["per_synthetic"] = phone_error_rate(model, dataset, held)
            row["per_dutch"] = phone_error_rate(model, dataset, real)
            row["inference_xrt"] = inference_xrt(model, dataset, held[:40])
            rows.append(row)
            print(json.dumps(row), file=sys.stderr, flush=True)
    keys = ("parameters", "steps", "per_synthetic", "per_dutch", "inference_xrt")
    table = {k: {key: statistics.median(r[key] for r in rows if r["kind"] == k) for key in keys} for k in KINDS}
    result = {"machine": machine(), "budget_cpu_s": options.budget, "medians": table, "rows": rows}
    options.out.write_text(json.dumps(result, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
