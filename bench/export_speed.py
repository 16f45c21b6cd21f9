"""How fast `earful transcribe` is with onnxruntime, and with torch, and what memory it takes.

Short clips one by one, and one recording of ten minutes, on one thread and on two, in float32, in int8 and by torch, in
turns; a command from its start to its end, with onnxruntime and with torch; and the memory that two hours take beyond
that of ten minutes. All best paths but for one; the error rates of each stand beside.

Beside them faster-whisper (Whisper base, int8, greedy, the language named; `pip install faster-whisper==1.2.1`), on the
same files, and the search with the language model in int8:

    earful adapt FIFTY-CLIPS --out work/fifty --language cs --text work/free-cs.txt
    python bench/export_speed.py --model work/fifty --clips work/fillets-cs/test.jsonl \\
        --whisper work/whisper-base-ct2 --out bench/export_speed.json
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from whisper_zero_shot import load, written

from earful.audio.files import SAMPLE_RATE_HZ, read, write
from earful.data.clips import read_clips
from earful.data.utterance import Utterance
from earful.kshot.machine import machine
from earful.recognizer import Recognizer
from earful.runner import Runner
from earful.text.normalize import normalize
from earful.text.score import score

LONG_S, LONGEST_S = 600.0, 7200.0
WAYS = ("torch", "float32", "int8", "int8 with the language model")
WHISPER = "faster-whisper"
Ways = dict[str, Callable[[Path], str]]
PEAK = "; print(open('/proc/self/status').read().split('VmHWM:')[1].split()[0], file=sys.stderr)"
WITH_TORCH = (
    "import sys; from earful.recognizer import Recognizer; "
    "print(Recognizer.load(sys.argv[1], greedy=True).transcribe(sys.argv[2]).text)"
)
WITH_RUNNER = (
    "import sys; from earful.runner import Runner; "
    "print(Runner.load(sys.argv[1], greedy=True, kind=sys.argv[3]).transcribe(sys.argv[2]).text)"
)


def loaded(model: str, way: str) -> Recognizer | Runner:
    if way == "torch":
        return Recognizer.load(model, greedy=True)
    kind = "float32" if way == "float32" else "int8"
    return Runner.load(model, greedy=way in ("float32", "int8"), kind=kind)


def ways_of(model: str, whisper: str | None, language: str, threads: int) -> Ways:
    """All that write down a file, on so many threads."""
    os.environ["OMP_NUM_THREADS"] = str(threads)
    torch.set_num_threads(threads)
    ours = {way: loaded(model, way) for way in WAYS}
    ways: Ways = {way: lambda file, each=each: each.transcribe(file).text for way, each in ours.items()}  # type: ignore[misc]
    if whisper:
        theirs = load(whisper, "int8", threads)
        ways[WHISPER] = lambda file: written(theirs, str(file), language, 1)
    return ways


def in_turns(ways: Ways, audio: dict[str, list[Path]], threads: int, repeats: int) -> list[dict[str, Any]]:
    """Medians of each way on each kind of audio; the first turn does not count."""
    seconds: dict[tuple[str, str], list[float]] = {(way, kind): [] for kind in audio for way in ways}
    for _ in range(repeats + 1):
        for (way, kind), found in seconds.items():
            began = time.perf_counter()
            for file in audio[kind]:
                ways[way](file)
            found.append(time.perf_counter() - began)
    lasting = {kind: sum(len(read(file)) for file in files) / SAMPLE_RATE_HZ for kind, files in audio.items()}
    return [
        {
            "way": way,
            "audio": kind,
            "threads": threads,
            "audio_seconds_per_second": round(lasting[kind] / statistics.median(found[1:]), 1),
            "seconds": [round(each, 2) for each in found[1:]],
        }
        for (way, kind), found in seconds.items()
    ]


def command(words: list[str]) -> tuple[float, float, float]:
    """Seconds, processor seconds and peak megabytes of a Python program.

    The program says its own peak: that of `wait4` begins with what the parent held when it was forked.
    """
    began = time.perf_counter()
    around = {**os.environ, "OMP_NUM_THREADS": "1", "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "16"}
    words = [*words[:2], words[2] + PEAK, *words[3:]]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=around, encoding="utf-8")
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = status
    if status:
        raise SystemExit(f"{words}: failed")
    return time.perf_counter() - began, used.ru_utime + used.ru_stime, int(said.split()[-1]) / 1024


def cold(model: str, clip: Path, repeats: int) -> list[dict[str, Any]]:
    """A command for one short clip, from its start to its end, in turns."""
    commands = {
        "torch": [sys.executable, "-c", WITH_TORCH, model, str(clip)],
        "float32": [sys.executable, "-c", WITH_RUNNER, model, str(clip), "float32"],
        "int8": [sys.executable, "-c", WITH_RUNNER, model, str(clip), "int8"],
    }
    found: dict[str, list[tuple[float, float, float]]] = {way: [] for way in commands}
    for _ in range(repeats + 1):
        for way, words in commands.items():
            found[way].append(command(words))
    rows = []
    for way, each in found.items():
        wall, used, most = (round(statistics.median(column), 2) for column in zip(*each[1:], strict=True))
        rows.append({"way": way, "wall_s": wall, "processor_s": used, "peak_mb": round(most)})
    return rows


def rates(ways: Ways, model: str, spoken: Sequence[Utterance]) -> list[dict[str, Any]]:
    """Error rates of each way, and how many texts are those of float32."""
    rules = Runner.load(model, greedy=True).writing.rules
    said = {way: [normalize(written(each.audio), rules) for each in spoken] for way, written in ways.items()}
    texts = [normalize(each.text or "", rules) for each in spoken]
    return [
        {
            "way": way,
            "clips": len(spoken),
            "cer": round(score(texts, found).cer, 4),
            "same_as_float32": sum(a == b for a, b in zip(found, said["float32"], strict=True)),
        }
        for way, found in said.items()
    ]


def joined(files: list[Path], place: Path, seconds: float) -> Path:
    """One recording of so many seconds, of the clips over and over."""
    samples_T = np.concatenate([read(file) for file in files])
    write(place, np.resize(samples_T, round(seconds * SAMPLE_RATE_HZ)))
    return place


def memory(model: str, ten: Path, two_hours: Callable[[], Path]) -> list[dict[str, Any]]:
    rows = []
    for name, file in (("ten minutes", ten), ("two hours", two_hours())):
        wall, _, most = command([sys.executable, "-c", WITH_RUNNER, model, str(file), "int8"])
        rows.append({"audio": name, "peak_mb": round(most), "wall_s": round(wall, 1)})
    return rows


def measured(options: argparse.Namespace, spoken: Sequence[Utterance], ten: Path) -> dict[str, Any]:
    """All but the memory."""
    files, language = [each.audio for each in spoken], spoken[0].language or ""
    result: dict[str, Any] = {
        "what": "transcription with onnxruntime, with torch and by faster-whisper: medians of interleaved repeats",
        "parameters": sum(v.numel() for v in Recognizer.load(options.model).checkpoint.params.values()),
        "repeats": options.repeats,
        "cold": cold(options.model, files[0], options.repeats + 2),
        "speed": [],
    }
    for threads in (1, 2):
        ways = ways_of(options.model, options.whisper, language, threads)
        audio = {"short_clips": files, "ten_minutes": [ten]}
        result["speed"] += in_turns(ways, audio, threads, options.repeats)
    result |= {"rates": rates(ways, options.model, spoken)}
    return result | {"load_average": [round(each, 1) for each in os.getloadavg()], "machine": machine()}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--clips", type=Path, required=True)
    parser.add_argument("--whisper", help="folder of the whole Whisper for faster-whisper")
    parser.add_argument("--most", type=int, default=40)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--memory", action="store_true", help="measure the memory alone; all else in OUT stays")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    spoken = list(read_clips(options.clips))[: options.most]
    files = [each.audio for each in spoken]
    if any(each.start_s or each.duration_s is None for each in spoken):
        raise SystemExit(f"{options.clips}: clips must be whole files")
    with tempfile.TemporaryDirectory() as name:
        ten = joined(files, Path(name) / "ten.wav", LONG_S)
        result = json.loads(options.out.read_text("utf-8")) if options.memory else measured(options, spoken, ten)
        result |= {"memory": memory(options.model, ten, lambda: joined(files, Path(name) / "long.flac", LONGEST_S))}
    options.out.write_text(json.dumps(result, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
