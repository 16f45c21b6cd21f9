"""Kill `earful serve` at random moments while segments are edited and a model is adapted: is anything lost?

What was answered must be there after each kill, with its history; the adaptation must go on, and end.

    python bench/server_kills.py --kills 30 --out bench/server_kills.json
"""

import argparse
import json
import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any

import httpx
import numpy as np
import soundfile

from earful.server.jobs import OVER

READY_S, DONE_S, RATE_HZ = 180.0, 1800.0, 16_000
SEGMENTS = 10


class Server:
    """A server that is started, killed, and started again in one home."""

    def __init__(self, home: Path, model: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self._words = ["serve", model, "--home", str(home), "--port", str(self._port)]
        self.url = f"http://127.0.0.1:{self._port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, and wait until it answers."""
        command = [sys.executable, "-m", "earful", *self._words]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        end = time.monotonic() + READY_S
        while time.monotonic() < end:
            with suppress(httpx.HTTPError):
                httpx.get(f"{self.url}/v1/jobs", timeout=5)
                return
            if self.process.poll() is not None:
                assert self.process.stderr is not None
                raise RuntimeError(f"the server ended: {self.process.stderr.read().decode()}")
            time.sleep(0.1)
        raise RuntimeError("the server does not answer")

    def kill(self, number: int = signal.SIGKILL) -> None:
        """End it, by -9 unless another signal is named."""
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait()
            if self.process.stderr is not None:
                self.process.stderr.close()


class Typist(Thread):
    """Edits segments one after the other, and notes what was answered, and what was under way."""

    def __init__(self, url: str, known: dict[str, dict[str, Any]], seed: int) -> None:
        super().__init__()
        self._url, self._draw, self.known = url, random.Random(seed), known
        self.asked: tuple[str, str] | None = None
        self.edits, self.stop = 0, Event()

    def run(self) -> None:
        """Type until stopped, or until the server is gone."""
        with suppress(httpx.HTTPError), httpx.Client(base_url=self._url, timeout=30) as client:
            while not self.stop.is_set():
                id = self._draw.choice(sorted(self.known))
                text = f"typed {self._draw.getrandbits(40)} ž"
                self.asked = id, text
                body = {"version": self.known[id]["version"], "text": text}
                answer = client.patch(f"/api/segments/{id}", json=body)
                answer.raise_for_status()
                self.known[id], self.asked = answer.json(), None
                self.edits += 1


def begun(client: httpx.Client) -> dict[str, dict[str, Any]]:
    """A project with a recording of noise and segments; by their ids."""
    project = client.post("/api/projects", json={"name": "kills"}).json()["id"]
    place = Path(tempfile.mkdtemp()) / "noise.wav"
    noise_T = np.random.default_rng(0).normal(0, 0.1, RATE_HZ * SEGMENTS)
    soundfile.write(place, noise_T.clip(-1, 1), RATE_HZ)
    answer = client.post(f"/api/projects/{project}/recordings", files={"file": ("noise.wav", place.read_bytes())})
    recording = answer.json()["id"]
    made = [
        client.post(f"/api/recordings/{recording}/segments", json={"start_s": n, "end_s": n + 1}).json()
        for n in range(SEGMENTS)
    ]
    return {each["id"]: each for each in made}


def lost(client: httpx.Client, typist: Typist) -> list[str]:
    """What of that which was answered is not there; what was under way may be or not."""
    found = []
    for id, known in typist.known.items():
        now = client.get(f"/api/segments/{id}").json()
        under_way = typist.asked is not None and typist.asked == (id, now["text"])
        if now["text"] != known["text"] and not under_way and known["state"] == "corrected":
            found.append(f"{id}: {known['text']!r} was answered, {now['text']!r} is there")
        after = [each["after"] for each in client.get(f"/api/segments/{id}/history").json() if each["field"] == "text"]
        if known["state"] == "corrected" and known["text"] not in after[-2:]:
            found.append(f"{id}: the history lacks {known['text']!r}")
        typist.known[id] = now
    return found


def killed(home: Path, model: str, kills: int, seed: int, adaptation: Any = None) -> dict[str, Any]:
    """Kill so many times; answers what was lost, how many edits were made, and what became of the adaptation.

    `adaptation(client)` begins one and answers its id.
    """
    draw, server = random.Random(seed), Server(home, model)
    server.start()
    with httpx.Client(base_url=server.url, timeout=60) as client:
        known = begun(client)
        job = adaptation(client) if adaptation else None
    missing, edits, waits = list[str](), 0, list[float]()
    for number in range(kills):
        typist = Typist(server.url, known, seed + number)
        typist.start()
        time.sleep(draw.uniform(0.2, 4.0))
        server.kill()
        typist.stop.set()
        typist.join()
        edits, began = edits + typist.edits, time.monotonic()
        whole = sqlite3.connect(home / "earful.sqlite").execute("PRAGMA integrity_check").fetchone()[0]
        missing += [] if whole == "ok" else [f"the database after kill {number + 1}: {whole}"]
        server.start()
        waits.append(time.monotonic() - began)
        with httpx.Client(base_url=server.url, timeout=60) as client:
            missing += lost(client, typist)
    with httpx.Client(base_url=server.url, timeout=60) as client:
        state = ended(client, job) if job else None
    server.kill(signal.SIGTERM)
    left = [path.name for path in (home / "incoming").iterdir()] + [path.name for path in (home / "jobs").glob("*")]
    return {
        "kills": kills,
        "edits": edits,
        "lost": missing,
        "job": state,
        "left": left,
        "restart_s": max(waits, default=0),
    }


def ended(client: httpx.Client, job: str) -> str:
    """How the adaptation ends."""
    end = time.monotonic() + DONE_S
    while time.monotonic() < end:
        found = client.get(f"/v1/jobs/{job}").json()
        if found["state"] in OVER:
            return str(found["state"]) + (f": {found['error']}" if found["error"] else "")
        time.sleep(0.5)
    return "not in time"


def adaptation_to(clips: Path, base: str, count: int) -> Any:
    """Begins an adaptation to the first clips of a folder of recordings with their texts beside."""

    def begin(client: httpx.Client) -> str:
        wavs = sorted(clips.glob("*.wav"))[:count]
        texts = [wav.with_suffix(".txt").read_text("utf-8").strip() for wav in wavs]
        lines = (json.dumps({"audio_filepath": wav.name, "text": text}) for wav, text in zip(wavs, texts, strict=True))
        files = [("file", (wav.name, wav.read_bytes())) for wav in wavs]
        given = {"manifest": "\n".join(lines), "name": "killed"}
        answer = client.post(f"/v1/models/{base}/adaptations", data=given, files=files)
        answer.raise_for_status()
        return str(answer.json()["id"])

    return begin


def main() -> None:
    """Kill, and write what came of it."""
    from earful.kshot.machine import machine

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--model", default="earful-tiny", help="what is served and adapted")
    parser.add_argument("--clips", type=Path, help="a folder of WAV files with a .txt beside each, to adapt to")
    parser.add_argument("--count", type=int, default=20, help="so many of them")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    from earful.folders import locate

    folder = locate(options.model)
    adaptation = adaptation_to(options.clips, folder.name, options.count) if options.clips else None
    with tempfile.TemporaryDirectory() as home:
        found = killed(Path(home), str(folder), options.kills, options.seed, adaptation)
    report = {"seed": options.seed, **found, "machine": machine()}
    options.out.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", "utf-8", newline="\n")
    print(json.dumps(report, ensure_ascii=False))
    sys.exit(bool(found["lost"]) or os.EX_OK)


if __name__ == "__main__":
    main()
