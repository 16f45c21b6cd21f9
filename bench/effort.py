"""What each step of `earful adapt --effort best` brings: by its own measure, and on test clips that nothing has met.

K clips (one draw a seed) are adapted to; the recordings without transcripts are training clips that were not drawn,
their texts unread. After each step the best so far writes the held-out levels down, greedily and with its language
model. Seconds are those of the step, without this scoring. Rows of an earlier run are kept.

    python bench/effort.py --base work/without-dutch --corpus work/fillets-nl --clips 10 50 --out work/effort_dutch.json
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from kshot import draw, frames_by, heard_by, scored
from torch import Tensor

from earful.adapt.adapt import Reading
from earful.adapt.best import best
from earful.adapt.brought import Brought
from earful.adapt.effort import job_for
from earful.adapt.steps import Standing
from earful.bench.machine import machine
from earful.checkpoint import Checkpoint, load_checkpoint
from earful.config import to_mapping
from earful.data.corpora.fillets import split_levels
from earful.data.manifest import Manifest, read_manifest
from earful.data.synthesis.sentences import read_sentences
from earful.text.normalize import TextRules

RECORDINGS = 400


def on_test(found: Checkpoint, test: Manifest, frames: list[Tensor]) -> dict[str, Any]:
    """Rates of one recogniser on the test clips."""
    heard = heard_by(found, test, frames)
    greedy, search = (scored(found, test, heard, greedy=each) for each in (True, False))
    return {"test": greedy, "test_ngram": search}


def climbed(
    options: argparse.Namespace,
    base: Checkpoint,
    train: Manifest,
    count: int,
    seed: int,
    test_of: Callable[[Checkpoint], dict[str, Any]],
    keep: Callable[[dict[str, Any]], None],
) -> None:
    """One climb; `keep` is given a row after each step."""
    clips, last = draw(train, count, seed), dict[str, Any]()
    known = {u.id for u in clips}
    rest = draw(train.filter(lambda u: u.id not in known), options.recordings, seed)
    blank = Manifest(tuple(replace(u, text=None) for u in rest))
    texts = read_sentences(options.text) if options.text else ()

    def watch(brought: Brought, at: Standing) -> None:
        nonlocal last
        last = test_of(at.found.checkpoint) if brought.kept else last
        keep({"clips": count, "seed": seed} | dict(to_mapping(brought)) | last)

    def note(planned: Any) -> None:
        for step in planned:
            print(json.dumps(to_mapping(step)), file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory() as name:
        job = job_for(base, clips, Reading(texts), None, blank, Path(name), options.speak, seed=seed)
        best(job, minutes=options.minutes, tell=lambda *_: None, announce=note, watch=watch)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--base", default="earful-base")
    parser.add_argument("--text", type=Path, help="free text of the language, which is said and read")
    parser.add_argument("--clips", type=int, nargs="+", default=[10, 50])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--speak", type=int, default=400, help="sentences that are said")
    parser.add_argument("--recordings", type=int, default=RECORDINGS, help="clips without transcripts")
    parser.add_argument("--minutes", type=float, help="of each climb, the scoring of test clips counted in")
    parser.add_argument("--test", type=int, help="so many test clips at random, not all")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    train, test = split_levels(read_manifest(options.corpus / "manifest.jsonl"))
    test = draw(test, options.test, 0) if options.test else test
    base = load_checkpoint(options.base)
    base = replace(base, config=replace(base.config, rules=TextRules(language=train[0].language or "")))
    frames = frames_by(base, test)
    rows: list[dict[str, Any]] = json.loads(options.out.read_text("utf-8"))["rows"] if options.out.exists() else []

    def keep(row: dict[str, Any]) -> None:
        rows.append(row)
        print(json.dumps(row), file=sys.stderr, flush=True)
        about = {"machine": machine(), "base": Path(options.base).name, "test_clips": len(test)}
        options.out.write_text(json.dumps(about | {"rows": rows}, indent=1) + "\n", "utf-8")

    for seed in options.seeds:
        for count in options.clips:
            if not any((row["clips"], row["seed"]) == (count, seed) for row in rows):
                climbed(options, base, train, count, seed, lambda found: on_test(found, test, frames), keep)


if __name__ == "__main__":
    main()
