"""Clips that are learned from at another pace each time, against augmented copies of them, which must be heard.

Whole adaptations, as a user makes them, in turn, of Dutch that had no part in choosing; a base that has not heard
Dutch. Scored by the best path on held-out levels, as they are, and amid noise, in rooms and over lines: is a recogniser
that has heard no copies less sure there?

    python bench/plan_copies.py --base work/plan-base --corpus work/fillets-nl --seeds 20 21 22 \\
        --out bench/plan_copies.json
"""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from cells import Cells, arguments
from games import train_and_test

from earful.adapt.adapt import adapt
from earful.adapt.finetune import Plan
from earful.adapt.select import plan_for
from earful.adapt.start import start_from
from earful.audio.augment import Augmentation
from earful.data.frames import compute_clips
from earful.data.manifest import Manifest
from kshot import draw, scored

FEW, MANY = 30, 120
NOISY = Augmentation(speed_probability=0, noise_probability=1, snr_db=(5.0, 15.0))


def heard_before(clips: int, seconds: float) -> Plan:
    """The plan with copies: that of before."""
    plan = replace(plan_for(clips, seconds), copies=8 if clips < FEW else 4, stretch=0.0)
    return plan if clips < MANY else replace(plan, copies=2, batch_s=60.0)


PLANS = {"copies": heard_before, "pace": plan_for}


def measured(base: str, clips: Manifest, test: Manifest, name: str, seed: int) -> dict[str, Any]:
    """Processor seconds of one adaptation by the plan of that name, and CER on the test clips, clean and noisy."""
    start = start_from(base, [u.text or "" for u in clips], {"language": clips[0].language or ""}, seed)
    began = time.process_time()
    plan = PLANS[name](len(clips), clips.duration_s or 0.0)
    model, _ = adapt(start, clips, plan=plan, greedy=True, seed=seed)
    found: dict[str, Any] = {"cpu_s": round(time.process_time() - began, 1)}
    hears = model.build().frames_of
    for where, augmentation in (("clean", None), ("noisy", NOISY)):
        heard = [c.frames_FM for c in compute_clips(list(test), hears, augmentation=augmentation, seed=7)]
        found[where] = scored(model, test, heard, greedy=True)["cer"]
    return found


def main() -> None:
    options = arguments(__doc__, clips=[5, 10, 50], test_clips=90).parse_args()
    torch.set_num_threads(1)
    train, test = train_and_test(options.corpus)
    test = draw(test, options.test_clips, 0)
    cells = Cells(options.out, base=Path(options.base).name, corpus=options.corpus.name, test_clips=len(test))
    for seed, count in cells.missing(seed=options.seeds, clips=options.clips):
        clips, names = draw(train, count, seed), PLANS if seed % 2 else reversed(PLANS)
        found = {name: measured(options.base, clips, test, name, seed) for name in names}
        cells.add({"clips": count, "seed": seed, "plans": found})


if __name__ == "__main__":
    main()
