"""Starts that were meta-trained from one base, each adapted by all that `earful adapt` does: is one worth shipping?

The starts are those of bench/meta_base.py, of several seeds. All meet the same few clips of real Dutch, which neither
the base nor a learner has met: own steps first where there are some, then the usual ones, letters by the rules of the
language, a language model of transcripts and word list. Nothing is held out, and all starts share what the frozen
encoder hears. Scored on held-out levels by the search. An interrupted run goes on.

    python bench/meta_base.py --start work/plan-base --recipe recipes/plan/base.toml --seed 0 --budget-s 100 \\
        --work work/meta-plan-0 --learners multitask fomaml reptile maml meta-sgd --by language speaker --alone \\
        --also work/klettres/manifest.jsonl work/ktuberling/manifest.jsonl
    python bench/meta_starts.py --base work/plan-base --starts work/meta-plan-* --corpus work/fillets-nl \\
        --out bench/meta_starts.json
"""

import argparse
import itertools
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from games import train_and_test
from torch import Tensor

from earful.adapt.adapt import Reading, adapted, plan_from
from earful.adapt.remember import Memory
from earful.adapt.start import start_from
from earful.checkpoint import Checkpoint, load_checkpoint
from earful.data.frames import compute_clips
from earful.data.manifest import Manifest
from earful.kshot.machine import machine
from earful.text.normalize import TextRules
from earful.writing import replacing
from kshot import draw, scored


def of_layers(base: Checkpoint, start: Checkpoint, end: Checkpoint) -> dict[str, list[float]]:
    """How far meta-training moved each layer, and how far adaptation then did, as shares of the layer's size."""
    found: dict[str, list[list[float]]] = {}
    for name, value in base.params.items():
        if name not in end.params or end.params[name].shape != value.shape or torch.equal(end.params[name], value):
            continue
        layer = ".".join(name.split(".")[:3]) if name.startswith("encoder.layers") else name.split(".")[0]
        one, two = (value, start.params[name]), (start.params[name], end.params[name])
        moved = [float((a.float() - b.float()).square().sum()) for a, b in (one, two)]
        found.setdefault(layer, []).append([*moved, float(value.float().square().sum())])
    sums = {layer: [sum(column) for column in zip(*rows, strict=True)] for layer, rows in found.items()}
    return {layer: [round((m / size) ** 0.5, 4) for m in moved] for layer, (*moved, size) in sums.items()}


def one(name: str, clips: Manifest, test: Manifest, heard: list[Tensor], memory: Memory, seed: int) -> dict[str, Any]:
    """One adaptation from a start, and what it makes of the test clips; these are heard by the first that comes."""
    began = time.process_time()
    texts = [u.text or "" for u in clips]
    start = start_from(name, texts, {"language": clips[0].language or ""}, seed)
    plan = plan_from(start, len(clips), clips.duration_s or 0.0)
    rules = TextRules(language=clips[0].language or "")
    done = adapted(start, clips, Reading(), rules=rules, plan=replace(plan, folds=0), seed=seed, hearing=memory)
    row: dict[str, Any] = {"cpu_s": round(time.process_time() - began, 1)}
    if not heard:
        heard += [clip.frames_FM for clip in compute_clips(test, memory(done.checkpoint.build().frames_of))]
    row |= {"greedy": scored(done.checkpoint, test, heard, greedy=True)}
    row |= {"searched": scored(done.checkpoint, test, heard, greedy=False)}
    return row | {"end": done.checkpoint}


def runs(options: argparse.Namespace, done: Sequence[dict[str, Any]]) -> Any:
    """Draw, K and start of every run that is still to be made."""
    starts = [
        options.base,
        *(str(each) for folder in options.starts for each in sorted(folder.iterdir()) if each.is_dir()),
    ]
    made = {(row["draw"], row["clips"], row["start"]) for row in done}
    return (run for run in itertools.product(options.draws, options.clips, starts) if run not in made)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", required=True)
    parser.add_argument("--starts", type=Path, nargs="+", required=True, help="folders that meta_base.py wrote")
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--clips", type=int, nargs="+", default=[5])
    parser.add_argument("--draws", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--test-clips", type=int, default=90)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    train, test = train_and_test(options.corpus)
    test = draw(test, options.test_clips, 0)
    found: dict[str, Any] = json.loads(options.out.read_text("utf-8")) if options.out.exists() else {"rows": []}
    found |= {"machine": machine(), "base": options.base, "corpus": options.corpus.name, "test_clips": len(test)}
    found["about"] = {str(folder): json.loads((folder / "facts.json").read_text("utf-8")) for folder in options.starts}
    last, memory, heard = None, Memory(), list[Tensor]()
    for number, clips, start in runs(options, found["rows"]):
        if (number, clips) != last:  # the bed is of these clips, so all sound is heard anew
            last, memory, heard = (number, clips), Memory(), []
        row = one(start, draw(train, clips, number), test, heard, memory, number)
        layers = of_layers(load_checkpoint(options.base), load_checkpoint(start), row.pop("end"))
        found["rows"].append({"draw": number, "clips": clips, "start": start, **row, "moved": layers})
        print(json.dumps(found["rows"][-1]), file=sys.stderr, flush=True)
        with replacing(options.out) as beside:
            beside.write_text(json.dumps(found, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
