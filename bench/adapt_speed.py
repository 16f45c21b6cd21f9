"""How long `earful adapt` takes, and how much memory, beside an earlier commit: the same clips, interleaved.

Each draw of clips is adapted to by the command of both, as a user runs it (imports, listening, training, the language
model, saving); then both recognisers write down the same test clips, each by its own code, so that speed which was
bought with errors would show. `--stages` says where the time goes, by what `adapt` tells of its progress.

    git worktree add ../before 011f684
    python bench/adapt_speed.py --before ../before --corpora work/fillets-cs work/fillets-nl \\
        --out bench/adapt_speed.json
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from cells import Cells
from games import train_and_test

from earful.data.manifest import Manifest, write_manifest

HERE = Path(__file__).resolve().parent.parent
STAGES = """
import json, sys, time
from pathlib import Path
from earful.adapt.adapt import adapt
from earful.adapt.start import start_from
from earful.data.manifest import read_manifest
seen = {}
now = ["start", time.monotonic()]
def tell(stage, done, total):
    if stage != now[0]:
        seen[now[0]] = seen.get(now[0], 0.0) + time.monotonic() - now[1]
        now[:] = [stage, time.monotonic()]
clips = read_manifest(Path(sys.argv[1]))
base = start_from(sys.argv[2], [u.text or "" for u in clips], {"language": clips[0].language or ""}, 0)
adapt(base, clips, progress=tell)
tell("end", 0, 0)
print(json.dumps({name.split(",")[0]: round(taken, 2) for name, taken in seen.items()}))
"""


def run(source: Path, threads: int, *words: str) -> tuple[str, dict[str, float]]:
    """Output of Python on the code of a checkout, and the seconds and the memory that it took."""
    few = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), str(threads))
    began = time.monotonic()
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(
            [sys.executable, *words],
            stdout=out,
            stderr=subprocess.DEVNULL,
            env=os.environ | few | {"PYTHONPATH": str(source / "src")},
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        said = out.read().decode()
    if process.returncode:
        raise SystemExit(f"{' '.join(words[:6])} in {source}: exit status {process.returncode}")
    taken = {
        "wall_s": time.monotonic() - began,
        "cpu_s": used.ru_utime + used.ru_stime,
        "peak_mb": used.ru_maxrss / 1024,
    }
    return said, {name: round(value, 1) for name, value in taken.items()}


def draw(manifest: Manifest, count: int, seed: int) -> Manifest:
    """So many clips of 1 to 15 seconds, by chance."""
    import torch

    fit = manifest.filter(lambda u: 1.0 <= (u.duration_s or 0) <= 15.0)
    order = torch.randperm(len(fit), generator=torch.Generator().manual_seed(seed)).tolist()[:count]
    return Manifest(tuple(fit[i] for i in sorted(order)))


def commit_of(checkout: Path) -> str:
    """Its short name."""
    return subprocess.check_output(["git", "-C", checkout, "rev-parse", "--short", "HEAD"], text=True).strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--before", type=Path, required=True, help="a checkout of the commit to compare with")
    parser.add_argument("--corpora", type=Path, nargs="+", required=True)
    parser.add_argument("--clips", type=int, nargs="+", default=[50])
    parser.add_argument("--threads", type=int, nargs="+", default=[2])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--test-clips", type=int, default=90)
    parser.add_argument("--more", nargs="*", default=[], help="further options of `earful adapt`, without their dashes")
    parser.add_argument("--stages", action="store_true")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    commits = {"before": options.before.resolve(), "now": HERE}
    cells = Cells(options.out, test_clips=options.test_clips, commit_before=commit_of(commits["before"]))
    corpora = {corpus.name: corpus for corpus in options.corpora}
    axes = {"seed": options.seeds, "threads": options.threads, "clips": options.clips, "corpus": list(corpora)}
    warm = False
    with tempfile.TemporaryDirectory() as folder:
        clips_in, test_in = (Path(folder) / name for name in ("clips.jsonl", "test.jsonl"))
        models = {name: str(Path(folder) / name) for name in commits}  # one overwrites no model of the other's
        for seed, threads, count, corpus, more in cells.missing(**axes, more=[" ".join(options.more)]):
            train, test = train_and_test(corpora[corpus])
            write_manifest(clips_in, draw(train, count, seed))
            write_manifest(test_in, draw(test, options.test_clips, 0))
            if not warm:  # what is compiled once is no part of it
                for name, source in commits.items():
                    run(source, 2, "-m", "earful", "adapt", str(clips_in), "--out", models[name], "--json")
                warm = True
            row: dict[str, Any] = {"corpus": corpus, "clips": count, "threads": threads, "seed": seed, "more": more}
            for name in commits if seed % 2 else reversed(commits):
                words = [
                    "adapt",
                    str(clips_in),
                    "--out",
                    models[name],
                    "--overwrite",
                    "--json",
                    *(f"--{each}" for each in options.more),
                ]
                _, row[name] = run(commits[name], threads, "-m", "earful", *words)
                scored, _ = run(commits[name], 2, "-m", "earful", "score", models[name], str(test_in), "--json")
                row[name] |= {"cer": json.loads(scored)["cer"], "wer": json.loads(scored)["wer"]}
                if options.stages:
                    row[name]["stages_s"] = json.loads(
                        run(commits[name], threads, "-c", STAGES, str(clips_in), "earful-base")[0]
                    )
            cells.add(row)


if __name__ == "__main__":
    main()
