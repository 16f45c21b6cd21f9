"""K clips → a recogniser: CER before and after on held-out levels of real speech, with a base and without.

Runs the user's own commands, `earful adapt` and `earful score`, each in a fresh process, so that seconds and peak
memory are what a user sees. Interleaved: for every seed and K, each base in turn.

    python bench/kshot.py --corpus cs --out bench/kshot_czech.json
"""

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from machine import machine

from earful.data.corpora.fillets import split_levels
from earful.data.manifest import Manifest, read_manifest, write_manifest


def earful(*arguments: str) -> dict:
    done = subprocess.run([sys.executable, "-m", "earful", *arguments, "--json"], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"earful {' '.join(arguments)}: {done.stderr}")
    return json.loads(done.stdout)


def draw(manifest: Manifest, count: int, seed: int) -> Manifest:
    """`count` clips at random, of 1 to 15 seconds."""
    fit = manifest.filter(lambda u: 1.0 <= (u.duration_s or 0) <= 15.0)
    order = torch.randperm(len(fit), generator=torch.Generator().manual_seed(seed)).tolist()[:count]
    return Manifest(tuple(fit[i] for i in sorted(order)))


def one(train: Manifest, test: Path, base: str, clips: int, seed: int, folder: Path) -> dict:
    support = folder / f"support-{clips}-{seed}.jsonl"
    write_manifest(support, draw(train, clips, seed))
    model = folder / f"model-{base}-{clips}-{seed}"
    adapted = earful("adapt", str(support), "--out", str(model), "--base", base, "--seed", str(seed), "--overwrite")
    score = earful("score", str(model), str(test))
    row = {"base": base, "clips": clips, "seed": seed, "speech_s": adapted["speech_seconds"]}
    row |= {key: adapted[key] for key in ("cer_before", "cer_after", "measured", "seconds", "peak_memory_mb")}
    return row | {"test_cer": score["cer"], "test_wer": score["wer"], "interval_95": score["interval_95"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", type=Path, required=True, help="folder that `earful corpus fillets-ng` wrote")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--clips", type=int, nargs="+", default=[10, 50, 200])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--bases", nargs="+", default=["earful-base", "none"])
    options = parser.parse_args()
    train, test = split_levels(read_manifest(options.corpus / "manifest.jsonl"))
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        test_path = folder / "test.jsonl"
        write_manifest(test_path, test)
        facts = {
            "machine": machine(),
            "corpus": options.corpus.name,
            "test_clips": len(test),
            "test_s": round(sum(u.duration_s or 0 for u in test), 1),
            "before": {base: earful("score", base, str(test_path)) for base in options.bases if base != "none"},
        }
        for seed, clips, base in itertools.product(options.seeds, options.clips, options.bases):
            rows.append(one(train, test_path, base, clips, seed, folder))
            print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
            options.out.write_text(json.dumps(facts | {"rows": rows}, indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main()
