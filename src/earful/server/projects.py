"""Projects and their recordings, in the database."""

import json
import sqlite3
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from earful.server.problems import Problem
from earful.server.store import new_id, now
from earful.text.languages import canonical, likely_script

_FROM_THE_RIGHT = frozenset(
    ("Adlm", "Arab", "Aran", "Hebr", "Mand", "Mend", "Nkoo", "Rohg", "Samr", "Syrc", "Thaa", "Yezi")
)
_SCRIPTS = {
    "Arab": "ARABIC",
    "Aran": "ARABIC",
    "Armn": "ARMENIAN",
    "Beng": "BENGALI",
    "Cyrl": "CYRILLIC",
    "Deva": "DEVANAGARI",
    "Ethi": "ETHIOPIC",
    "Geor": "GEORGIAN",
    "Grek": "GREEK",
    "Gujr": "GUJARATI",
    "Guru": "GURMUKHI",
    "Hebr": "HEBREW",
    "Khmr": "KHMER",
    "Knda": "KANNADA",
    "Laoo": "LAO",
    "Latn": "LATIN",
    "Mlym": "MALAYALAM",
    "Mymr": "MYANMAR",
    "Sinh": "SINHALA",
    "Taml": "TAMIL",
    "Telu": "TELUGU",
    "Thai": "THAI",
    "Tibt": "TIBETAN",
}
"""ISO codes of scripts, and their names in Unicode names of letters."""
_COUNTS = """
    SELECT count(DISTINCT r.id) AS recordings, count(s.id) AS segments,
        coalesce(sum(s.state = 'accepted'), 0) AS accepted
    FROM recordings r LEFT JOIN segments s ON s.recording = r.id WHERE r.project = ? AND r.deleted IS NULL
"""


def add_project(db: sqlite3.Connection, name: str, language: str, model: str, letters: Sequence[str]) -> str:
    """Create a project, and return its id. The likely script of its language gives the writing direction."""
    tag, id = canonical(language) if language else "", new_id()
    given = (id, name, tag, model, model, json.dumps(list(letters), ensure_ascii=False), direction_of(tag), now())
    db.execute("INSERT INTO projects VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL)", given)
    return id


def direction_of(language: str) -> str:
    """`rtl` or `ltr`."""
    return "rtl" if language and likely_script(language) in _FROM_THE_RIGHT else "ltr"


def project(db: sqlite3.Connection, id: str) -> sqlite3.Row:
    """The row of a project. Raises Problem (404)."""
    return _only(db.execute("SELECT * FROM projects WHERE id = ? AND deleted IS NULL", (id,)), "project", id)


def projects(db: sqlite3.Connection) -> list[sqlite3.Row]:
    """All projects, the oldest first."""
    return db.execute("SELECT * FROM projects WHERE deleted IS NULL ORDER BY created, id").fetchall()


def shown_project(
    db: sqlite3.Connection, row: sqlite3.Row, of_model: Sequence[str] = (), of_base: Sequence[str] = ()
) -> dict[str, Any]:
    """A project in the form for clients; `of_model` are the letters of its model, `of_base` those of a base.

    A base has letters of many languages: without other information, those of the language's script are shown.
    """
    counts = dict(db.execute(_COUNTS, (row["id"],)).fetchone())
    written = db.execute(
        "SELECT s.text FROM segments s JOIN recordings r ON r.id = s.recording "
        "WHERE r.project = ? AND r.deleted IS NULL AND s.state IN ('accepted', 'corrected')",
        (row["id"],),
    )
    chosen = json.loads(row["letters"])
    letters = chosen or special([*of_model, *(each["text"] for each in written)])
    letters = letters or special(in_script(of_base, row["language"]))
    kept = {key: row[key] for key in ("id", "name", "language", "model", "direction", "created")}
    return {**kept, "letters": letters, "counts": counts}


def special(texts: Sequence[str]) -> list[str]:
    """The letters of texts that a keyboard may lack: those beyond ASCII, in lower case."""
    found = {c for text in texts for c in text.lower() if ord(c) > 127 and (c.isalpha() or _is_mark(c))}
    return sorted(found)


def in_script(letters: Sequence[str], language: str) -> list[str]:
    """The letters and marks in the likely script of a language; Latin ones if the language is unknown.

    Only for scripts that are typed letter by letter.
    """
    wanted = _SCRIPTS.get(likely_script(language) or "" if language else "Latn")
    return [each for each in letters if wanted and unicodedata.name(each[0], "").split(" ")[0] == wanted]


