"""Today's plan of `adapt` against the one that recipes/plan learned: whole adaptations, as a user makes them, in turn.

On draws of Dutch that had no part in learning it, and a base that has not heard Dutch. Scored on held-out levels by the
best path and, without `--greedy`, by the search with the language model, which has the transcripts and the word list.

    python bench/plans.py --base work/plan-base --corpus work/fillets-nl --seeds 20 21 22 --out bench/plans_dutch.json
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cells import Cells, arguments
from games import train_and_test
from torch import Tensor

from earful.adapt.adapt import adapt
from earful.adapt.finetune import Plan
from earful.adapt.select import plan_for
from earful.adapt.start import start_from
from earful.data.manifest import Manifest
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


def measured(
    base: str, clips: Manifest, test: Manifest, frames: Sequence[Tensor], name: str, seed: int, greedy: bool
) -> dict[str, Any]:
    """Times of one adaptation by the plan of that name, and its scores on the test clips."""
    start = start_from(base, [u.text or "" for u in clips], {"language": clips[0].language or ""}, seed)
    began, clock = time.process_time(), time.monotonic()
    plan = PLANS[name](len(clips), clips.duration_s or 0.0)
    model, _ = adapt(start, clips, plan=plan, greedy=greedy, seed=seed)
    found: dict[str, Any] = {"cpu_s": round(time.process_time() - began, 1)}
    found["seconds"] = round(time.monotonic() - clock, 1)
    heard = heard_by(model, test, frames)
    found["greedy"] = scored(model, test, heard, greedy=True)
    return found if greedy else found | {"searched": scored(model, test, heard, greedy=False)}


def main() -> None:
    parser = arguments(__doc__, clips=[5, 10, 50], test_clips=10**6)
    parser.add_argument("--greedy", action="store_true", help="the best path alone")
    options = parser.parse_args()
    train, test = train_and_test(options.corpus)
    test = test[: options.test_clips]
    frames = frames_by(options.base, test)
    cells = Cells(options.out, base=Path(options.base).name, corpus=options.corpus.name, test_clips=len(test))
    for seed, count in cells.missing(seed=options.seeds, clips=options.clips):
        clips, names = draw(train, count, seed), PLANS if seed % 2 else reversed(PLANS)
        found = {name: measured(options.base, clips, test, frames, name, seed, options.greedy) for name in names}
        cells.add({"clips": count, "seed": seed, "plans": found})


if __name__ == "__main__":
    main()
