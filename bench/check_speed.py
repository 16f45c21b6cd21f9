"""How long `earful check` takes a clip, from the folder to the findings, with all clips heard.

The clips are made: four seconds of noise that comes and goes, of distinct lengths, texts of random letters beside them;
a tenth of the texts have no recording, a tenth of the recordings no text.

    python bench/check_speed.py --clips 5000 --out bench/check_speed.json
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np

from earful.audio.files import write
from earful.cli.check import MOST_ROWS
from earful.data.check import inspect
from earful.data.clips import read_clips
from earful.data.finding import gathered
from earful.data.readers.leftovers import left_over
from earful.kshot.machine import machine


def make(folder: Path, count: int, suffix: str) -> None:
    """So many clips, each with a text but every tenth; and a text without a recording for every tenth."""
    rng = np.random.default_rng(0)
    noise_T = rng.normal(0, 0.05, 80_000) * np.repeat(rng.random(80) > 0.3, 1_000)
    for number in range(count):
        place = int(rng.integers(0, 16_000))
        write(folder / f"{number:05}{suffix}", noise_T[place : place + 64_000 - number].astype(np.float32))
        text = " ".join("".join(rng.choice(list("abdeiklmnorstu"), 5)) for _ in range(6))
        name = f"{number:05}" if number % 10 else f"none-{number:05}"
        (folder / f"{name}.txt").write_text(text, "utf-8")


def main() -> None:
    """Make the clips, measure, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=5000)
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    rows = []
    for suffix in (".wav", ".flac"):
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            make(folder, asked.clips, suffix)
            began, cpu = time.perf_counter(), time.process_time()
            manifest = read_clips(folder)
            read_s = time.perf_counter() - began
            inspection = inspect(manifest)
            left = left_over(folder, manifest)
            seconds, cpu_s = time.perf_counter() - began, time.process_time() - cpu
            shown = len(list(gathered(inspection.findings, MOST_ROWS)))
        row = {"kind": suffix, "clips": len(manifest), "seconds": seconds, "processor_s": cpu_s, "reading_s": read_s}
        rows.append(row | {"a_clip_ms": 1000 * seconds / len(manifest), "findings": len(inspection.findings)})
        rows[-1] |= {"rows_shown": shown + len(left), "usable": inspection.usable_clips}
        print(json.dumps(rows[-1]), flush=True)
    asked.out.write_text(json.dumps({"machine": machine(), "rows": rows}, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
