"""Adapt as a user does, and keep what a search reads: log-probabilities of the test clips, and of clips held out.

Searches can then be compared in seconds on the very same lattices (bench/search.py), and a new one needs no adaptation.
A folder for each run, SEED-K: the model, test.npz, held.npz, and row.json with what `earful adapt` measured. What is
there already is not done again.

    python bench/lattices.py --corpus work/fillets-nl --base work/without-dutch --clips 10 50 200 --out work/lattices-nl
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from kshot import draw, heard_by
from torch import Tensor

from earful.adapt import language
from earful.adapt.adapt import adapt, plan_from
from earful.adapt.start import start_from
from earful.bench.machine import machine
from earful.checkpoint import Checkpoint, save_checkpoint
from earful.ctc.beam import Recording
from earful.data.corpora.fillets import split_levels
from earful.data.manifest import Manifest, read_manifest
from earful.data.synthesis.sentences import read_sentences
from earful.recognizer import Recognizer
from earful.text.normalize import normalize

MOST = 1.0e4


def keep(path: Path, lattices: Sequence[Tensor], texts: Sequence[str], **more: object) -> None:
    """All log-probabilities as one array of float16 `[F, V]`, and how many frames are whose."""
    joined = torch.cat(list(lattices)).clamp(min=-MOST).half().numpy()
    counts = np.array([len(each) for each in lattices])
    np.savez_compressed(path, logp_FV=joined, counts_N=counts, texts=np.array(texts), **more)


def lattices_of(checkpoint: Checkpoint, frames: Sequence[Tensor]) -> list[Tensor]:
    """What the search of `Recognizer` reads of each clip."""
    recognizer, kept = Recognizer(checkpoint), []
    recognizer._language = checkpoint.language or language.Language(language.learn(["a"], checkpoint.config.alphabet), 0, 0)
    recognizer._emissions = lambda parts: kept.append(torch.cat([part for (part,) in parts])) or ()
    list(recognizer.transcribe_many(frames))
    return kept


def one(base: str, clips: Manifest, test: Manifest, texts: Sequence[str], seed: int, steps: float, folder: Path) -> dict:
    held: list[Recording] = []
    tune = language.tune

    def keeping(recordings: Sequence[Recording], *more: object, **named: object) -> object:
        held.extend(recordings)
        return tune(recordings, *more, **named)

    language.tune = keeping
    rules = {"language": language_of} if (language_of := clips[0].language) else {}
    start = start_from(base, (u.text or "" for u in clips), rules, seed)
    plan = plan_from(start, len(clips), clips.duration_s)
    if steps != 1:
        plan = replace(plan, steps=round(plan.steps * steps), rate=plan.rate * min(steps, 2))
    began = time.monotonic()
    checkpoint, report = adapt(start, clips, plan=plan, texts=texts, seed=seed)
    seconds = time.monotonic() - began
    language.tune = tune
    folder.mkdir(parents=True, exist_ok=True)
    save_checkpoint(folder / "model", checkpoint, replace=True)
    rules = checkpoint.config.rules
    keep(folder / "test.npz", lattices_of(checkpoint, heard_by(checkpoint, test, ())), [normalize(u.text or "", rules) for u in test])
    keep(folder / "held.npz", [each.logp_FV for each in held], [each.text for each in held])
    spoken = [normalize(u.text or "", rules) for u in clips]
    row = {"base": base, "seed": seed, "clips": len(clips), "speech_s": clips.duration_s, "texts": spoken, "steps": plan.steps, "rate": plan.rate, "seconds": seconds}
    return row | {"before": report.cer_before, "after": report.cer_after, "with_language": report.cer_with_language, "machine": machine()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", type=Path, required=True, help="folder that `earful corpus fillets-ng` wrote")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--base", default="earful-base")
    parser.add_argument("--clips", type=int, nargs="+", default=[10, 50, 200])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--text", type=Path, help="free text of the language")
    parser.add_argument("--steps", type=float, default=1, help="so many times the steps (and the rate, up to twice)")
    options = parser.parse_args()
    train, test = split_levels(read_manifest(options.corpus / "manifest.jsonl"))
    texts = read_sentences(options.text) if options.text else ()
    for clips in options.clips:
        for seed in options.seeds:
            folder = options.out / f"{seed}-{clips}"
            if (folder / "row.json").exists():
                continue
            row = one(options.base, draw(train, clips, seed), test, texts, seed, options.steps, folder)
            print(json.dumps({key: value for key, value in row.items() if key not in ("texts", "machine")}), file=sys.stderr, flush=True)
            (folder / "row.json").write_text(json.dumps(row, indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main()
