"""`earful serve` on a disk that fills up, again and again: clear errors, nothing half-written, on when there is room.

The home is a small file system in memory (Linux, root). In each round so much is written into it that between nothing
and `--free` bytes are left; then everything is asked that writes, while an adaptation runs. Each answer is what was
asked for, or a 507. Then there is room again, and all must work. In every other round the server is killed while the
disk is full, too, and started again.

    sudo python bench/server_full_disk.py --rounds 20 --clips my-clips --out bench/server_full_disk.json
"""

import argparse
import io
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import soundfile
from server_kills import RATE_HZ, READY_S, Server, adaptation_to, begun, ended, state_of, unserved

from earful.server.jobs import OVER

GOOD, FULL = range(200, 300), 507
EDITS, UPLOADS = 20, 2
FILLER = "filler"


class Disk:
    """A file system of so many megabytes, which can be made full."""

    def __init__(self, place: Path) -> None:
        self.home, self._filler = place / "home", place / FILLER
        self.home.mkdir()

    def fill(self, left: int) -> None:
        """Leave so many bytes; more, where there are less already."""
        with self._filler.open("wb", 0) as file, suppress(OSError):
            while True:
                file.write(bytes(4096))
        os.truncate(self._filler, max(self._filler.stat().st_size - left, 0))

    def empty(self) -> None:
        """Make room again."""
        self._filler.unlink(missing_ok=True)


@contextmanager
def disk(megabytes: int) -> Iterator[Disk]:
    """Raises OSError: this system does not let one mount."""
    with tempfile.TemporaryDirectory() as place:
        command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", place]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            raise OSError("a file system cannot be mounted here; run it as root")
        try:
            yield Disk(Path(place))
        finally:
            subprocess.run(["umount", "-l", place], check=True)


class Client:
    """Asks for everything that writes, and remembers what was answered."""

    def __init__(self, known: dict[str, dict[str, Any]], project: str, model: str, seed: int) -> None:
        self.known, self._project, self._model = known, project, model
        self._draw, self._noise = random.Random(seed), np.random.default_rng(seed)
        self.answers: defaultdict[str, Counter[int]] = defaultdict(Counter)
        self.recordings, self.wrong = dict[str, float](), list[str]()

    def all(self, client: httpx.Client, adapt: Callable[[httpx.Client], str] | None) -> list[str]:
        """Edit, upload, transcribe, export; and adapt, if that is wanted. Answers the jobs that were begun."""
        jobs = list[str]()
        for _ in range(EDITS):
            self._edit(client)
        for _ in range(UPLOADS):
            self._upload(client)
        sound = {"file": ("a.wav", self._sound(2.0))}
        said = client.post("/v1/audio/transcriptions", data={"model": self._model}, files=sound)
        self._noted("transcription", said)
        self._noted("export", client.get(f"/api/projects/{self._project}/export"))
        if adapt is not None:
            try:
                jobs.append(adapt(client))
                self.answers["adaptation"][202] += 1
            except httpx.HTTPStatusError as error:
                self._noted("adaptation", error.response)
        return jobs

    def check(self, client: httpx.Client, home: Path) -> None:
        """Is what was answered there, and nothing else?"""
        for id, known in self.known.items():
            now = client.get(f"/api/segments/{id}").json()
            if (now["text"], now["version"]) != (known["text"], known["version"]):
                self.wrong.append(f"segment {id}: {known['text']!r} was answered, {now['text']!r} is there")
        listed = {each["id"] for each in client.get(f"/api/projects/{self._project}/recordings").json()}
        if not set(self.recordings) <= listed:
            self.wrong.append(f"recordings that were answered are missing: {set(self.recordings) - listed}")
        for id, seconds in self.recordings.items():
            content = client.get(f"/api/recordings/{id}/audio").content
            if abs(soundfile.info(io.BytesIO(content)).duration - seconds) > 0.01:
                self.wrong.append(f"recording {id} is not whole")
        left = [path.name for path in home.rglob("*.partial")] + [path.name for path in (home / "incoming").iterdir()]
        self.wrong += [f"half-written: {name}" for name in left]
        self.wrong += damaged(home)

    def _edit(self, client: httpx.Client) -> None:
        id = self._draw.choice(sorted(self.known))
        body = {"version": self.known[id]["version"], "text": f"typed {self._draw.getrandbits(40)} ž" * 20}
        answer = client.patch(f"/api/segments/{id}", json=body)
        if self._noted("edit", answer):
            self.known[id] = answer.json()

    def _upload(self, client: httpx.Client) -> None:
        seconds = round(self._draw.uniform(5, 40), 1)
        files = {"file": ("noise.flac", self._sound(seconds, "FLAC"))}
        answer = client.post(f"/api/projects/{self._project}/recordings", files=files)
        if self._noted("upload", answer):
            self.recordings[answer.json()["id"]] = seconds

    def _noted(self, what: str, answer: httpx.Response) -> bool:
        """Count an answer; whether it was a good one. A third kind is wrong."""
        self.answers[what][answer.status_code] += 1
        if answer.status_code == FULL:
            clear = answer.json()["error"]["code"] == "disk_full"
            self.wrong += [] if clear else [f"{what}: 507, but {answer.text[:200]}"]
        elif answer.status_code not in GOOD:
            self.wrong.append(f"{what}: {answer.status_code} {answer.text[:300]}")
        return answer.status_code in GOOD

    def _sound(self, seconds: float, format: str = "WAV") -> bytes:
        file = io.BytesIO()
        noise_T = self._noise.normal(0, 0.01, round(RATE_HZ * seconds)).clip(-1, 1)
        soundfile.write(file, noise_T, RATE_HZ, format=format)
        return file.getvalue()


