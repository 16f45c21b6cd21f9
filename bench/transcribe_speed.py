"""Throughput of transcription: seconds of audio a second of `Recognizer.transcribe`, from file to text.

Short clips one by one, and one recording of ten minutes, on one thread and on two; in the same turns, how long reading
and features alone take. All runs take turns, so that what else the machine does hits all alike.

    python bench/transcribe_speed.py --out bench/transcribe_speed.json
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from earful.audio.files import SAMPLE_RATE_HZ, blocks, read, write
from earful.data.synthesis.speak import speak_corpus
from earful.features.fbank import fbank
from earful.kshot.machine import machine
from earful.recognizer import WINDOW_S, Recognizer

LANGUAGE = "is"
LONG_S = 600.0


def spoken(folder: Path, clips: int) -> list[Path]:
    """Short clips of synthetic speech."""
    manifest, _ = speak_corpus([LANGUAGE], folder, clips=clips, seed=0)
    return [utterance.audio for utterance in manifest]


def joined(files: list[Path], place: Path) -> Path:
    """One recording of ten minutes, of the clips over and over."""
    samples_T = np.concatenate([read(file) for file in files])
    write(place, np.resize(samples_T, round(LONG_S * SAMPLE_RATE_HZ)))
    return place


def features(file: Path) -> None:
    """Read a file and compute its features, as `transcribe` does before its network."""
    with torch.no_grad():
        for block_T in blocks(file, WINDOW_S):
            fbank(torch.from_numpy(np.array(block_T)))


def seconds(run: Callable[[Path], object], files: list[Path], threads: int) -> float:
    """How long `run` takes over all files."""
    torch.set_num_threads(threads)
    began = time.perf_counter()
    for file in files:
        run(file)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="earful-base")
    parser.add_argument("--clips", type=int, default=40)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    recognizer = Recognizer.load(options.model)
    with tempfile.TemporaryDirectory() as name:
        short = spoken(Path(name), options.clips)
        audio = {"short_clips": short, "ten_minutes": [joined(short, Path(name) / "long.wav")]}
        runs = {"transcribe": recognizer.transcribe, "features_alone": features}
        turns = [(what, kind, threads) for threads in options.threads for kind in audio for what in runs]
        times_s: dict[tuple[str, str, int], list[float]] = {turn: [] for turn in turns}
        for _ in range(options.repeats + 1):  # the first does not count
            for what, kind, threads in turns:
                times_s[what, kind, threads].append(seconds(runs[what], audio[kind], threads))
        audio_s = {kind: sum(len(read(f)) for f in files) / SAMPLE_RATE_HZ for kind, files in audio.items()}
    result = {
        "what": "seconds of audio per second, from file to text, medians of interleaved repeats",
        "model": Path(options.model).name,
        "parameters": sum(tensor.numel() for tensor in recognizer.checkpoint.params.values()),
        "repeats": options.repeats,
        "clips": len(short),
        "audio_s": {kind: round(s, 1) for kind, s in audio_s.items()},
        "rows": [
            {
                "what": what,
                "audio": kind,
                "threads": threads,
                "audio_seconds_per_second": round(
                    audio_s[kind] / statistics.median(times_s[what, kind, threads][1:]), 1
                ),
            }
            for what, kind, threads in turns
        ],
        "machine": machine() | {"threads": None},
    }
    options.out.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
