"""Segments of recordings: their spans and texts, and every edit, with undo.

Edits are only added. Undo and redo are edits, too, which refer to the edit that they revert.
"""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from earful.server.problems import Problem
from earful.server.projects import recording
from earful.server.store import new_id, now
from earful.transcript import Transcript

FIELDS = ("text", "state", "start_s", "end_s")
UNTOUCHED = ("empty", "draft")
_SHORTEST_S = 0.05


def add_segments(db: sqlite3.Connection, recording_id: str, spans: Sequence[tuple[float, float]]) -> list[str]:
    """Add segments without text, and return their ids."""
    ids = [new_id() for _ in spans]
    db.executemany(
        "INSERT INTO segments (id, recording, start_s, end_s) VALUES (?, ?, ?, ?)",
        [(id, recording_id, start_s, end_s) for id, (start_s, end_s) in zip(ids, spans, strict=True)],
    )
    return ids


def segment(db: sqlite3.Connection, id: str) -> sqlite3.Row:
    """Raises Problem (404)."""
    found: sqlite3.Row | None = db.execute(
        "SELECT s.* FROM segments s JOIN recordings r ON r.id = s.recording WHERE s.id = ? AND r.deleted IS NULL", (id,)
    ).fetchone()
    if found is None:
        raise Problem(404, f"there is no segment {id[:50]!r}", code="segment_not_found")
    return found


def segments_of_recording(db: sqlite3.Connection, id: str) -> list[sqlite3.Row]:
    """The segments of a recording, by time. Raises Problem (404)."""
    recording(db, id)
    return db.execute("SELECT * FROM segments WHERE recording = ? ORDER BY start_s, id", (id,)).fetchall()


def segments_of_project(db: sqlite3.Connection, id: str, order: str = "time") -> list[sqlite3.Row]:
    """The segments of a project, by time; or by rank, ranked ones first."""
    by = {"time": "r.created, r.id, s.start_s", "teaching": "s.rank IS NULL, s.rank, r.created, r.id, s.start_s"}[order]
    return db.execute(
        f"SELECT s.* FROM segments s JOIN recordings r ON r.id = s.recording "
        f"WHERE r.project = ? AND r.deleted IS NULL ORDER BY {by}, s.id",
        (id,),
    ).fetchall()


def shown_segment(row: sqlite3.Row) -> dict[str, Any]:
    """A segment in the form for clients."""
    kept = ("id", "recording", "start_s", "end_s", "draft", "text", "state", "version", "rank")
    return {**{key: row[key] for key in kept}, "words": json.loads(row["words"])}


def write_draft(db: sqlite3.Connection, id: str, transcript: Transcript, model: str) -> bool:
    """Store the draft of a model if nobody has edited the segment; return whether it was stored."""
    row = segment(db, id)
    if row["state"] not in UNTOUCHED:
        return False
    words = [
        {
            "text": each.text,
            "start_s": round(row["start_s"] + each.start_s, 3),
            "end_s": round(row["start_s"] + each.end_s, 3),
            "confidence": round(each.confidence, 4),
        }
        for each in transcript.words
    ]
    db.execute(
        "UPDATE segments SET draft = ?, text = ?, words = ?, drafted_by = ?, state = ?, version = version + 1 "
        "WHERE id = ?",
        (
            transcript.text,
            transcript.text,
            json.dumps(words, ensure_ascii=False),
            model,
            "draft" if transcript.text else "empty",
            id,
        ),
    )
    return True


def edit(db: sqlite3.Connection, id: str, version: int, values: Mapping[str, Any], who: str) -> sqlite3.Row:
    """Edit one field or several. A new text without a new state sets the state `corrected`.

    Raises Problem: 409, with the current segment, if it has changed since `version`; 400 for impossible times.
    """
    row = segment(db, id)
    if row["version"] != version:
        message = f"the segment is at version {row['version']} now, not {version}; look at it and try again"
        raise Problem(409, message, param="version", code="changed", more={"segment": shown_segment(row)})
    new = dict(values)
    if "text" in new and new["text"] != row["text"]:
        new.setdefault("state", "corrected")
    changed = {key: new[key] for key in FIELDS if key in new and new[key] != row[key]}
    _check_span(db, row, changed)
    return _set(db, row, changed, "edit", None, who) if changed else row


