"""Clips that are learned from at another pace each time, against augmented copies of them, which must be heard.

Whole adaptations, as a user makes them, in turn, of Dutch that had no part in choosing; a base that has not heard
Dutch. Scored by the best path on held-out levels, as they are, and amid noise, in rooms and over lines: is a recogniser
that has heard no copies less sure there?

    python bench/plan_copies.py --base work/plan-base --corpus work/fillets-nl --seeds 20 21 22 \\
        --out bench/plan_copies.json
"""

import argparse
import itertools
import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from games import train_and_test

from earful.adapt.adapt import adapt
from earful.adapt.finetune import Plan
from earful.adapt.select import plan_for
from earful.adapt.start import start_from
from earful.audio.augment import Augmentation
from earful.data.frames import compute_clips
from earful.kshot.machine import machine
from earful.writing import replacing
from kshot import draw, scored

FEW, MANY = 30, 120
NOISY = Augmentation(speed_probability=0, noise_probability=1, snr_db=(5.0, 15.0))


def heard_before(clips: int, seconds: float) -> Plan:
    """The plan with copies: that of before."""
    plan = replace(plan_for(clips, seconds), copies=8 if clips < FEW else 4, stretch=0.0)
    return plan if clips < MANY else replace(plan, copies=2, batch_s=60.0)


PLANS = {"copies": heard_before, "pace": plan_for}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", required=True)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--clips", type=int, nargs="+", default=[5, 10, 50])
    parser.add_argument("--seeds", type=int, nargs="+", required=True)
    parser.add_argument("--test-clips", type=int, default=90)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    train, test = train_and_test(options.corpus)
    test = draw(test, options.test_clips, 0)
    found: dict[str, Any] = json.loads(options.out.read_text("utf-8")) if options.out.exists() else {"rows": []}
    found |= {"machine": machine(), "base": Path(options.base).name, "corpus": options.corpus.name}
    found |= {"test_clips": len(test)}
    done = {(row["clips"], row["seed"]) for row in found["rows"]}
    for seed, count in itertools.product(options.seeds, options.clips):
        if (count, seed) in done:
            continue
        clips = draw(train, count, seed)
        row: dict[str, Any] = {"clips": count, "seed": seed, "plans": {}}
        start = start_from(options.base, [u.text or "" for u in clips], {"language": clips[0].language or ""}, seed)
        for name in PLANS if seed % 2 else reversed(PLANS):
            began = time.process_time()
            plan = PLANS[name](count, clips.duration_s or 0.0)
            model, _ = adapt(start, clips, plan=plan, greedy=True, seed=seed)
            row["plans"][name] = {"cpu_s": round(time.process_time() - began, 1)}
            hears = model.build().frames_of
            for where, augmentation in (("clean", None), ("noisy", NOISY)):
                heard = [c.frames_FM for c in compute_clips(list(test), hears, augmentation=augmentation, seed=7)]
                row["plans"][name][where] = scored(model, test, heard, greedy=True)["cer"]
        found["rows"].append(row)
        print(json.dumps(row), file=sys.stderr, flush=True)
        with replacing(options.out) as beside:
            beside.write_text(json.dumps(found, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
