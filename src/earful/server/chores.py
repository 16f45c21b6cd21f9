"""Background work on recordings: cut them into segments of speech, write drafts, and rank the segments.

One thread does one task after another. The database has the state of each recording, so a killed server continues where
it stopped.
"""

import logging
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import Any

import soundfile

from earful.errors import EarfulError
from earful.server.companion import Companion, CompanionError
from earful.server.events import Events
from earful.server.models import Models
from earful.server.problems import Problem
from earful.server.projects import project, recording, recordings, set_state, sound_of, unfinished
from earful.server.segments import UNTOUCHED, add_segments, segments_of_project, segments_of_recording, write_draft
from earful.server.store import Store
from earful.transcriber import Samples

IDLE_S = 60.0
"""Idle seconds after which the listener process ends, because torch takes much memory."""
_CUT_S, _RANK_S = 3600.0, 3600.0
log = logging.getLogger("earful.server")


@dataclass(frozen=True)
class Chore:
    """A task: `hear` a recording, write its drafts `anew`, or `rank` the segments of a project."""

    do: str
    id: str


class Chores:
    """The thread and its queue."""

    def __init__(self, folder: Path, store: Store, models: Models, events: Events) -> None:
        self._folder, self._store, self._models, self._events = folder, store, models, events
        self._waiting: Queue[Chore | None] = Queue()
        self._listener = Companion("earful.server.listener")
        self._thread = Thread(target=self._work, name="earful-chores")
        self._ends = False

    def begin(self) -> None:
        """Start, first with the unfinished work of an earlier server."""
        with self._store.reading() as db:
            for id in unfinished(db):
                self._waiting.put(Chore("hear", id))
        self._thread.start()

    def end(self) -> None:
        """Stop after the current segment."""
        self._ends = True
        self._waiting.put(None)
        self._listener.close()
        if self._thread.ident is not None:
            self._thread.join()

    def hear(self, recording_id: str) -> None:
        """Queue a new recording: cut it, and write drafts."""
        self._waiting.put(Chore("hear", recording_id))

    def draft_anew(self, recording_id: str) -> None:
        """Queue new drafts of a recording by its project's model, for segments that nobody has edited."""
        self._waiting.put(Chore("anew", recording_id))

    def rank(self, project_id: str) -> None:
        """Queue a ranking of the segments of a project."""
        self._waiting.put(Chore("rank", project_id))

    def draft_project(self, project_id: str) -> None:
        """Queue new drafts for all segments of a project that nobody has edited, and a new ranking."""
        with self._store.reading() as db:
            for row in recordings(db, project_id):
                self.draft_anew(row["id"])
        self.rank(project_id)

    def _work(self) -> None:
        while not self._ends:
            try:
                chore = self._waiting.get(timeout=IDLE_S)
            except Empty:
                self._listener.close()
                continue
            if chore is not None and not self._ends:
                self._do(chore)

    def _do(self, chore: Chore) -> None:
        try:
            if chore.do == "rank":
                self._rank(chore.id)
            else:
                self._hear(chore.id, anew=chore.do == "anew")
        except Problem:  # the recording, or its model, was deleted meanwhile
            return
        except (EarfulError, CompanionError, OSError, sqlite3.Error) as error:
            if not self._ends:
                self._failed(chore, error)

    def _hear(self, id: str, *, anew: bool) -> None:
        with self._store.reading() as db:
            row = recording(db, id)
        if row["state"] == "waiting":
            spans = self._asked({"do": "cut", "source": str(sound_of(self._folder, row))}, _CUT_S)["spans"]
            with self._store.writing() as db:
                add_segments(db, id, spans)
                set_state(db, id, "segmented")
            self._events.tell("recording", id, project=row["project"])
        self._draft(row, anew=anew)
        with self._store.writing() as db:
            set_state(db, id, "drafted")
        self._events.tell("recording", id, project=row["project"])
        if not anew and not any(each and each.do == "hear" for each in list(self._waiting.queue)):
            self.rank(row["project"])

    def _draft(self, row: sqlite3.Row, *, anew: bool) -> None:
        """Write drafts of segments that nobody has edited; without `anew`, only missing ones."""
        with self._store.reading() as db:
            model, found = project(db, row["project"])["model"], segments_of_recording(db, row["id"])
        transcriber = self._models.transcriber(model)
        for each in found:
            if self._ends:
                raise CompanionError(False)
            if each["state"] not in UNTOUCHED or (each["drafted_by"] is not None and not anew):
                continue
            samples_T = part_of(sound_of(self._folder, row), each["start_s"], each["end_s"])
            transcript = transcriber.transcribe(samples_T)
            with self._store.writing() as db:
                written = write_draft(db, each["id"], transcript, model)
            if written:
                self._events.tell("segment", each["id"], recording=row["id"])

    def _rank(self, id: str) -> None:
        with self._store.reading() as db:
            row, clips = project(db, id), self._clips(db, id)
        waiting = [each for each in clips if each["state"] in UNTOUCHED]
        known = [each for each in clips if each["state"] in ("accepted", "corrected")]
        asked = {"do": "rank", "model": str(self._models.find(row["model"]).folder), "waiting": waiting, "known": known}
        order = self._asked(asked, _RANK_S)["order"]
        with self._store.writing() as db:
            for each in clips:
                db.execute("UPDATE segments SET rank = NULL WHERE id = ?", (each["id"],))
            db.executemany("UPDATE segments SET rank = ? WHERE id = ?", list(enumerate(order, 1)))
        self._events.tell("project", id)

    def _clips(self, db: sqlite3.Connection, id: str) -> list[dict[str, Any]]:
        sounds = {row["id"]: str(sound_of(self._folder, row)) for row in recordings(db, id)}
        return [
            {
                "id": each["id"],
                "audio": sounds[each["recording"]],
                "start_s": each["start_s"],
                "duration_s": round(each["end_s"] - each["start_s"], 3),
                "state": each["state"],
            }
            for each in segments_of_project(db, id)
        ]

    def _asked(self, request: Mapping[str, Any], limit_s: float) -> dict[str, Any]:
        answered = self._listener.ask(request, limit_s)
        if "error" in answered:
            raise EarfulError(answered["error"])
        return answered

    def _failed(self, chore: Chore, error: Exception) -> None:
        """Record the error with the recording; after a failed ranking the order by time stays."""
        died = "the process that finds speech has ended; is there enough memory? Ask for drafts again"
        why = died if isinstance(error, CompanionError) else str(error)
        log.warning("%s %s: %s", chore.do, chore.id, why)
        if chore.do == "rank":
            return
        try:
            with self._store.writing() as db:
                set_state(db, chore.id, "failed", why)
        except sqlite3.Error:  # the disk is full for this, too: the recording waits in the database for the next start
            return
        self._events.tell("recording", chore.id)


def part_of(sound: Path, start_s: float, end_s: float) -> Samples:
    """Samples `[T]` from a WAV file of this server. Raises AudioError if it cannot be read."""
    from earful.errors import AudioError

    try:
        with soundfile.SoundFile(sound) as file:
            file.seek(min(round(start_s * file.samplerate), file.frames))
            samples_T: Samples = file.read(max(round((end_s - start_s) * file.samplerate), 1), "float32")
    except (OSError, soundfile.LibsndfileError) as error:
        raise AudioError(f"{sound.name}: the recording cannot be read; put it back from a copy") from error
    return samples_T