def take_back(db: sqlite3.Connection, id: str, who: str) -> sqlite3.Row:
    """Undo the last edit that is not undone. Raises Problem (409): there is none."""
    row, (standing, _) = segment(db, id), _standing(db, id)
    if not standing:
        raise Problem(409, "there is nothing to undo", code="nothing")
    values = {each["field"]: json.loads(each["before"]) for each in _fields(db, standing[-1])}
    return _set(db, row, values, "undo", standing[-1], who)


def do_again(db: sqlite3.Connection, id: str, who: str) -> sqlite3.Row:
    """Redo the edit that was undone last. Raises Problem (409): there is none."""
    row, (_, undone) = segment(db, id), _standing(db, id)
    if not undone:
        raise Problem(409, "there is nothing to redo", code="nothing")
    values = {each["field"]: json.loads(each["after"]) for each in _fields(db, undone[-1])}
    return _set(db, row, values, "redo", undone[-1], who)


def history(db: sqlite3.Connection, id: str) -> list[dict[str, Any]]:
    """All edits of a segment, the oldest first."""
    segment(db, id)
    return [
        {
            "at": each["at"],
            "who": each["who"],
            "kind": each["kind"],
            "field": each["field"],
            "before": json.loads(each["before"]),
            "after": json.loads(each["after"]),
        }
        for each in db.execute("SELECT * FROM edits WHERE segment = ? ORDER BY id", (id,))
    ]


def _set(
    db: sqlite3.Connection, row: sqlite3.Row, values: Mapping[str, Any], kind: str, of: str | None, who: str
) -> sqlite3.Row:
    """Write values, and record the old ones."""
    change, at = new_id(), now()
    for field, value in values.items():
        before, after = (json.dumps(each, ensure_ascii=False) for each in (row[field], value))
        db.execute(
            "INSERT INTO edits (segment, change, kind, of, at, who, field, before, after) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (row["id"], change, kind, of, at, who, field, before, after),
        )
        db.execute(f"UPDATE segments SET {field} = ? WHERE id = ?", (value, row["id"]))  # one of FIELDS
    db.execute("UPDATE segments SET version = version + 1 WHERE id = ?", (row["id"],))
    return segment(db, row["id"])


def _standing(db: sqlite3.Connection, id: str) -> tuple[list[str], list[str]]:
    """The edits that are not undone, and those that can be redone, each with the latest last."""
    standing, undone = list[str](), list[str]()
    for each in db.execute(
        "SELECT change, kind, of FROM edits WHERE segment = ? GROUP BY change ORDER BY min(id)", (id,)
    ):
        if each["kind"] == "undo":
            undone.append(standing.pop())
        elif each["kind"] == "redo":
            standing.append(undone.pop())
        else:
            standing.append(each["change"])
            undone.clear()
    return standing, undone


def _fields(db: sqlite3.Connection, change: str) -> list[sqlite3.Row]:
    return db.execute("SELECT * FROM edits WHERE change = ? ORDER BY id", (change,)).fetchall()


def _check_span(db: sqlite3.Connection, row: sqlite3.Row, changed: Mapping[str, Any]) -> None:
    start_s, end_s = (changed.get(key, row[key]) for key in ("start_s", "end_s"))
    if "start_s" in changed or "end_s" in changed:
        check_span(start_s, end_s, recording(db, row["recording"])["duration_s"])


def check_span(start_s: float, end_s: float, duration_s: float) -> None:
    """Raise Problem (400) if the times are outside the recording or in the wrong order."""
    if not (start_s >= 0 and start_s + _SHORTEST_S <= end_s <= duration_s + _SHORTEST_S):
        message = f"a segment from {start_s} to {end_s} s cannot be in a recording of {duration_s:.3f} s"
        raise Problem(400, message, param="start_s", code="out_of_range")
