"""`earful adapt` beside other busy programs: in proportion, or far slower?

Where two threads share a product of matrices, each waits for the other. Waiting by turning round and round takes the
very processor that the other needs, where a third program is busy. `earful` therefore lets them sleep
soon (GOMP_SPINCOUNT); `turning` is OpenMP's own default. Interleaved, each beside so many busy loops.

    python bench/contended.py --out bench/contended.json
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from earful.kshot.machine import machine

WAITS = {"sleeping": {}, "turning": {"GOMP_SPINCOUNT": "300000"}}


def earful(*arguments: str, **more: str) -> float:
    """Seconds that a command takes."""
    began = time.monotonic()
    command = [sys.executable, "-m", "earful", *arguments]
    subprocess.run(command, check=True, capture_output=True, env=os.environ | more)
    return time.monotonic() - began


@contextmanager
def busy(count: int) -> Iterator[None]:
    """So many programs that do nothing but compute."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for each in loops:
            each.kill()
            each.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=20)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--beside", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as name:
        clips = Path(name) / "clips"
        earful("corpus", "speak", "--language", "is", "--clips", str(options.clips), "--out", str(clips))
        words = ["adapt", str(clips / "manifest.jsonl"), "--greedy", "--steps", str(options.steps), "--overwrite"]
        for number in range(options.rounds):
            for count in options.beside:
                for waits, more in WAITS.items():
                    with busy(count):
                        seconds = earful(*words, "--out", str(Path(name) / "model"), **more)
                    rows.append({"round": number, "beside": count, "waits": waits, "seconds": round(seconds, 1)})
                    print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
                    found = {"machine": machine(), "clips": options.clips, "steps": options.steps, "rows": rows}
                    options.out.write_text(json.dumps(found, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
