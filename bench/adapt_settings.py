"""How should `adapt` move? Plans tried on a real language that the base has never heard: Dutch, on a base without it.

The base is `recipes/base/synthetic.toml`, or without_dutch.toml; Czech, the language of the final figure, picks
nothing. Every plan adapts on the same K clips and augmented copies (one draw a seed) and is scored on the Dutch test
levels, greedily.

    python bench/adapt_settings.py --base work/synthetic --corpus work/fillets-nl --out bench/adapt_settings.json
    python bench/adapt_settings.py --base work/without-dutch --corpus work/fillets-nl --out bench/adapt_steps.json
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path

from cells import Cells

from earful.adapt.adapt import prepare, with_dropout
from earful.adapt.finetune import Plan, finetune
from earful.checkpoint import Checkpoint, load_checkpoint
from earful.data.manifest import read_manifest
from earful.model import AcousticModel
from kshot import draw, frames_by, rates

CHANGES: dict[str, dict[str, float]] = {
    "as chosen": {},
    "half the steps": {"steps": 0.5},
    "twice the steps": {"steps": 2.0},
    "four times the steps": {"steps": 4.0},
    "half the rate": {"rate": 0.5},
    "twice the rate": {"rate": 2.0},
    "head at the encoder's rate": {"head_factor": 0.25},
    "head at ten times": {"head_factor": 2.5},
    "no augmented copies": {"copies": 0},
    "half the batch": {"batch_s": 0.5},
    "a quarter of the batch": {"batch_s": 0.25},
    "a quarter of the batch, twice the steps": {"batch_s": 0.25, "steps": 2.0},
    "twice the steps and the rate": {"steps": 2.0, "rate": 2.0},
}


def changed(plan: Plan, change: dict[str, float]) -> Plan:
    """`plan` with some numbers multiplied."""
    values = {key: type(getattr(plan, key))(getattr(plan, key) * factor) for key, factor in change.items()}
    return replace(plan, folds=0, evaluations=1, **values)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--clips", type=int, nargs="+", default=[10, 50, 200])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--changes", nargs="+", default=list(CHANGES))
    options = parser.parse_args()
    base = load_checkpoint(options.base)
    train, test = (read_manifest(options.corpus / f"{part}.jsonl") for part in ("train", "test"))
    frames = frames_by(str(options.base), test)
    cells, last = Cells(options.out, base=options.base.name, test_clips=len(test)), None
    for seed, clips, name in cells.missing(seed=options.seeds, clips=options.clips, change=options.changes):
        if (seed, clips) != last:  # all changes share the frames, and start from the same rows
            last = (seed, clips)
            ready = prepare(base, draw(train, clips, seed), rules=None, plan=None, seed=seed, tell=lambda *_: None)
            start, alphabet = ready.start(range(len(ready.copies))), ready.config.alphabet
        plan, began = changed(ready.plan, CHANGES[name]), time.process_time()
        copies = [each[: 1 + plan.copies] for each in ready.copies]
        model = AcousticModel(with_dropout(ready.config, plan.dropout))
        tuned = finetune(model, start, copies, [], alphabet, plan, seed=seed)
        row = {"clips": clips, "seed": seed, "change": name, "batch_s": plan.batch_s}
        row |= {"cpu_s": round(time.process_time() - began, 1)}
        cells.add(row | rates(Checkpoint(ready.config, tuned.params), test, frames, greedy=True))


if __name__ == "__main__":
    main()
