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

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from cells import Cells, arguments
from games import train_and_test
from torch import Tensor

from earful.adapt.adapt import Reading, adapted, plan_from
from earful.adapt.remember import Memory
from earful.adapt.start import start_from
from earful.checkpoint import Checkpoint, load_checkpoint
from earful.data.frames import compute_clips
from earful.data.manifest import Manifest
from earful.text.normalize import TextRules
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


def main() -> None:
    parser = arguments(__doc__, clips=[5], seeds=[0, 1], test_clips=90)
    parser.add_argument("--starts", type=Path, nargs="+", required=True, help="folders that meta_base.py wrote")
    options = parser.parse_args()
    torch.set_num_threads(1)
    train, test = train_and_test(options.corpus)
    test = draw(test, options.test_clips, 0)
    cells = Cells(options.out, base=options.base, corpus=options.corpus.name, test_clips=len(test))
    cells.found["about"] = {str(each): json.loads((each / "facts.json").read_text("utf-8")) for each in options.starts}
    folders = (each for folder in options.starts for each in sorted(folder.iterdir()) if each.is_dir())
    starts = [options.base, *map(str, folders)]
    last, memory, heard = None, Memory(), list[Tensor]()
    for seed, clips, start in cells.missing(draw=options.seeds, clips=options.clips, start=starts):
        if (seed, clips) != last:  # the bed is of these clips, so all sound is heard anew
            last, memory, heard = (seed, clips), Memory(), []
        row = one(start, draw(train, clips, seed), test, heard, memory, seed)
        layers = of_layers(load_checkpoint(options.base), load_checkpoint(start), row.pop("end"))
        cells.add({"draw": seed, "clips": clips, "start": start, **row, "moved": layers})


if __name__ == "__main__":
    main()
