"""Today's plan of `adapt` against the one that recipes/plan learned: whole adaptations, as a user makes them, in turn.

On draws of Dutch that had no part in learning it, and a base that has not heard Dutch. Scored on held-out levels by the
best path and, without `--greedy`, by the search with the language model, which has the transcripts and the word list.

    python bench/plans.py --base work/plan-base --corpus work/fillets-nl --seeds 20 21 22 --out bench/plans_dutch.json
"""

import argparse
import itertools
import json
import sys
import time
from pathlib import Path

from games import train_and_test

from earful.adapt.adapt import adapt
from earful.adapt.finetune import Plan
from earful.adapt.select import plan_for
from earful.adapt.start import start_from
from earful.kshot.machine import machine
from earful.writing import replacing
from kshot import draw, frames_by, heard_by, scored

FEW, LEAST = 30, 4


def before(clips: int, seconds: float) -> Plan:
    """The plan that was shipped until the learned one."""
    if clips < LEAST:
        return Plan(steps=80, rate=2e-4, batch_s=30.0, copies=8, folds=0)
    if clips < FEW:
        return Plan(steps=80, batch_s=30.0, copies=8, folds=3)
    return Plan(steps=120, batch_s=30.0, copies=4, again=True)


PLANS = {"before": before, "learned": plan_for}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", required=True)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--clips", type=int, nargs="+", default=[5, 10, 50])
    parser.add_argument("--seeds", type=int, nargs="+", required=True)
    parser.add_argument("--test-clips", type=int, default=10**6)
    parser.add_argument("--greedy", action="store_true", help="the best path alone")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    train, test = train_and_test(options.corpus)
    test = test[: options.test_clips]
    found = json.loads(options.out.read_text("utf-8")) if options.out.exists() else {"rows": []}
    found |= {"machine": machine(), "base": Path(options.base).name, "corpus": options.corpus.name}
    found |= {"test_clips": len(test)}
    done = {(row["clips"], row["seed"]) for row in found["rows"]}
    frames = frames_by(options.base, test)
    for seed, count in itertools.product(options.seeds, options.clips):
        if (count, seed) in done:
            continue
        clips = draw(train, count, seed)
        row = {"clips": count, "seed": seed, "plans": {}}
        start = start_from(options.base, [u.text or "" for u in clips], {"language": clips[0].language or ""}, seed)
        for name in PLANS if seed % 2 else reversed(PLANS):
            began, clock = time.process_time(), time.monotonic()
            plan = PLANS[name](count, clips.duration_s or 0.0)
            model, _ = adapt(start, clips, plan=plan, greedy=options.greedy, seed=seed)
            row["plans"][name] = {"cpu_s": round(time.process_time() - began, 1)}
            row["plans"][name] |= {"seconds": round(time.monotonic() - clock, 1)}
            heard = heard_by(model, test, frames)
            row["plans"][name] |= {"greedy": scored(model, test, heard, greedy=True)}
            if not options.greedy:
                row["plans"][name] |= {"searched": scored(model, test, heard, greedy=False)}
        found["rows"].append(row)
        print(json.dumps(row), file=sys.stderr, flush=True)
        with replacing(options.out) as beside:
            beside.write_text(json.dumps(found, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