def damaged(home: Path) -> list[str]:
    """What SQLite says of its file, if that is not well."""
    with closing(sqlite3.connect(f"file:{home / 'earful.sqlite'}?mode=ro", uri=True)) as db:
        whole = db.execute("PRAGMA integrity_check").fetchone()[0]
    return [] if whole == "ok" else [f"the database: {whole}"]


def killed(server: Server, place: Disk) -> str:
    """Kill the server while the disk is full, and start it: that it began, or what it said instead. Then make room."""
    server.kill()
    try:
        server.start()
        return "began"
    except RuntimeError as error:
        place.empty()
        server.start()
        return str(error)


def filled(place: Disk, model: Path, adapt: Callable[[httpx.Client], str], rounds: int, seed: int, most: int) -> Any:
    """So many rounds; answers what was answered, and what was wrong."""
    draw, server, jobs, starts = random.Random(seed), Server(place.home, str(model)), list[str](), Counter[str]()
    server.start()
    with httpx.Client(base_url=server.url, timeout=READY_S) as http:
        known = begun(http)
        client = Client(known, http.get("/api/projects").json()[0]["id"], model.name, seed)
    for number in range(rounds):
        with httpx.Client(base_url=server.url, timeout=READY_S) as http:
            if not jobs or state_of(http, jobs[-1]) in OVER:
                jobs.append(adapt(http))
            place.fill(draw.randrange(most) if draw.random() < 0.7 else 0)
            jobs += client.all(http, adapt if number % 4 == 0 else None)
        if number % 2:
            starts[killed(server, place)] += 1
        place.empty()
        with httpx.Client(base_url=server.url, timeout=READY_S) as http:
            client.check(http, place.home)
            before = {what: counts[FULL] for what, counts in client.answers.items()}
            client.all(http, None)
            again = [what for what, counts in client.answers.items() if counts[FULL] > before.get(what, 0)]
            client.wrong += [f"{what}: a 507 when there was room" for what in again]
            for recording in http.get(f"/api/projects/{client._project}/recordings").json()[1:]:
                http.delete(f"/api/recordings/{recording['id']}")  # the disk is small
            client.recordings.clear()
        for path in (place.home / "trash").iterdir():
            path.unlink()
    with httpx.Client(base_url=server.url, timeout=READY_S) as http:
        states = Counter(ended(http, job) for job in jobs)
        client.wrong += unserved(http, jobs)
    server.kill(signal.SIGTERM)
    answers = {what: {str(code): n for code, n in sorted(each.items())} for what, each in client.answers.items()}
    return {"rounds": rounds, "answers": answers, "starts": starts, "jobs": states, "wrong": client.wrong}


def main() -> None:
    """Fill, and write what came of it."""
    from earful.folders import locate
    from earful.kshot.machine import machine

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--megabytes", type=int, default=160)
    parser.add_argument("--free", type=int, default=3_000_000, help="bytes that are left at most")
    parser.add_argument("--model", default="earful-tiny", help="what is served and adapted")
    parser.add_argument("--clips", type=Path, required=True, help="a folder of WAV files with a .txt beside each")
    parser.add_argument("--count", type=int, default=20, help="so many of them")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    model = locate(options.model)
    adapt = adaptation_to(options.clips, model.name, options.count, "quick")
    with disk(options.megabytes) as place:
        found = filled(place, model, adapt, options.rounds, options.seed, options.free)
    settings = {"seed": options.seed, "model": options.model, "megabytes": options.megabytes}
    report = {**settings, **found, "machine": machine()}
    options.out.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", "utf-8", newline="\n")
    print(json.dumps(report, ensure_ascii=False))
    sys.exit(bool(found["wrong"]) or os.EX_OK)


if __name__ == "__main__":
    main()
