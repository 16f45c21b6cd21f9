"""The transcript of a recording from its segments, in any format, and the export of a project."""

import json
import sqlite3
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from earful.data.utterance import unique_ids
from earful.server.problems import Problem
from earful.server.projects import original_of, project, recordings, sound_of
from earful.server.segments import segments_of_project, segments_of_recording, shown_segment
from earful.transcript import Transcript, Word
from earful.writers.formats import FORMATS, IN_XML, render

ALIASES = {"txt": "text"}
_SURE = 1.0
_LONGEST_SUFFIX = 10
_UNUSABLE = '<>:"/\\|?*'


def transcript_of(rows: Sequence[sqlite3.Row], duration_s: float) -> Transcript:
    """The transcript of segments, by time. Words of a person's text divide the time of the segment by their length."""
    words = [word for row in rows if row["state"] != "skipped" and row["text"].strip() for word in words_of(row)]
    mean = sum(word.confidence for word in words) / len(words) if words else 0.0
    return Transcript(" ".join(word.text for word in words), tuple(words), mean, duration_s)


def words_of(row: sqlite3.Row) -> list[Word]:
    """The words of a segment."""
    if row["text"] == row["draft"]:
        sure = _SURE if row["state"] == "accepted" else None
        heard = json.loads(row["words"])
        return [Word(w["text"], w["start_s"], w["end_s"], sure or w["confidence"]) for w in heard]
    texts = row["text"].split()
    each_s = (row["end_s"] - row["start_s"]) / sum(len(text) + 1 for text in texts)
    words, start_s = list[Word](), row["start_s"]
    for text in texts:
        end_s = start_s + each_s * (len(text) + 1)
        words.append(Word(text, start_s, end_s, _SURE))
        start_s = end_s
    return words


def format_named(name: str) -> str:
    """The name of a format in `writers`, in any case. Raises Problem (400)."""
    found = ALIASES.get(name.lower(), name.lower())
    if found not in FORMATS:
        raise Problem(400, f"format is {name[:50]!r}, must be one of {', '.join(FORMATS)}", param="format")
    return found


def written(transcript: Transcript, format: str, name: str, language: str) -> str:
    """The transcript in a format; the file links the recording `name` in the same folder."""
    root = "/" if format in IN_XML else ""  # so links contain no path of this machine
    place = Path(f"/{name}{FORMATS[format].suffix}")
    return render(transcript, format, f"{root}{name}.wav", place=place, language=language)


def stems(names: Sequence[str]) -> list[str]:
    """Distinct file names for recordings, valid in any file system and in XML.

    >>> stems(["a.wav", "a.mp3", "../b"])
    ['a', 'a#2', '.._b']
    """
    plain = ["".join("_" if c in _UNUSABLE or not c.isprintable() else c for c in name) for name in names]
    return unique_ids([(Path(name).stem or "recording")[:60] for name in plain])


def contents_of(db: sqlite3.Connection, id: str, folder: Path, originals: Path | None = None) -> dict[str, Path | str]:
    """The files of a project by name: sound, an ELAN file per recording, a manifest, segments, and every edit.

    `originals` is the folder of original files, as far as they were kept.

    Raises Problem (404).
    """
    row, found = project(db, id), recordings(db, id)
    names = dict(zip([each["id"] for each in found], stems([each["name"] for each in found]), strict=True))
    contents = dict[str, Path | str]()
    for each in found:
        name = names[each["id"]]
        contents[f"recordings/{name}.wav"] = sound_of(folder, each)
        said = transcript_of(segments_of_recording(db, each["id"]), each["duration_s"])
        contents[f"recordings/{name}.eaf"] = written(said, "eaf", name, row["language"])
        if originals is not None:
            contents[f"originals/{name}{suffix_of(each['name'])}"] = original_of(originals, each["sha256"])
    segments = segments_of_project(db, id)
    clips = [_clip(each, names, row["language"]) for each in segments if each["text"].strip()]
    contents["manifest.jsonl"] = _lines(clips)
    contents["segments.jsonl"] = _lines([shown_segment(each) for each in segments])
    contents["edits.jsonl"] = _lines([dict(each) for each in _edits(db, id)])
    return contents


def suffix_of(name: str) -> str:
    """The suffix of a file name if it is letters and digits, else an empty string.

    >>> suffix_of("talk.MP3"), suffix_of("talk"), suffix_of("talk.tar/x")
    ('.MP3', '', '')
    """
    suffix = Path(name).suffix
    return suffix if len(suffix) <= _LONGEST_SUFFIX and suffix[1:].isascii() and suffix[1:].isalnum() else ""


def pack(contents: Mapping[str, Path | str], out: Path) -> None:
    """Write files and texts into a zip. Raises OSError: the disk is full."""
    with zipfile.ZipFile(out, "w") as packed:
        for name, content in contents.items():
            if isinstance(content, str):
                packed.writestr(name, content)
            elif content.is_file():  # the original may not have been kept, or the file may have been removed
                packed.write(content, name)


def files_of(folder: Path) -> dict[str, Path | str]:
    """The files of a model, in a folder with its name."""
    return {f"{folder.name}/{path.relative_to(folder).as_posix()}": path for path in sorted(folder.rglob("*"))}


def _clip(row: sqlite3.Row, names: dict[str, str], language: str) -> dict[str, Any]:
    """A segment as a line of a manifest."""
    clip = {
        "audio_filepath": f"recordings/{names[row['recording']]}.wav",
        "offset": row["start_s"],
        "duration": round(row["end_s"] - row["start_s"], 3),
        "text": row["text"],
        "id": row["id"],
        "state": row["state"],
    }
    return clip | ({"language": language} if language else {})


def _edits(db: sqlite3.Connection, project_id: str) -> list[sqlite3.Row]:
    return db.execute(
        "SELECT e.* FROM edits e JOIN segments s ON s.id = e.segment JOIN recordings r ON r.id = s.recording "
        "WHERE r.project = ? AND r.deleted IS NULL ORDER BY e.id",
        (project_id,),
    ).fetchall()


def _lines(rows: Sequence[dict[str, Any]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
