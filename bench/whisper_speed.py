"""`earful transcribe` beside faster-whisper's Whisper base (int8, greedy), on the same recordings of people.

Short clips one by one, and a recording of ten minutes made of the test clips; on one thread, in turns, so that what
else the machine does hits both alike. The language is given; errors stand beside, since speed alone says nothing.

    earful adapt FIFTY-CLIPS --out work/fifty --language cs --text work/free-cs.txt
    python bench/whisper_speed.py --whisper work/whisper-base-ct2 --corpus work/fillets-cs \\
        --model work/fifty --out bench/whisper_speed.json
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from games import train_and_test
from whisper_zero_shot import load, written

from earful.audio.files import SAMPLE_RATE_HZ, read, write
from earful.data.manifest import Manifest
from earful.kshot.machine import machine
from earful.recognizer import Recognizer
from earful.text.normalize import TextRules, normalize
from earful.text.score import score

LONG_S, GAP_S = 600.0, 0.5


def joined(test: Manifest, place: Path) -> tuple[Path, str]:
    """A recording of LONG_S of the clips, and what is said in it."""
    gap_T, pieces, texts, seconds = np.zeros(round(GAP_S * SAMPLE_RATE_HZ), np.float32), [], [], 0.0
    for u in test:
        if seconds > LONG_S:
            break
        pieces += [read(u.audio, u.start_s, u.duration_s), gap_T]
        texts.append(u.text or "")
        seconds += (len(pieces[-2]) + len(gap_T)) / SAMPLE_RATE_HZ
    write(place, np.concatenate(pieces))
    return place, " ".join(texts)


def cer(said: Sequence[str], heard: Sequence[str], language: str) -> float:
    rules = TextRules(language=language)
    return score([normalize(text, rules) for text in said], [normalize(text, rules) for text in heard]).cer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--whisper", required=True, help="folder of the whole Whisper, by whisper_encoder.py --whole")
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True, help="a recogniser that was adapted to the language")
    parser.add_argument("--clips", type=int, default=40)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    _, test = train_and_test(options.corpus)
    language = test[0].language or ""
    whisper = load(options.whisper, "int8")
    searching, greedy = Recognizer.load(options.model), Recognizer.load(options.model, greedy=True)
    ways: dict[str, Callable[[Path], str]] = {
        "earful, with the language model": lambda file: searching.transcribe(file).text,
        "earful, best path": lambda file: greedy.transcribe(file).text,
        "faster-whisper, base, int8, greedy": lambda file: written(whisper, str(file), language, 1),
    }
    with tempfile.TemporaryDirectory() as name:
        short = [(u.audio, u.text or "") for u in test[: options.clips]]
        sounds = {"short clips": short, "ten minutes": [joined(test, Path(name) / "long.wav")]}
        times: dict[tuple[str, str], list[float]] = {(way, kind): [] for kind in sounds for way in ways}
        heard: dict[tuple[str, str], list[str]] = {}
        for _ in range(options.repeats):
            for way, kind in times:
                began = time.perf_counter()
                heard[way, kind] = [ways[way](file) for file, _ in sounds[kind]]
                times[way, kind].append(time.perf_counter() - began)
        seconds = {kind: sum(len(read(file)) for file, _ in each) / SAMPLE_RATE_HZ for kind, each in sounds.items()}
    rows = [
        {
            "way": way,
            "audio": kind,
            "audio_s": round(seconds[kind], 1),
            "audio_seconds_per_second": round(seconds[kind] / statistics.median(each), 2),
            "seconds": [round(s, 2) for s in each],
            "cer": cer([text for _, text in sounds[kind]], heard[way, kind], language),
        }
        for (way, kind), each in times.items()
    ]
    facts = {"machine": machine(), "model": options.model.name, "corpus": options.corpus.name, "rows": rows}
    options.out.write_text(json.dumps(facts, indent=1) + "\n", "utf-8")
    print(json.dumps(facts, indent=1))


if __name__ == "__main__":
    main()
