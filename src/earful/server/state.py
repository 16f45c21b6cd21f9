"""The state that all routes share, and the handling of a finished adaptation."""

import json
import shutil
import sqlite3
from dataclasses import dataclass
from typing import Any

from earful.server.chores import Chores
from earful.server.decoding import Decoders
from earful.server.events import Events
from earful.server.jobs import Jobs
from earful.server.models import Models
from earful.server.pool import Pool
from earful.server.problems import Problem
from earful.server.projects import project
from earful.server.settings import Settings
from earful.server.store import Store, now


@dataclass(frozen=True)
class State:
    """Settings, database, models, decoders of uploads, thread pool, events, jobs and background work."""

    settings: Settings
    store: Store
    models: Models
    decoders: Decoders
    pool: Pool
    events: Events
    jobs: Jobs
    chores: Chores

    def begin(self) -> None:
        """Start the background work, once the server's event loop runs."""
        self.events.begin()
        self.chores.begin()
        self.jobs.begin()

    def end(self) -> None:
        """End all background work; the next server continues it."""
        self.jobs.end()
        self.chores.end()
        self.pool.close()
        self.decoders.close()
        self.store.close()


def state_of(settings: Settings) -> State:
    """The state of a new server in its home folder.

    Raises CheckpointError: a given folder is not a model; ConfigError: the database is unusable; OSError: the home
    folder is not writable.
    """
    shutil.rmtree(settings.incoming, ignore_errors=True)
    for folder in (
        settings.home,
        settings.recordings,
        settings.originals,
        settings.made,
        settings.incoming,
        settings.trash,
    ):
        folder.mkdir(parents=True, exist_ok=True)
    models, store, events = Models(settings), Store(settings.home), Events()
    chores = Chores(settings.recordings, store, models, events)
    jobs = Jobs(settings.home, store, events, lambda result: taken(store, chores, result), settings.nice)
    pool = Pool(settings.workers, settings.waiting)
    return State(settings, store, models, Decoders(settings), pool, events, jobs, chores)


def taken(store: Store, chores: Chores, result: dict[str, Any]) -> None:
    """Record a new model; its project uses it from now on, for new drafts of all unedited segments."""
    with store.writing() as db:
        job = db.execute("SELECT * FROM jobs WHERE id = ?", (result["job"],)).fetchone()
        report = json.dumps({key: value for key, value in result.items() if key != "job"}, ensure_ascii=False)
        row = (result["model"], job["project"], job["model"], now(), result["clips"], report)
        db.execute("INSERT OR REPLACE INTO models VALUES (?, ?, ?, ?, ?, ?)", row)
        if still_there(db, job["project"]):
            db.execute("UPDATE projects SET model = ? WHERE id = ?", (result["model"], job["project"]))
    if job["project"]:
        chores.draft_project(job["project"])


def still_there(db: sqlite3.Connection, id: str | None) -> bool:
    """Whether a project exists and was not deleted meanwhile."""
    if id is None:
        return False
    try:
        project(db, id)
    except Problem:
        return False
    return True
