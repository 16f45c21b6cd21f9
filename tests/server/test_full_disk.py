"""A disk that is full: the answer says so, nothing is half-written, and all goes on when there is room."""

import errno
import io
import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import soundfile
from fastapi.testclient import TestClient

from earful.errors import CheckpointError
from earful.server import jobs
from earful.server.app import application
from earful.server.companion import Companion
from earful.server.jobs import Jobs
from earful.server.problems import explained
from earful.server.room import is_full
from earful.server.settings import Settings
from earful.server.state import State
from earful.server.store import Store


@pytest.fixture
def served(settings: Settings, tmp_path: Path) -> Iterator[tuple[TestClient, State]]:
    app = application(replace(settings, home=tmp_path))
    with TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False) as client:
        yield client, app.state.earful


def test_a_database_without_room(served: tuple[TestClient, State]) -> None:
    client, state = served
    first = client.post("/api/projects", json={"name": "first"}).json()["id"]
    with state.store.reading() as db:
        pages = db.execute("PRAGMA page_count").fetchone()[0]
        db.execute(f"PRAGMA max_page_count = {pages}")
    answers = [client.post("/api/projects", json={"name": "x" * 200}) for _ in range(40)]
    full = [each for each in answers if each.status_code != 201]
    assert full and {each.status_code for each in full} == {507}
    assert full[0].json()["error"]["code"] == "disk_full"
    assert client.get(f"/api/projects/{first}").status_code == 200, "what is there can be read"
    with state.store.reading() as db:
        db.execute("PRAGMA max_page_count = 100000")
        assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    assert client.post("/api/projects", json={"name": "after"}).status_code == 201
    written = [each for each in answers if each.status_code == 201]
    assert len(client.get("/api/projects").json()) == 2 + len(written), "what was refused is not there"


def test_a_recording_without_room(served: tuple[TestClient, State], tones, monkeypatch: pytest.MonkeyPatch) -> None:
    client, state = served
    project = client.post("/api/projects", json={"name": "talks"}).json()["id"]
    sound = io.BytesIO()
    soundfile.write(sound, tones("abba"), 16_000, format="WAV")

    def add() -> int:
        files = {"file": ("a.wav", sound.getvalue())}
        return client.post(f"/api/projects/{project}/recordings", files=files).status_code

    with monkeypatch.context() as full:
        full.setattr(Companion, "ask", lambda *_: {"error": "no room", "errno": errno.ENOSPC})
        full.setattr("earful.server.decoding.shutil.disk_usage", lambda _: type("Usage", (), {"free": 0}))
        assert add() == 507
    assert not list(state.settings.recordings.iterdir()) and not list(state.settings.incoming.iterdir())
    assert client.get(f"/api/projects/{project}/recordings").json() == []
    assert add() == 201, "when there is room, it goes on"


def test_a_job_that_finds_no_room_waits_for_it(
    served: tuple[TestClient, State], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its clips stay, and it is tried again: not before there is room."""
    _, state = served
    says = [{"failed": "no room", "full": True}, {"failed": "no good", "full": False}]
    left, begun = list(says), list[str]()

    def started(folder: Path, _: int) -> "subprocess.Popen[str]":
        begun.append(folder.name)
        command = [sys.executable, "-c", f"print({json.dumps(json.dumps(left.pop(0)))})"]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    monkeypatch.setattr(jobs, "started", started)
    monkeypatch.setattr(jobs, "_AGAIN_S", 0.05)
    monkeypatch.setattr(jobs, "ROOM", 2**60)
    (out := tmp_path / "models" / "made").mkdir()
    id = state.jobs.add("tiny", {"out": str(out)})["id"]
    end = time.monotonic() + 60
    while state.jobs.find(id)["stage"] != jobs.NO_ROOM and time.monotonic() < end:
        time.sleep(0.05)
    time.sleep(0.3)
    assert state.jobs.find(id)["state"] == "queued" and begun == [id]
    assert state.jobs.folder(id).is_dir() and out.is_dir(), "what it goes on from is kept"
    monkeypatch.setattr(jobs, "ROOM", 0)
    while state.jobs.find(id)["state"] != "failed" and time.monotonic() < end:
        time.sleep(0.05)
    assert state.jobs.find(id)["error"] == "no good" and begun == [id, id]
    while state.jobs.folder(id).exists() and time.monotonic() < end:
        time.sleep(0.05)
    assert not state.jobs.folder(id).exists() and not out.exists()


def test_a_server_begins_on_a_full_disk(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It answers what can be read; the job that it found goes on when there is room."""
    app, full = application(replace(settings, home=tmp_path)), [True]
    store, writing = app.state.earful.store, Store.writing
    with store.writing() as db:
        row = ("found", "adaptation", "tiny", "running", 1.0, json.dumps({"out": str(tmp_path / "made")}))
        db.execute("INSERT INTO jobs (id, kind, model, state, created, spec) VALUES (?, ?, ?, ?, ?, ?)", row)

    @contextmanager
    def no_room(of: Store) -> Iterator[Any]:
        if full[0]:
            raise sqlite3.OperationalError("database or disk is full")
        with writing(of) as db:
            yield db

    def started(folder: Path, _: int) -> "subprocess.Popen[str]":
        command = [sys.executable, "-c", """print('{"failed": "no good"}')"""]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    monkeypatch.setattr(Store, "writing", no_room)
    monkeypatch.setattr(jobs, "started", started)
    monkeypatch.setattr(jobs, "_AGAIN_S", 0.05)
    with TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False) as client:
        assert client.get("/v1/jobs").json()["data"][0]["state"] == "running"
        assert client.post("/api/projects", json={"name": "x"}).status_code == 507
        full[0], end = False, time.monotonic() + 60
        while client.get("/v1/jobs/found").json()["state"] != "failed" and time.monotonic() < end:
            time.sleep(0.05)
        assert client.get("/v1/jobs/found").json()["error"] == "no good"


def test_a_server_that_cannot_begin_ends(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And no thread of it keeps the process."""

    def fails(_: Jobs) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(Jobs, "begin", fails)
    app = application(replace(settings, home=tmp_path))
    with pytest.raises(sqlite3.OperationalError), TestClient(app):
        pass
    assert not [thread for thread in threading.enumerate() if thread.name == "earful-chores" and thread.is_alive()]


def test_what_is_a_full_disk() -> None:
    wrapped = CheckpointError("model: cannot be written; free some space")
    wrapped.__cause__ = OSError(errno.ENOSPC, "full")
    assert is_full(wrapped) and explained(wrapped).status == 507, "whoever said it otherwise"
    assert is_full(ValueError(f"I/O error: {os.strerror(errno.ENOSPC)} (os error 28)"))
    assert is_full(OSError(errno.ENOSPC, "full")) and is_full(OSError(errno.EDQUOT, "quota"))
    assert not is_full(OSError(errno.EACCES, "no")) and not is_full(ValueError())
    assert explained(OSError(errno.ENOSPC, "full", "secret-place")).message.find("secret-place") == -1


def test_a_fault_tells_nothing_of_the_inside() -> None:
    problem = explained(ZeroDivisionError("secret"))
    assert problem.status == 500 and "secret" not in problem.message
