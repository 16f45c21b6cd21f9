"""`earful serve` under load: many clients on short clips, beside one adaptation; and a rival behind the same route.

Errors, the 50th and 95th percentile of latency, throughput in seconds of sound a second, and memory at the start and
at the end. The rival is faster-whisper (Whisper base, int8) behind `bench/whisper_server.py`, run by its own Python;
the same clips, the same clients, before and after in turns, without an adaptation beside either of the two that are
compared.

    python bench/server_load.py --model work/fifty --clips work/fillets-cs/test.jsonl --seconds 300 \\
        --adapt my-clips --rival work/whisper-base-ct2 --rival-python venv/bin/python --language cs \\
        --out bench/server_load.json
"""

import argparse
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

import httpx
from server_kills import adaptation_to, ended

from earful.audio.files import SAMPLE_RATE_HZ, read, write
from earful.data.manifest import read_manifest
from earful.folders import locate
from earful.kshot.machine import machine

READY_S = 300.0
SHORTEST_S, LONGEST_S = 1.0, 15.0
Clip = tuple[bytes, float]


def clips_of(manifest: Path, most: int) -> list[Clip]:
    """Short clips as the bytes of WAV files, and how long each is."""
    found = list[Clip]()
    with tempfile.TemporaryDirectory() as place:
        for u in read_manifest(manifest):
            if len(found) == most:
                break
            samples_T = read(u.audio, u.start_s, u.duration_s)
            if SHORTEST_S <= len(samples_T) / SAMPLE_RATE_HZ <= LONGEST_S:
                write(Path(place) / "clip.wav", samples_T)
                found.append(((Path(place) / "clip.wav").read_bytes(), len(samples_T) / SAMPLE_RATE_HZ))
    return found


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def serving(command: Sequence[str], port: int) -> Iterator[tuple[str, int]]:
    """A server while the block runs: its address, and its process."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    url, end = f"http://127.0.0.1:{port}", time.monotonic() + READY_S
    try:
        while True:
            with suppress(httpx.HTTPError):
                httpx.get(f"{url}/v1/models", timeout=5).raise_for_status()
                break
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{command[0]} does not serve")
            time.sleep(0.2)
        yield url, process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def asked(url: str, model: str, clips: Sequence[Clip], clients: int, seconds: float, language: str) -> dict[str, Any]:
    """What so many clients meet in so many seconds."""
    numbers, lock, ends = count(), threading.Lock(), time.monotonic() + seconds
    waited, heard, errors = list[float](), list[float](), list[str]()

    def client() -> None:
        with httpx.Client(base_url=url, timeout=300) as session:
            while time.monotonic() < ends:
                sound, lasts_s = clips[next(numbers) % len(clips)]
                began = time.monotonic()
                try:
                    form = {"model": model, **({"language": language} if language else {})}
                    answer = session.post("/v1/audio/transcriptions", data=form, files={"file": ("clip.wav", sound)})
                    problem = "" if answer.status_code == 200 else f"{answer.status_code}: {answer.text[:100]}"
                except httpx.HTTPError as error:
                    problem = repr(error)
                with lock:
                    waited.append(time.monotonic() - began)
                    heard.append(0.0 if problem else lasts_s)
                    errors.extend([problem] if problem else [])

    threads, began = [threading.Thread(target=client) for _ in range(clients)], time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took_s = time.monotonic() - began
    waited.sort()
    return {
        "requests": len(waited),
        "errors": len(errors),
        "first_errors": errors[:3],
        "seconds": round(took_s, 1),
        "latency_p50_s": round(statistics.median(waited), 3),
        "latency_p95_s": round(waited[int(0.95 * (len(waited) - 1))], 3),
        "audio_seconds_a_second": round(sum(heard) / took_s, 2),
    }


def memory_mb(pid: int) -> float:
    """Resident memory of a process and those that it began, in megabytes."""
    total, waiting = 0, [pid]
    while waiting:
        each = waiting.pop()
        with suppress(OSError):
            total += int(Path(f"/proc/{each}/statm").read_text("utf-8").split()[1]) * os.sysconf("SC_PAGE_SIZE")
            for task in Path(f"/proc/{each}/task").iterdir():
                waiting += map(int, (task / "children").read_text("utf-8").split())
    return round(total / 2**20, 1)


def ours(options: argparse.Namespace, clips: Sequence[Clip]) -> dict[str, Any]:
    """earful, first beside an adaptation if clips for one are given, then alone."""
    folder, port = locate(options.model), free_port()
    with tempfile.TemporaryDirectory() as home:
        command = [sys.executable, "-m", "earful", "serve", str(folder), "--home", home, "--port", str(port)]
        with serving(command, port) as (url, pid):
            warm(url, folder.name, clips, options.clients, options.language)
            found: dict[str, Any] = {"memory_start_mb": memory_mb(pid)}
            given = (url, folder.name, clips, options.clients, options.seconds, options.language)
            if options.adapt:
                with httpx.Client(base_url=url, timeout=300) as client:
                    job = adaptation_to(options.adapt, options.adapt_base, options.adapt_clips)(client)
                    found["beside_an_adaptation"] = asked(*given)
                    found["adaptation"] = {"when_the_clients_stopped": client.get(f"/v1/jobs/{job}").json()["state"]}
                    found["adaptation"]["ended"] = ended(client, job)
            found["alone"] = asked(*given)
            return found | {"memory_end_mb": memory_mb(pid)}


def rival(options: argparse.Namespace, clips: Sequence[Clip]) -> dict[str, Any]:
    """The rival, alone."""
    port = free_port()
    script = str(Path(__file__).parent / "whisper_server.py")
    command = [options.rival_python, script, "--model", options.rival, "--port", str(port)]
    with serving(command, port) as (url, pid):
        warm(url, "whisper", clips, options.clients, options.language)
        found: dict[str, Any] = {"memory_start_mb": memory_mb(pid)}
        found["alone"] = asked(url, "whisper", clips, options.clients, options.seconds, options.language)
        return found | {"memory_end_mb": memory_mb(pid)}


def warm(url: str, model: str, clips: Sequence[Clip], clients: int, language: str) -> None:
    """Once around, so that what is loaded and compiled is."""
    asked(url, model, clips, clients, 5.0, language)


def main() -> None:
    """Ask, and write what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, help="a model folder, or a shipped base")
    parser.add_argument("--clips", type=Path, required=True, help="a manifest of short clips")
    parser.add_argument("--language", default="", help="what the rival is told")
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--most", type=int, default=200, help="so many clips at most")
    parser.add_argument(
        "--adapt", type=Path, help="a folder of WAV files with a .txt beside each, to adapt to meanwhile"
    )
    parser.add_argument("--adapt-base", default="earful-base")
    parser.add_argument("--adapt-clips", type=int, default=20)
    parser.add_argument("--rival", help="a folder of Whisper base for faster-whisper")
    parser.add_argument("--rival-python", help="the Python that has faster-whisper")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    clips = clips_of(options.clips, options.most)
    report: dict[str, Any] = {"clients": options.clients, "clips": len(clips), "clip_seconds": sum(s for _, s in clips)}
    report["earful"] = ours(options, clips)
    if options.rival:
        report["faster_whisper"] = rival(options, clips)
        mine, its = (report[name]["alone"]["audio_seconds_a_second"] for name in ("earful", "faster_whisper"))
        report["times_as_fast"] = round(mine / its, 2) if its else None
    report["machine"] = machine()
    options.out.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", "utf-8", newline="\n")
    print(json.dumps(report, ensure_ascii=False))


if __name__ == "__main__":
    main()
