"""How should `adapt` move? Plans tried on a real language that the base has never heard: Dutch, on a base without it.

The base is `recipes/base/synthetic.toml`; Czech, the language of the final figure, picks nothing. Every plan adapts
on the same K clips (one draw a seed) and is scored on the Dutch test levels, greedily.

    python bench/adapt_settings.py --base work/synthetic --corpus work/fillets-nl --out bench/adapt_settings.json
"""

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

from kshot import draw
from machine import machine

from earful.adapt.adapt import adapt
from earful.adapt.select import plan_for
from earful.checkpoint import load_checkpoint
from earful.data.manifest import read_manifest
from earful.evaluate import evaluate
from earful.recognizer import Recognizer

CHANGES: dict[str, dict[str, object]] = {
    "as chosen": {},
    "half the steps": {"steps": 0.5},
    "twice the steps": {"steps": 2.0},
    "half the rate": {"rate": 0.5},
    "twice the rate": {"rate": 2.0},
    "head at the encoder's rate": {"head_factor": 0.25},
    "head at ten times": {"head_factor": 2.5},
    "no augmented copies": {"copies": 0},
    "half the batch": {"batch_s": 0.5},
}


def changed(plan: object, change: dict[str, object]) -> object:
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
    rows = []
    for seed in options.seeds:
        for clips in options.clips:
            support = draw(train, clips, seed)
            for name in options.changes:
                plan = changed(plan_for(len(support), support.duration_s), CHANGES[name])
                checkpoint, report = adapt(base, support, plan=plan, seed=seed)
                score = evaluate(Recognizer(checkpoint), test).score
                row = {"clips": clips, "seed": seed, "change": name, "cer": score.cer, "wer": score.wer}
                rows.append(row | {"elapsed_s": round(report.elapsed_s, 1)})
                print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
                result = {"machine": machine(), "base": options.base.name, "test_clips": len(test), "rows": rows}
                options.out.write_text(json.dumps(result, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
