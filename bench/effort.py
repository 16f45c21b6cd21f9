"""What each step of `earful adapt --effort best` brings on test clips that nothing has met, one on top of the other.

K clips (one draw a seed) are adapted to; the recordings without transcripts are training clips that were not drawn,
their texts unread. Every step is kept here, whatever it brings, and nothing is held out: what the dial's own measure
says of a step is not asked, which saves it three trainings of four. After each step the recogniser writes the
test clips down, greedily and with its language model. Seconds are those of the step. Rows of an earlier run are kept.

    python bench/effort.py --base work/without-dutch --corpus work/fillets-nl --clips 10 --out bench/effort_dutch.json
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any

from games import train_and_test
from torch import Tensor

from earful.adapt.adapt import ADAPTATION, Reading, completed, prepare
from earful.adapt.effort import job_for
from earful.adapt.pace import pace_of
from earful.adapt.steps import SEARCH, USUAL, Standing, steps_for
from earful.checkpoint import Checkpoint, load_checkpoint
from earful.data.manifest import Manifest
from earful.data.synthesis.sentences import read_sentences
from earful.kshot.machine import machine
from earful.text.normalize import TextRules
from kshot import draw, frames_by, heard_by, scored

RECORDINGS = 400


def on_test(found: Checkpoint, test: Manifest, frames: list[Tensor]) -> dict[str, Any]:
    """Rates of one recogniser on the test clips."""
    heard = heard_by(found, test, frames)
    greedy, search = (scored(found, test, heard, greedy=each) for each in (True, False))
    return {"test": greedy, "test_ngram": search}


def climbed(
    options: argparse.Namespace, base: Checkpoint, train: Manifest, count: int, seed: int
) -> Iterator[tuple[str, Checkpoint, float]]:
    """Each step of one climb: its name, the recogniser after it, and the seconds that it took."""
    clips = draw(train, count, seed)
    known = {u.id for u in clips}
    rest = draw(train.filter(lambda u: u.id not in known), options.recordings, seed)
    blank = Manifest(tuple(replace(u, text=None) for u in rest))
    texts = read_sentences(options.text) if options.text else ()
    with tempfile.TemporaryDirectory() as name:
        job = job_for(base, clips, Reading(texts), None, blank, Path(name), options.speak, seed=seed)
        job = replace(job, plan=replace(job.plan, folds=0))
        options_of = {"rules": None, "plan": job.plan, "texts": texts, "keep_sound": True, "seed": seed, "tell": quiet}
        ready = prepare(base, clips, **options_of, hearing=job.memory)
        steps = steps_for(job, ready, pace_of(ready, job.memory.pace, seed), quiet)
        began = monotonic()
        found = completed(base, ready, job.reading, ADAPTATION, (), seed, None, quiet, began)
        at = Standing(found, job.plan)
        yield USUAL, at.found.checkpoint, monotonic() - began
        for step in steps:
            if step.planned.left_out or step.planned.name == SEARCH:
                continue
            began = monotonic()
            at = step.make(at) or at
            yield step.planned.name, at.found.checkpoint, monotonic() - began


def quiet(stage: str, done: int, total: int) -> None:
    """No word on the way."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--base", default="earful-base")
    parser.add_argument("--text", type=Path, help="free text of the language, which is said and read")
    parser.add_argument("--clips", type=int, nargs="+", default=[10, 50])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--speak", type=int, default=400, help="sentences that are said")
    parser.add_argument("--recordings", type=int, default=RECORDINGS, help="clips without transcripts")
    parser.add_argument("--test", type=int, help="so many test clips at random, not all")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    train, test = train_and_test(options.corpus)
    test = draw(test, options.test, 0) if options.test else test
    base = load_checkpoint(options.base)
    base = replace(base, config=replace(base.config, rules=TextRules(language=train[0].language or "")))
    frames = frames_by(base, test)
    rows: list[dict[str, Any]] = json.loads(options.out.read_text("utf-8"))["rows"] if options.out.exists() else []

    def keep(made: Sequence[dict[str, Any]]) -> None:
        rows.extend(made)
        about = {"machine": machine(), "base": Path(options.base).name, "test_clips": len(test)}
        about |= {"speak": options.speak, "recordings": options.recordings}
        options.out.write_text(json.dumps(about | {"rows": rows}, indent=1) + "\n", "utf-8")

    for seed in options.seeds:
        for count in options.clips:
            if not any((row["clips"], row["seed"]) == (count, seed) for row in rows):
                made = []
                for name, found, seconds in climbed(options, base, train, count, seed):
                    row = {"clips": count, "seed": seed, "name": name, "seconds": round(seconds, 1)}
                    made.append(row | on_test(found, test, frames))
                    print(json.dumps(made[-1]), file=sys.stderr, flush=True)
                keep(made)


if __name__ == "__main__":
    main()
