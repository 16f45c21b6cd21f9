"""Adaptation jobs: one at a time, each in its own process, with their state in the database.

If a server ends or is killed, the next one continues its job from the saved state of the adaptation. If the disk was
full, the job continues when there is space. The files of a job are in `jobs/ID` in the home folder until it has ended.
"""

import json
import logging
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any

from earful.environment import LEAN
from earful.server.events import Events
from earful.server.problems import Problem
from earful.server.settings import processors
from earful.server.store import Store, new_id, now
from earful.writing import replacing

OVER = ("done", "failed", "cancelled")
SPEC, RESULT = "spec.json", "result.json"
NO_ROOM = "waiting for room on the disk"
ROOM = 32 * 2**20
"""Free bytes that a job needs to continue after the disk was full."""
_GRACE_S, _AGAIN_S = 10.0, 5.0
log = logging.getLogger("earful.server")


class Jobs:
    """The queue, and the thread that watches the process. `made` is called with each result."""

    def __init__(
        self, home: Path, store: Store, events: Events, made: Callable[[dict[str, Any]], None], nice: int
    ) -> None:
        self._nice, self._folder, self._store, self._events, self._made = nice, home / "jobs", store, events, made
        self._wake, self._ends, self._lock, self._left = Event(), False, Lock(), list[Path]()
        self._running: tuple[str, subprocess.Popen[str]] | None = None
        self._thread = Thread(target=self._work, name="earful-jobs")

    def begin(self) -> None:
        """Start, first with the jobs that were queued or running when the last server ended."""
        self._left = list(self._folder.iterdir()) if self._folder.is_dir() else []
        self._thread.start()

    def _resume(self) -> None:
        """Queue the running jobs again, and remove folders without a job."""
        with self._store.writing() as db:
            db.execute("UPDATE jobs SET state = 'queued' WHERE state = 'running'")
            waiting = {row["id"] for row in db.execute("SELECT id FROM jobs WHERE state = 'queued'")}
        for folder in self._left:
            if folder.name not in waiting:
                shutil.rmtree(folder, ignore_errors=True)  # left by a server that was killed

    def end(self) -> None:
        """Stop; the running job continues at the next start."""
        self._ends = True
        self._wake.set()
        with self._lock:
            self._stop()
        if self._thread.ident is not None:
            self._thread.join()

    def add(
        self, model: str, spec: dict[str, Any], project: str | None = None, id: str | None = None
    ) -> dict[str, Any]:
        """Queue an adaptation of a model, and return the job."""
        id = id or new_id()
        with self._store.writing() as db:
            db.execute(
                "INSERT INTO jobs (id, kind, model, project, state, created, spec) "
                "VALUES (?, 'adaptation', ?, ?, 'queued', ?, ?)",
                (id, model, project, now(), json.dumps(spec, ensure_ascii=False)),
            )
        self._events.tell("job", id)
        self._wake.set()
        return self.find(id)

    def find(self, id: str) -> dict[str, Any]:
        """The job with this id. Raises Problem (404)."""
        with self._store.reading() as db:
            row = db.execute("SELECT * FROM jobs WHERE id = ?", (id,)).fetchone()
        if row is None:
            raise Problem(404, f"there is no job {id[:50]!r}", code="job_not_found")
        return shown(row)

    def all(self) -> list[dict[str, Any]]:
        """All jobs, the newest first."""
        with self._store.reading() as db:
            return [shown(row) for row in db.execute("SELECT * FROM jobs ORDER BY created DESC, id")]

    def cancel(self, id: str) -> dict[str, Any]:
        """Cancel a job; a finished one stays as it is. Raises Problem (404)."""
        with self._lock:
            if self.find(id)["state"] in OVER:
                return self.find(id)
            self._set(id, state="cancelled", ended=now(), left_s=None)
            if self._running is not None and self._running[0] == id:
                self._stop()  # the thread clears up
            else:
                self._clear(id)
        return self.find(id)

    def folder(self, id: str) -> Path:
        """The folder for the clips and the state of a job."""
        return self._folder / id

    def forget(self, id: str) -> None:
        """Remove the folder of a job that was not queued."""
        shutil.rmtree(self.folder(id), ignore_errors=True)

    def _work(self) -> None:
        resumed = False
        while not self._ends:
            self._wake.clear()
            try:
                if not resumed:  # a server also starts with a full disk
                    self._resume()
                    resumed = True
                with self._store.reading() as db:
                    row = db.execute("SELECT * FROM jobs WHERE state = 'queued' ORDER BY created, id").fetchone()
                if row is not None and row["stage"] == NO_ROOM and shutil.disk_usage(self._folder).free < ROOM:
                    self._wake.wait(_AGAIN_S)
                    continue
                if row is not None:
                    self._run(row)
                    continue
            except (OSError, sqlite3.Error) as error:  # the disk is full: try again until there is space
                log.error("jobs: %s", error)
                self._wake.wait(_AGAIN_S)
                continue
            self._wake.wait()

    def _run(self, row: sqlite3.Row) -> None:
        id, folder = row["id"], self.folder(row["id"])
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(folder / SPEC) as beside:
            beside.write_text(row["spec"], "utf-8", newline="\n")
        with self._lock:
            if self._ends or self.find(id)["state"] != "queued":  # cancelled just now
                return
            self._set(id, state="running", started=now())
            try:
                process = started(folder, self._nice)
            except OSError:
                self._set(id, state="queued")
                raise
            self._running = id, process
        last = self._mind(id, process)
        process.wait()
        while not self._concluded(id, last) and not self._ends:
            self._wake.wait(_AGAIN_S)
        with self._lock:
            self._running = None

    def _mind(self, id: str, process: "subprocess.Popen[str]") -> dict[str, Any]:
        """Record the progress of the process, and return its last message."""
        assert process.stdout is not None and process.stdin is not None
        last: dict[str, Any] = {}
        with process.stdout, process.stdin:
            for line in process.stdout:
                try:
                    last = json.loads(line)
                    if "stage" in last:
                        self._set(id, **{key: last[key] for key in ("stage", "share", "left_s")}, only="running")
                except ValueError:  # a killed process has not finished the job
                    continue
                except sqlite3.Error as error:  # the disk is full: progress is less important than the job
                    log.warning("job %s: %s", id, error)
        return last

    def _concluded(self, id: str, last: Mapping[str, Any]) -> bool:
        """Record the end of a job; whether that could be written."""
        with self._lock:
            try:
                if self._ends and "done" not in last:
                    return True  # the next start queues it again
                if self.find(id)["state"] == "running":
                    self._conclude(id, last)
                if self.find(id)["state"] in OVER:
                    self._clear(id)
            except sqlite3.Error as error:
                log.error("job %s: %s", id, error)
                return False
        return True

    def _conclude(self, id: str, last: Mapping[str, Any]) -> None:
        if "done" in last:
            self._made({"job": id, **last["done"]})
            result = json.dumps(last["done"], ensure_ascii=False)
            self._set(id, state="done", share=1.0, left_s=0, result=result, ended=now())
        elif last.get("full"):
            self._set(id, state="queued", stage=NO_ROOM, left_s=None)
        else:
            why = last.get("failed") or "the process of the adaptation died; is there enough memory?"
            self._set(id, state="failed", error=why, left_s=None, ended=now())

    def _clear(self, id: str) -> None:
        """Remove the folder of a job, and the reserved folder of its model if the job was not done."""
        with self._store.reading() as db:
            row = db.execute("SELECT state, spec FROM jobs WHERE id = ?", (id,)).fetchone()
        if row["state"] != "done":
            shutil.rmtree(json.loads(row["spec"])["out"], ignore_errors=True)
        self.forget(id)

    def _set(self, id: str, only: str | None = None, **values: Any) -> None:
        sets = ", ".join(f"{key} = ?" for key in values)
        with self._store.writing() as db:
            where = " AND state = ?" if only else ""
            db.execute(f"UPDATE jobs SET {sets} WHERE id = ?{where}", (*values.values(), id, *([only] if only else [])))
        self._events.tell("job", id)

    def _stop(self) -> None:
        """Ask the process to end, and kill it if it does not."""
        if self._running is None:
            return
        process = self._running[1]
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            process.kill()


def started(folder: Path, nice: int) -> "subprocess.Popen[str]":
    """Start the process of a job. It uses half of the processors, and exits with the server, when its input ends."""
    threads = str(max(processors() // 2, 1))
    limits = {"OMP_NUM_THREADS": threads, "NUMBA_NUM_THREADS": threads}
    return subprocess.Popen(
        [sys.executable, "-m", "earful.server.worker", str(folder), str(nice)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        encoding="utf-8",
        env={**os.environ, **LEAN, **limits},
        start_new_session=True,
    )


def shown(row: sqlite3.Row) -> dict[str, Any]:
    """A job in the form for clients."""
    kept = (
        "id",
        "kind",
        "model",
        "project",
        "state",
        "stage",
        "share",
        "left_s",
        "created",
        "started",
        "ended",
        "error",
    )
    return {**{key: row[key] for key in kept}, "result": json.loads(row["result"]) if row["result"] else None}
