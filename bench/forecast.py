"""Is `earful forecast` right? What it says of K clips, against what adapting to 1, 2, 4 and 8 times K gives.

Real speech of a language that the base has never heard. A part of the clips is set aside, drawn from all levels, so
that it is of the same kind as the rest; every adapted model writes that part down. Adaptation is the user's own
command; K clips lie among the 2 K, and the forecast is asked for as much speech as those hold. Rows of an earlier run
are kept, so an interrupted one goes on.

    python bench/forecast.py --base earful-base --corpus work/fillets-cs --clips 10 20 --minutes 4 \\
        --out bench/forecast.json
"""

import argparse
import json
import math
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from earful.adapt.forecast import forecast
from earful.adapt.start import start_from
from earful.checkpoint import load_checkpoint
from earful.config import to_mapping
from earful.data.manifest import Manifest, read_manifest, write_manifest
from earful.kshot.machine import machine
from kshot import draw, frames_by, one, rates

HELD = 250
TIMES = (1, 2, 4, 8)


def predicted(clips: Manifest, base: str, seed: int, limit: float, speech_s: Mapping[int, float]) -> dict:
    """What is forecast from these clips, for as much speech as the models of so many times the clips have met."""
    began = time.monotonic()
    start = start_from(base, (u.text or "" for u in clips), {"language": clips[0].language}, seed)
    found = forecast(start, clips, minutes=limit, seed=seed)
    facts = {key: to_mapping(getattr(found, key)) for key in ("cer_before", "minutes", "draws", "points", "curve")}
    minutes = {times: min(seconds / 60, found.farthest) for times, seconds in speech_s.items()}
    said = [{"times": times} | to_mapping(found.predicted(minutes[times])) for times in TIMES]
    return facts | {"forecast": said, "seconds": round(time.monotonic() - began, 1)}


def measured(clips: Manifest, base: str, seed: int, test: Manifest, frames: Sequence[Tensor], folder: Path) -> dict:
    """What a model adapted to these clips does on those that were set aside."""
    write_manifest(folder / "clips.jsonl", clips)
    adapted = one(folder / "clips.jsonl", base, seed, folder / "model", ["--greedy"])
    return adapted | {"test": rates(load_checkpoint(folder / "model"), test, frames, greedy=True)}


def summary(forecasts: Sequence[dict], adapted: Sequence[dict]) -> Iterator[dict]:
    """For each K and how many times it: how far off the forecasts were, and how many intervals held the CER."""
    by_run = {(row["seed"], row["wanted"]): row["test"]["cer"] for row in adapted}
    for wanted in sorted({row["wanted"] for row in forecasts}):
        for place, times in enumerate(TIMES):
            rows = [row for row in forecasts if row["wanted"] == wanted]
            said = [row["forecast"][place] for row in rows]
            cers = [by_run[row["seed"], times * wanted] for row in rows]
            pairs = list(zip(said, cers, strict=True))
            yield {
                "clips": wanted,
                "times": times,
                "runs": len(rows),
                "predicted": sum(each["cer"] for each in said) / len(rows),
                "measured": sum(cers) / len(rows),
                "off": sum(abs(math.log(each["cer"] / cer)) for each, cer in pairs) / len(rows),
                "inside": sum(each["interval_95"][0] <= cer <= each["interval_95"][1] for each, cer in pairs),
            }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", required=True)
    parser.add_argument("--corpus", type=Path, required=True, help="folder that `recipes.corpora fillets-ng` wrote")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--clips", type=int, nargs="+", default=[10, 20, 40])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--minutes", type=float, default=15.0, help="of each forecast")
    options = parser.parse_args()
    test, rest = read_manifest(options.corpus / "manifest.jsonl").split(HELD, torch.Generator().manual_seed(0))
    found = json.loads(options.out.read_text("utf-8")) if options.out.exists() else {"adapted": [], "forecasts": []}
    found |= {"machine": machine(), "corpus": options.corpus.name, "base": Path(options.base).name}
    found |= {"seeds": options.seeds, "test_clips": len(test), "minutes": options.minutes}
    frames = frames_by(options.base, test)

    def keep(kind: str, row: dict) -> None:
        found[kind].append(row)
        found["summary"] = list(summary(found["forecasts"], found["adapted"]))
        print(kind, json.dumps(row), file=sys.stderr, flush=True)
        options.out.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", "utf-8")

    with tempfile.TemporaryDirectory() as name:
        for seed in options.seeds:
            speech_s = {row["wanted"]: row["speech_s"] for row in found["adapted"] if row["seed"] == seed}
            for wanted in sorted({times * few for few in options.clips for times in TIMES} - set(speech_s)):
                row = measured(draw(rest, wanted, seed), options.base, seed, test, frames, Path(name))
                keep("adapted", {"seed": seed, "wanted": wanted} | row)
                speech_s[wanted] = row["speech_s"]
            done = {row["wanted"] for row in found["forecasts"] if row["seed"] == seed}
            for wanted in sorted(set(options.clips) - done):
                met = {times: speech_s[times * wanted] for times in TIMES}
                row = predicted(draw(rest, wanted, seed), options.base, seed, options.minutes, met)
                keep("forecasts", {"seed": seed, "wanted": wanted} | row)


if __name__ == "__main__":
    main()
