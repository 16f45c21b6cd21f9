"""The database of the server, in SQLite: every answered change is on the disk.

Writes are durable (`synchronous=FULL`, write-ahead log), so a killed process loses nothing. Threads take turns on one
connection. `user_version` counts the applied `MIGRATIONS`.
"""

import secrets
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock

from earful.errors import ConfigError

FILE = "earful.sqlite"
MIGRATIONS = (
    """
    CREATE TABLE projects (
        id TEXT PRIMARY KEY, name TEXT NOT NULL, language TEXT NOT NULL, model TEXT NOT NULL, base TEXT NOT NULL,
        letters TEXT NOT NULL, direction TEXT NOT NULL, created REAL NOT NULL, deleted REAL
    );
    CREATE TABLE recordings (
        id TEXT PRIMARY KEY, project TEXT NOT NULL REFERENCES projects (id), name TEXT NOT NULL, sha256 TEXT NOT NULL,
        duration_s REAL NOT NULL, state TEXT NOT NULL, error TEXT, created REAL NOT NULL, deleted REAL
    );
    CREATE INDEX recordings_of ON recordings (project);
    CREATE TABLE segments (
        id TEXT PRIMARY KEY, recording TEXT NOT NULL REFERENCES recordings (id), start_s REAL NOT NULL,
        end_s REAL NOT NULL, draft TEXT NOT NULL DEFAULT '', words TEXT NOT NULL DEFAULT '[]', drafted_by TEXT,
        text TEXT NOT NULL DEFAULT '', state TEXT NOT NULL DEFAULT 'empty', version INTEGER NOT NULL DEFAULT 1,
        rank INTEGER
    );
    CREATE INDEX segments_of ON segments (recording, start_s);
    CREATE TABLE edits (
        id INTEGER PRIMARY KEY AUTOINCREMENT, segment TEXT NOT NULL REFERENCES segments (id), change TEXT NOT NULL,
        kind TEXT NOT NULL, of TEXT, at REAL NOT NULL, who TEXT NOT NULL, field TEXT NOT NULL, before TEXT NOT NULL,
        after TEXT NOT NULL
    );
    CREATE INDEX edits_of ON edits (segment, id);
    CREATE TABLE jobs (
        id TEXT PRIMARY KEY, kind TEXT NOT NULL, model TEXT NOT NULL, project TEXT, state TEXT NOT NULL,
        stage TEXT NOT NULL DEFAULT '', share REAL NOT NULL DEFAULT 0, left_s REAL, created REAL NOT NULL,
        started REAL, ended REAL, error TEXT, spec TEXT NOT NULL, result TEXT
    );
    CREATE TABLE models (
        name TEXT PRIMARY KEY, project TEXT, base TEXT NOT NULL, created REAL NOT NULL, clips INTEGER NOT NULL,
        report TEXT NOT NULL
    );
    """,
    "ALTER TABLE recordings ADD COLUMN warnings TEXT NOT NULL DEFAULT '[]'",
)


class Store:
    """The database in a home folder. Raises ConfigError: it is from a later version, or not a database."""

    def __init__(self, home: Path) -> None:
        self._lock = RLock()
        path = home / FILE
        try:
            self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=30)
            self._db.row_factory = sqlite3.Row
            for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
                self._db.execute(f"PRAGMA {pragma}")
            self._migrate(path)
        except sqlite3.DatabaseError as error:
            raise ConfigError(f"{path}: cannot be used ({error}); put back a copy of it, or give --home") from error

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The connection, locked for several consistent reads."""
        with self._lock:
            yield self._db

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """The connection in a transaction: after the block all of it is on the disk, or nothing."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:  # a full disk may have rolled it back already
                    self._db.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    def _migrate(self, path: Path) -> None:
        (done,) = self._db.execute("PRAGMA user_version").fetchone()
        if done > len(MIGRATIONS):
            raise ConfigError(f"{path}: was written by a later earful; update earful, or give --home")
        for number in range(done, len(MIGRATIONS)):
            steps = f"BEGIN IMMEDIATE; {MIGRATIONS[number]}; PRAGMA user_version={number + 1}; COMMIT;"
            self._db.executescript(steps)


def new_id() -> str:
    """A new unique id."""
    return secrets.token_hex(8)


def now() -> float:
    """The time in Unix seconds."""
    return round(time.time(), 3)