def change_project(db: sqlite3.Connection, id: str, values: dict[str, Any]) -> None:
    """Change some of name, language, model, letters and direction."""
    project(db, id)
    if "language" in values:
        values["language"] = canonical(values["language"]) if values["language"] else ""
        values.setdefault("direction", direction_of(values["language"]))
    if "letters" in values:
        values["letters"] = json.dumps(values["letters"], ensure_ascii=False)
    for key, value in values.items():
        db.execute(f"UPDATE projects SET {key} = ? WHERE id = ?", (value, id))  # the keys are those of a schema


def delete_project(db: sqlite3.Connection, id: str) -> list[str]:
    """Hide a project and its recordings; return the hashes of sound that no recording uses any more."""
    project(db, id)
    db.execute("UPDATE projects SET deleted = ? WHERE id = ?", (now(), id))
    gone = [each["id"] for each in recordings(db, id)]
    return [sha256 for each in gone for sha256 in delete_recording(db, each)]


def add_recording(
    db: sqlite3.Connection, project_id: str, name: str, sha256: str, duration_s: float, warnings: Sequence[str] = ()
) -> str:
    """Add a recording in the state `waiting`, or find the project's recording with this sound; return its id.

    `warnings` are about the file. They are stored once, and count for later uploads of the same sound, too.
    """
    project(db, project_id)
    same = db.execute(
        "SELECT id FROM recordings WHERE project = ? AND sha256 = ? AND deleted IS NULL", (project_id, sha256)
    ).fetchone()
    if same:
        return str(same["id"])
    id = new_id()
    known = db.execute("SELECT warnings FROM recordings WHERE sha256 = ? ORDER BY created", (sha256,)).fetchone()
    said = json.dumps(list(warnings), ensure_ascii=False) if warnings or known is None else known["warnings"]
    given = (id, project_id, name, sha256, duration_s, now(), said)
    db.execute("INSERT INTO recordings VALUES (?, ?, ?, ?, ?, 'waiting', NULL, ?, NULL, ?)", given)
    return id


def recording(db: sqlite3.Connection, id: str) -> sqlite3.Row:
    """The row of a recording. Raises Problem (404)."""
    return _only(db.execute("SELECT * FROM recordings WHERE id = ? AND deleted IS NULL", (id,)), "recording", id)


def recordings(db: sqlite3.Connection, project_id: str) -> list[sqlite3.Row]:
    """The recordings of a project, the oldest first."""
    project_id = str(project_id)
    return db.execute(
        "SELECT * FROM recordings WHERE project = ? AND deleted IS NULL ORDER BY created, id", (project_id,)
    ).fetchall()


def shown_recording(row: sqlite3.Row) -> dict[str, Any]:
    """A recording in the form for clients."""
    kept = ("id", "project", "name", "sha256", "duration_s", "state", "error", "created")
    return {**{key: row[key] for key in kept}, "warnings": json.loads(row["warnings"])}


def set_state(db: sqlite3.Connection, id: str, state: str, error: str | None = None) -> None:
    """Set the state of a recording: waiting, segmented, drafted or failed."""
    db.execute("UPDATE recordings SET state = ?, error = ? WHERE id = ?", (state, error, id))


def delete_recording(db: sqlite3.Connection, id: str) -> list[str]:
    """Hide a recording; return the hash of its sound if no other recording uses it."""
    sha256 = recording(db, id)["sha256"]
    db.execute("UPDATE recordings SET deleted = ? WHERE id = ?", (now(), id))
    (left,) = db.execute("SELECT count(*) FROM recordings WHERE sha256 = ? AND deleted IS NULL", (sha256,)).fetchone()
    return [] if left else [sha256]


def unfinished(db: sqlite3.Connection) -> Iterator[str]:
    """The ids of recordings whose cutting or drafting is not finished."""
    rows = db.execute(
        "SELECT id FROM recordings WHERE deleted IS NULL AND state IN ('waiting', 'segmented') ORDER BY created"
    )
    yield from [row["id"] for row in rows]


def sound_of(folder: Path, row: sqlite3.Row) -> Path:
    """The WAV file of a recording."""
    return folder / f"{row['sha256']}.wav"


def original_of(folder: Path, sha256: str) -> Path:
    """The original file of a recording, if it was kept."""
    return folder / f"{sha256}.original"


def _is_mark(letter: str) -> bool:
    return unicodedata.category(letter).startswith("M")


def _only(found: sqlite3.Cursor, what: str, id: str) -> sqlite3.Row:
    row: sqlite3.Row | None = found.fetchone()
    if row is None:
        raise Problem(404, f"there is no {what} {id[:50]!r}", code=f"{what}_not_found")
    return row
