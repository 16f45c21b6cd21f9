"""The campaign: so many cases of each kind, in processes that may die or hang, and what came of them.

    python -m faults.campaign --share 1.0 --json RESULT.json

Every case follows from its kind and its number alone: `python -m faults.campaign --one sounds:17` runs it again.
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

COUNTS = {
    "sounds": 2400,
    "manifests": 800,
    "tables": 900,
    "models": 500,
    "recipes": 400,
    "options": 400,
    "states": 150,
    "disk": 150,
}
PATIENCE_S = 60.0
Task = tuple[str, int]
Row = dict[str, Any]


def maker_of(kind: str) -> Any:
    """What makes the cases of a kind."""
    from faults import disk, models, settings, sounds, texts

    return {
        "sounds": sounds.make,
        "manifests": texts.manifests,
        "tables": texts.tables,
        "models": models.models,
        "states": models.states,
        "disk": disk.make,
        "recipes": settings.recipes,
        "options": settings.options,
    }[kind]


def one(kind: str, number: int, material: Path) -> Row:
    """Make a case in a new folder, and judge it."""
    from faults.judge import judged

    with tempfile.TemporaryDirectory(prefix="fault-", dir=material.parent) as folder:
        place = Path(folder) / "case"
        (place / "out").mkdir(parents=True)
        os.chdir(place / "out")
        case = maker_of(kind)(random.Random(f"{kind}:{number}"), place, material)
        found = judged(kind, number, place, case)
        os.chdir(material)
    return asdict(found)


def work(material: Path) -> None:
    """A worker: a task a line on stdin, what came of it a line on what stdout was."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="backslashreplace")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    for line in sys.stdin:
        kind, number = line.split()
        answers.write(json.dumps(one(kind, int(number), material)) + "\n")
        answers.flush()


class Worker:
    """A process that works; it is started again where it has died or hung."""

    def __init__(self, material: Path) -> None:
        self._material = material
        self._start()

    def _start(self) -> None:
        from faults.disk import shim

        self.process = subprocess.Popen(
            [sys.executable, "-m", "faults.campaign", "--work", str(self._material)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            env=os.environ | ({"LD_PRELOAD": str(preload)} if (preload := shim(self._material.parent)) else {}),
        )
        self._lines: SimpleQueue[str] = SimpleQueue()
        self._thread = Thread(target=self._read, args=(self.process, self._lines), daemon=True)
        self._thread.start()

    @staticmethod
    def _read(process: "subprocess.Popen[str]", lines: "SimpleQueue[str]") -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.put(line)
        lines.put("")

    def judge(self, kind: str, number: int) -> Row:
        """What came of a case; a death or a hang is a verdict, too."""
        assert self.process.stdin is not None
        row: Row = {"kind": kind, "number": number, "what": "", "status": -1, "seconds": PATIENCE_S, "peak_mb": 0}
        try:
            self.process.stdin.write(f"{kind} {number}\n")
            self.process.stdin.flush()
            line = self._lines.get(timeout=PATIENCE_S)
            problem = f"the process died ({self.process.poll()})" if not line else ""
        except Empty:
            line, problem = "", "hangs"
        except OSError:
            line, problem = "", "the process was dead"
        if line:
            return dict(json.loads(line))
        self.close()
        self._start()
        return row | {"problems": [problem]}

    def close(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()
        self._thread.join()
        for pipe in (self.process.stdin, self.process.stdout):
            with suppress(OSError):
                if pipe is not None:
                    pipe.close()


def every(share: float, seed: int, kinds: Sequence[str] = tuple(COUNTS)) -> Iterator[Task]:
    """All tasks, the kinds mixed."""
    tasks = [(kind, seed + i) for kind in kinds for i in range(max(1, round(share * COUNTS[kind])))]
    random.Random(seed).shuffle(tasks)
    yield from tasks


def campaign(
    share: float, workers: int, seed: int = 0, kinds: Sequence[str] = tuple(COUNTS), minutes: float = 1e9
) -> list[Row]:
    """Run so many cases of some kinds, but begin none when so many minutes are over."""
    from faults.disk import shim

    end = time.monotonic() + 60 * minutes
    folder = Path(tempfile.mkdtemp(prefix="faults-"))
    material = folder / "material"
    try:
        subprocess.run(
            [sys.executable, "-m", "faults.campaign", "--build", str(material)], check=True, stdout=subprocess.DEVNULL
        )
        shim(folder)  # once, before two want it
        before = _hashes(material)
        tasks: SimpleQueue[Task | None] = SimpleQueue()
        for task in every(share, seed, kinds):
            tasks.put(task)
        rows: list[Row] = []
        threads = [Thread(target=_drain, args=(material, tasks, rows, end)) for _ in range(workers)]
        for thread in threads:
            tasks.put(None)
            thread.start()
        for thread in threads:
            thread.join()
        if _hashes(material) != before:
            rows.append({"kind": "all", "number": 0, "problems": ["recordings or models were changed"], "status": -1})
        return rows
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _hashes(material: Path) -> dict[str, str]:
    from faults.judge import contents

    return {name: each for name, each in contents(material, material / "frames").items() if "__pycache__" not in name}


def _drain(material: Path, tasks: "SimpleQueue[Task | None]", rows: list[Row], end: float) -> None:
    worker = Worker(material)
    while (task := tasks.get()) is not None and time.monotonic() < end:
        rows.append(row := worker.judge(*task))
        if row["problems"]:
            print(f"{row['kind']}:{row['number']} {row.get('what', '')}: {'; '.join(row['problems'])}", flush=True)
    worker.close()


def summary(rows: list[Row], seconds: float) -> Row:
    """The counts by kind, and every case that breaks a promise."""
    kinds = {}
    for kind in COUNTS:
        own = [row for row in rows if row["kind"] == kind]
        kinds[kind] = {
            "cases": len(own),
            "accepted": sum(row["status"] == 0 for row in own),
            "refused": sum(row["status"] == 2 for row in own),
            "broken": sum(bool(row["problems"]) for row in own),
            "slowest_s": max((row["seconds"] for row in own), default=0.0),
            "peak_mb": round(max((row["peak_mb"] for row in own), default=0)),
        }
    broken = [row for row in rows if row["problems"]]
    return {"cases": len(rows), "seconds": round(seconds), "kinds": kinds, "broken": len(broken), "rows": broken}


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--share", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", action="append", choices=list(COUNTS))
    parser.add_argument("--workers", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--minutes", type=float, default=1e9)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--build", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--one", help="KIND:NUMBER, with all that it says")
    asked = parser.parse_args()
    if asked.work:
        work(asked.work)
        return 0
    if asked.build or asked.one:
        from faults.material import build, state

        folder = asked.build or Path(tempfile.mkdtemp(prefix="faults-")) / "material"
        build(folder)
        state(folder)
        if asked.one:
            kind, number = asked.one.split(":")
            print(json.dumps(one(kind, int(number), folder), indent=1))
        return 0
    began = time.monotonic()
    rows = campaign(asked.share, asked.workers, asked.seed, asked.kind or tuple(COUNTS), asked.minutes)
    found = summary(rows, time.monotonic() - began)
    if asked.json:
        from earful.kshot.machine import machine

        found |= {"machine": machine(), "seed": asked.seed}
        asked.json.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    print(json.dumps({key: value for key, value in found.items() if key != "rows"}))
    print(dict(Counter(problem for row in found["rows"] for problem in row["problems"])))
    return 1 if found["broken"] else 0


if __name__ == "__main__":
    sys.exit(main())
