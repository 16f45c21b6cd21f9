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
from itertools import islice
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import numpy as np
import torch
from games import train_and_test
from torch import Tensor

from earful.adapt import language
from earful.adapt.adapt import adapt, plan_from
from earful.adapt.language import MOST_TUNED
from earful.adapt.select import plan_for, split_folds
from earful.adapt.start import start_from
from earful.checkpoint import Checkpoint, Language, load_checkpoint, save_checkpoint
from earful.ctc.fusion import USUAL, Recording, tune
from earful.data.manifest import Manifest, read_manifest
from earful.data.synthesis.sentences import read_sentences
from earful.kshot.machine import machine
from earful.recognizer import Recognizer
from earful.text.normalize import normalize
from kshot import draw, frames_by

MOST = 1.0e4


class Kept(NamedTuple):
    """A run as it was kept: the model, its test clips and their texts, and its clips that were held out."""

    checkpoint: Checkpoint
    row: dict
    test: list[Tensor]
    references: list[str]
    held: list[Tensor]
    measured: list[str]


def keep(path: Path, lattices: Sequence[Tensor], texts: Sequence[str]) -> None:
    """All log-probabilities as one array of float16 `[F, V]`, and how many frames are whose."""
    joined = torch.cat(list(lattices) or [torch.zeros(0, 1)]).clamp(min=-MOST).half().numpy()
    np.savez_compressed(path, logp_FV=joined, counts_N=[len(each) for each in lattices], texts=np.array(texts))


def read(folder: Path) -> Kept:
    """What was kept of a run."""
    arrays = {name: np.load(folder / f"{name}.npz") for name in ("test", "held")}
    test, held = (list(torch.from_numpy(each["logp_FV"]).split(each["counts_N"].tolist())) for each in arrays.values())
    row = json.loads((folder / "row.json").read_text("utf-8"))
    references, measured = ([str(text) for text in each["texts"]] for each in arrays.values())
    return Kept(load_checkpoint(folder / "model"), row, test, references, held, measured)


def relearned(kept: Kept, texts: Sequence[str]) -> tuple[Language, Language]:
    """The language model of a run, learned anew with today's code and tuned on the run's own held-out clips: as it is,
    and of letters alone."""
    config, spoken = kept.checkpoint.config, kept.row["texts"]
    rules, alphabet, left, recordings = config.rules, config.alphabet, iter(kept.held), []
    others, listing = [[normalize(text, rules) for text in texts]], language.listed(rules.language, rules)
    sources = language.sources_of(alphabet, others, None, listing)
    random = torch.Generator().manual_seed(kept.row["seed"])
    for learn, held in split_folds(range(len(spoken)), plan_for(len(spoken), kept.row["speech_s"]), random):
        heard, measured = list(islice(left, len(held[:MOST_TUNED]))), [spoken[i] for i in held[:MOST_TUNED]]
        recordings += language.recordings_of(heard, measured, [spoken[i] for i in learn], sources, alphabet)
    if not recordings:
        learned = language._language(spoken, sources, alphabet, *USUAL)
        return learned, replace(learned, words=None)
    of_letters = [each._replace(words=None) for each in recordings]
    words, letters = (language.weighed(spoken, sources, each).language for each in (recordings, of_letters))
    return words, replace(letters, words=None)


def lattices_of(checkpoint: Checkpoint, test: Manifest) -> list[Tensor]:
    """What the search of `Recognizer` reads of each test clip."""
    recognizer, kept = Recognizer(checkpoint, guesses=2), []
    recognizer._decoded = lambda whole, heard_F: kept.append(whole[0].clone()) or [()]
    list(recognizer.transcribe_many(frames_by(checkpoint, test)))
    return kept


def one(
    base: str, clips: Manifest, test: Manifest, texts: Sequence[str], seed: int, steps: float, folder: Path
) -> dict:
    """Adapt, and keep the run."""
    held: list[Recording] = []
    with mock.patch.object(language, "tune", lambda recordings: held.extend(recordings) or tune(recordings)):
        rules = {"language": clips[0].language} if clips[0].language else {}
        start = start_from(base, (u.text or "" for u in clips), rules, seed)
        plan = plan_from(start, len(clips), clips.duration_s)
        if steps != 1:
            plan = replace(plan, steps=round(plan.steps * steps), rate=plan.rate * min(steps, 2))
        began = time.monotonic()
        checkpoint, report = adapt(start, clips, plan=plan, texts=texts, seed=seed)
        seconds = time.monotonic() - began
    folder.mkdir(parents=True, exist_ok=True)
    save_checkpoint(folder / "model", checkpoint, replace=True)
    rules = checkpoint.config.rules
    keep(folder / "test.npz", lattices_of(checkpoint, test), [normalize(u.text or "", rules) for u in test])
    keep(folder / "held.npz", [each.logp_FV for each in held], [each.text for each in held])
    spoken = [normalize(u.text or "", rules) for u in clips]
    row = {"base": base, "seed": seed, "clips": len(clips), "speech_s": clips.duration_s, "texts": spoken}
    row |= {"steps": plan.steps, "rate": plan.rate, "seconds": seconds, "machine": machine()}
    return row | {
        "before": report.cer_before, "after": report.cer_after, "with_language": report.cer_with_language
    }  # fmt: skip


def at_random(manifest: Manifest, count: int) -> tuple[Manifest, Manifest]:
    """Clips to learn from, and `count` to test, none of which says what one of the others does."""
    test = draw(manifest, count, 0)
    said = {u.text for u in test}
    return manifest.filter(lambda u: u.text not in said), test


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", type=Path, required=True, help="a folder that `earful corpus` wrote")
    parser.add_argument("--test", type=int, help="so many clips at random test; without it whole levels of a game do")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--base", default="earful-base")
    parser.add_argument("--clips", type=int, nargs="+", default=[10, 50, 200])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--text", type=Path, help="free text of the language")
    parser.add_argument("--steps", type=float, default=1, help="so many times the steps (and the rate, up to twice)")
    options = parser.parse_args()
    if options.test is None:
        train, test = train_and_test(options.corpus)
    else:
        train, test = at_random(read_manifest(options.corpus / "manifest.jsonl"), options.test)
    texts = read_sentences(options.text) if options.text else ()
    for clips in options.clips:
        for seed in options.seeds:
            folder = options.out / f"{seed}-{clips}"
            if (folder / "row.json").exists():
                continue
            row = one(options.base, draw(train, clips, seed), test, texts, seed, options.steps, folder)
            shown = {key: value for key, value in row.items() if key not in ("texts", "machine")}
            print(json.dumps(shown), file=sys.stderr, flush=True)
            (folder / "row.json").write_text(json.dumps(row, indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main()
