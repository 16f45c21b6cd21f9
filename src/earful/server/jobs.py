"""Adaptations: one at a time, each in a process of its own; how far it is stands in the database.

A server that ends, or is killed, leaves its job to the next one, which goes on from the state that the adaptation has
saved. So does one whose disk was full, when there is room. What a job needs lies in `jobs/ID` in the home until it has
ended.
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
"""Bytes that are free before a job goes on that found none."""
_GRACE_S, _AGAIN_S = 10.0, 5.0
log = logging.getLogger("earful.server")


class Jobs:
    """The queue, and the thread that minds the process. `made` is told of each result that there is."""

    def __init__(
        self, home: Path, store: Store, events: Events, made: Callable[[dict[str, Any]], None], nice: int
    ) -> None:
        self._nice, self._folder, self._store, self._events, self._made = nice, home / "jobs", store, events, made
        self._wake, self._ends, self._lock, self._left = Event(), False, Lock(), list[Path]()
        self._running: tuple[str, subprocess.Popen[str]] | None = None
        self._thread = Thread(target=self._work, name="earful-jobs")

    def begin(self) -> None:
        """Start, with what was queued or running when the last server ended."""
        self._left = list(self._folder.iterdir()) if self._folder.is_dir() else []
        self._thread.start()

    def _resume(self) -> None:
        """Queue what was running, and remove what an earlier server has left of no job."""
        with self._store.writing() as db:
            db.execute("UPDATE jobs SET state = 'queued' WHERE state = 'running'")
            waiting = {row["id"] for row in db.execute("SELECT id FROM jobs WHERE state = 'queued'")}
        for folder in self._left:
            if folder.name not in waiting:
                shutil.rmtree(folder, ignore_errors=True)  # of a server that died before it could

    def end(self) -> None:
        """Stop; the job that runs goes on at the next start."""
        self._ends = True
        self._wake.set()
        with self._lock:
            self._stop()
        if self._thread.ident is not None:
            self._thread.join()

    def add(
        self, model: str, spec: dict[str, Any], project: str | None = None, id: str | None = None
    ) -> dict[str, Any]:
        """Queue an adaptation of a model; answers the job."""
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
        """Raises Problem (404)."""
        with self._store.reading() as db:
            row = db.execute("SELECT * FROM jobs WHERE id = ?", (id,)).fetchone()
        if row is None:
            raise Problem(404, f"there is no job {id[:50]!r}", code="job_not_found")
        return shown(row)

    def all(self) -> list[dict[str, Any]]:
        """The newest first."""
        with self._store.reading() as db:
            return [shown(row) for row in db.execute("SELECT * FROM jobs ORDER BY created DESC, id")]

    def cancel(self, id: str) -> dict[str, Any]:
        """End a job; one that is over stays as it is. Raises Problem (404)."""
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
        """Where a job keeps its clips and its state."""
        return self._folder / id

    def forget(self, id: str) -> None:
        """Remove what was laid out for a job that is not to be."""
        shutil.rmtree(self.folder(id), ignore_errors=True)

    def _work(self) -> None:
        resumed = False
        while not self._ends:
            self._wake.clear()
            try:
                if not resumed:  # a server begins on a full disk, too
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
            except (OSError, sqlite3.Error) as error:  # no room: it is tried again, and goes on when there is
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
        """Note how far it is; answers the last that it says."""
        assert process.stdout is not None and process.stdin is not None
        last: dict[str, Any] = {}
        with process.stdout, process.stdin:
            for line in process.stdout:
                try:
                    last = json.loads(line)
                    if "stage" in last:
                        self._set(id, **{key: last[key] for key in ("stage", "share", "left_s")}, only="running")
                except ValueError:  # a process that was killed has not finished it
                    continue
                except sqlite3.Error as error:  # no room; that news is not worth the job
                    log.warning("job %s: %s", id, error)
        return last

    def _concluded(self, id: str, last: Mapping[str, Any]) -> bool:
        """Note how it ended; whether that could be written."""
        with self._lock:
            try:
                if self._ends and "done" not in last:
                    return True  # it is queued again at the next start
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
        """Remove what a job needed; and, where it was not done, the folder that it kept for a model."""
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
        """Ask the process to end; make it, if it does not."""
        if self._running is None:
            return
        process = self._running[1]
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            process.kill()


def started(folder: Path, nice: int) -> "subprocess.Popen[str]":
    """The process of a job. It computes on half of the processors, and ends when this one does: its input ends then."""
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
    """A job as clients see it."""
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
