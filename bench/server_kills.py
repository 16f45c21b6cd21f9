"""Kill `earful serve` at random moments while segments are edited and a model is adapted: is anything lost?

What was answered must be there after each kill, with its history; adaptations must go on, and end. The processes of
the server's are not killed: they have to notice.

    python bench/server_kills.py --kills 30 --clips my-clips --out bench/server_kills.json
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
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path
from threading import Event, Thread
from typing import IO, Any

import httpx
import numpy as np
import soundfile

from earful.server.jobs import OVER

READY_S, DONE_S, RATE_HZ = 1800.0, 7200.0, 16_000
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
        self._said: IO[bytes] | None = None

    def start(self) -> None:
        """Start, and wait until it answers."""
        command = [sys.executable, "-m", "earful", *self._words]
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - a pipe that nobody reads would fill up
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=self._said)
        end = time.monotonic() + READY_S
        while time.monotonic() < end:
            with suppress(httpx.HTTPError):
                httpx.get(f"{self.url}/v1/jobs", timeout=5)
                return
            if self.process.poll() is not None:
                self._said.seek(0)
                raise RuntimeError(f"the server ended: {self._said.read().decode()}")
            time.sleep(0.1)
        raise RuntimeError("the server does not answer")

    def kill(self, number: int = signal.SIGKILL) -> None:
        """End it, by -9 unless another signal is named."""
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait()
        if self._said is not None:
            self._said.close()


class Typist(Thread):
    """Edits segments one after the other, and notes what was answered, and what was under way."""

    def __init__(self, url: str, known: dict[str, dict[str, Any]], seed: int) -> None:
        super().__init__()
        self._url, self._draw, self.known = url, random.Random(seed), known
        self.asked: tuple[str, str] | None = None
        self.edits, self.stop = 0, Event()

    def run(self) -> None:
        """Type until stopped, or until the server is gone."""
        with suppress(httpx.HTTPError), httpx.Client(base_url=self._url, timeout=READY_S) as client:
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


def killed(
    home: Path, model: str, kills: int, seed: int, adaptation: Any = None, longest_s: float = 4.0
) -> dict[str, Any]:
    """Kill so many times, each after at most `longest_s`; answers what was lost, and what became of the adaptations.

    `adaptation(client)` begins one and answers its id. Where one is over before the last kill, another is begun.
    """
    draw, server, jobs = random.Random(seed), Server(home, model), list[str]()
    server.start()
    with httpx.Client(base_url=server.url, timeout=READY_S) as client:
        known = begun(client)
        jobs += [adaptation(client)] if adaptation else []
    missing, edits, waits, met = list[str](), 0, list[float](), 0
    for number in range(kills):
        typist = Typist(server.url, known, seed + number)
        typist.start()
        time.sleep(draw.uniform(0.2, longest_s))
        with httpx.Client(base_url=server.url, timeout=READY_S) as client:
            if jobs and state_of(client, jobs[-1]) in OVER:
                jobs.append(adaptation(client))
            met += bool(jobs) and state_of(client, jobs[-1]) == "running"
        server.kill()
        typist.stop.set()
        typist.join()
        edits, began = edits + typist.edits, time.monotonic()
        with closing(sqlite3.connect(home / "earful.sqlite")) as db:
            whole = db.execute("PRAGMA integrity_check").fetchone()[0]
        missing += [] if whole == "ok" else [f"the database after kill {number + 1}: {whole}"]
        server.start()
        waits.append(time.monotonic() - began)
        with httpx.Client(base_url=server.url, timeout=READY_S) as client:
            missing += lost(client, typist)
    with httpx.Client(base_url=server.url, timeout=READY_S) as client:
        states = [ended(client, job) for job in jobs]
        missing += unserved(client, jobs)
    server.kill(signal.SIGTERM)
    left = [path.name for path in (home / "incoming").iterdir()] + [path.name for path in (home / "jobs").glob("*")]
    found = {"kills": kills, "edits": edits, "lost": missing, "jobs": states, "killed_while_adapting": met}
    return found | {"left": left, "restart_s": [round(each, 2) for each in waits]}


def state_of(client: httpx.Client, job: str) -> str:
    """What a job is at."""
    return str(client.get(f"/v1/jobs/{job}").json()["state"])


def unserved(client: httpx.Client, jobs: Sequence[str]) -> list[str]:
    """Which models that jobs have made are not served."""
    served = {each["id"] for each in client.get("/v1/models").json()["data"]}
    made = [client.get(f"/v1/jobs/{job}").json() for job in jobs]
    names = [each["result"]["model"] for each in made if each["state"] == "done"]
    return [f"the model {name} is not served" for name in names if name not in served]


def ended(client: httpx.Client, job: str) -> str:
    """How the adaptation ends."""
    end = time.monotonic() + DONE_S
    while time.monotonic() < end:
        found = client.get(f"/v1/jobs/{job}").json()
        if found["state"] in OVER:
            return str(found["state"]) + (f": {found['error']}" if found["error"] else "")
        time.sleep(0.5)
    return "not in time"


def adaptation_to(clips: Path, base: str, count: int, effort: str = "usual") -> Any:
    """Begins an adaptation to the first clips of a folder of recordings with their texts beside."""

    def begin(client: httpx.Client) -> str:
        wavs = sorted(clips.glob("*.wav"))[:count]
        texts = [wav.with_suffix(".txt").read_text("utf-8").strip() for wav in wavs]
        lines = (json.dumps({"audio_filepath": wav.name, "text": text}) for wav, text in zip(wavs, texts, strict=True))
        files = [("file", (wav.name, wav.read_bytes())) for wav in wavs]
        given = {"manifest": "\n".join(lines), "name": "killed", "effort": effort}
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
    parser.add_argument("--longest", type=float, default=20.0, help="seconds that a server lives at most")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    from earful.folders import locate

    folder = locate(options.model)
    adaptation = adaptation_to(options.clips, folder.name, options.count) if options.clips else None
    with tempfile.TemporaryDirectory() as home:
        found = killed(Path(home), str(folder), options.kills, options.seed, adaptation, options.longest)
    settings = {"seed": options.seed, "model": options.model, "clips": options.count, "longest_s": options.longest}
    report = {**settings, **found, "machine": machine()}
    options.out.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", "utf-8", newline="\n")
    print(json.dumps(report, ensure_ascii=False))
    whole = not found["lost"] and not found["left"] and set(found["jobs"]) <= {"done"}
    sys.exit(os.EX_OK if whole else 1)


if __name__ == "__main__":
    main()
