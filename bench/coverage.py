"""How often a printed 95 % interval holds the rate on all other clips: of scores, and of adaptations.

`scores`: the errors of one recogniser on many clips (kept by bench/lattices.py); of so many of these, drawn at random,
the interval is compared with the rate of all the others. Beside it the percentiles of a bootstrap, as before.
`adaptations`: earful adapts to so many clips of a corpus, drawn anew each time, and prints rates and intervals; the
truth is the rate of the recogniser on clips of the corpus that share no sentence with them.

    python bench/coverage.py --lattices work/lattices-nl/* work/lattices-de/* --out bench/coverage.json
    python bench/coverage.py --corpus work/fillets-nl --base work/without-dutch --draws 8 --out bench/coverage.json
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lattices import read

from earful.adapt.adapt import adapt
from earful.adapt.effort import quick_from
from earful.adapt.start import start_from
from earful.ctc.greedy import greedy_ids
from earful.data.manifest import Manifest, read_manifest
from earful.kshot.machine import machine
from earful.text.interval import Interval, interval_of
from earful.text.score import errors_of_each
from kshot import draw, frames_by, heard_by, scored

SIZES, DRAWS, LEAST_OTHERS = (3, 4, 5, 10, 20, 30, 50), 1000, 100
OTHERS = 150
"""Clips that tell the truth of an adaptation."""


def percentiles(errors: np.ndarray, lengths: np.ndarray, random: np.random.Generator) -> Interval:
    """The percentile bootstrap over clips (Bisani & Ney 2004)."""
    drawn = random.integers(0, len(errors), (400, len(errors)))
    low, high = np.percentile(errors[drawn].sum(1) / lengths[drawn].sum(1), [2.5, 97.5])
    return float(low), float(high)


def errors_in(folder: Path) -> np.ndarray:
    """Wrong characters and length of each test clip of a run, by the best path."""
    run = read(folder)
    alphabet = run.checkpoint.config.alphabet
    texts = [alphabet.decode(greedy_ids(logp[None].float(), torch.tensor([len(logp)]))[0]) for logp in run.test]
    counts = [each.characters for each in errors_of_each(run.references, texts)]
    return np.array([[each.errors, each.length] for each in counts], dtype=np.float64)


def of_scores(folders: Sequence[Path]) -> list[dict[str, Any]]:
    """Coverage and median width by number of clips, over all runs with enough other clips."""
    runs = [errors_in(folder) for folder in folders]
    random, rows = np.random.default_rng(0), []
    for count in SIZES:
        held: dict[str, list[tuple[bool, float]]] = {"interval": [], "bootstrap": []}
        for run in runs:
            for _ in range(DRAWS // len(runs) if len(run) - count >= LEAST_OTHERS else 0):
                order = random.permutation(len(run))
                errors, lengths = run[order[:count]].T
                truth = float(run[order[count:], 0].sum() / run[order[count:], 1].sum())
                for name, (low, high) in (
                    ("interval", interval_of(errors, lengths)),
                    ("bootstrap", percentiles(errors, lengths, random)),
                ):
                    held[name].append((low <= truth <= high, high - low))
        row: dict[str, Any] = {"clips": count, "draws": len(held["interval"])}
        for name, found in held.items():
            inside, widths = zip(*found, strict=True)
            row |= {f"{name}_inside": float(np.mean(inside)), f"{name}_width": float(np.median(widths))}
        rows.append(row)
    return rows


def of_adaptations(
    options: argparse.Namespace, rows: list[dict[str, Any]], keep: Callable[[dict[str, Any]], None]
) -> None:
    """One row for each draw that is not among `rows`."""
    corpus = read_manifest(options.corpus / "manifest.jsonl")
    others = draw(corpus, OTHERS, 77)
    start = start_from(options.base, [u.text or "" for u in corpus[:50]], {"language": corpus[0].language or ""}, 0)
    frames = dict(zip((u.id for u in others), frames_by(start, others), strict=True))
    for seed in range(options.draws):
        for count in options.clips:
            if any((row["clips"], row["seed"]) == (count, seed) for row in rows):
                continue
            clips = draw(corpus, count, 1000 + seed)
            said = {u.text for u in clips}
            test = Manifest(tuple(u for u in others if u.text not in said))
            begun = start_from(
                options.base, (u.text or "" for u in clips), {"language": corpus[0].language or ""}, seed
            )
            plan = quick_from(begun, len(clips), clips.duration_s or 0.0) if options.quick else None
            found, report = adapt(begun, clips, plan=plan, seed=seed)
            heard = heard_by(found, test, [frames[u.id] for u in test])
            row: dict[str, Any] = {"clips": count, "seed": seed, "test_clips": len(test), "quick": options.quick}
            row |= {"corpus": options.corpus.name, "measured": report.measured}
            for name, greedy, rate, bounds in (
                ("best_path", True, report.cer_after, report.interval_95),
                ("language", False, report.cer_with_language, report.language_interval_95),
            ):
                truth = scored(found, test, heard, greedy=greedy)["cer"]
                inside = bounds is not None and bounds[0] <= truth <= bounds[1]
                row[name] = {"printed": rate, "interval_95": bounds, "others": truth, "inside": inside}
            keep(row)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lattices", type=Path, nargs="+", default=[])
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("--base", default="earful-base")
    parser.add_argument("--clips", type=int, nargs="+", default=[4, 10, 30, 50])
    parser.add_argument("--draws", type=int, default=8)
    parser.add_argument("--quick", action="store_true", help="by the plan of --effort quick")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    found: dict[str, Any] = {"scores": [], "rows": []}
    if options.out.exists():
        found = json.loads(options.out.read_text("utf-8"))

    def keep(row: dict[str, Any] | None = None) -> None:
        if row:
            found["rows"].append(row)
            print(json.dumps(row), file=sys.stderr, flush=True)
        options.out.write_text(json.dumps({"machine": machine()} | found, indent=1) + "\n", "utf-8")

    if options.lattices:
        found["scores"] = of_scores(options.lattices)
        keep()
    if options.corpus:
        of_adaptations(options, found["rows"], keep)


if __name__ == "__main__":
    main()
