"""The training clips of an adaptation, as a manifest in the folder of its job."""

import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from starlette.datastructures import UploadFile

from earful.data.manifest import Manifest, read_manifest, write_manifest
from earful.data.utterance import Utterance
from earful.errors import ManifestError
from earful.server.decoding import Decoders, received, shown
from earful.server.problems import Problem
from earful.server.projects import recordings, sound_of
from earful.server.segments import segments_of_project

MANIFEST, CLIPS = "manifest.jsonl", "clips"


def clips_of_project(db: sqlite3.Connection, id: str, sounds: Path, folder: Path, language: str) -> Path:
    """The accepted segments of a project. Raises Problem (400): there is none; ManifestError: the disk is full."""
    places = {row["id"]: sound_of(sounds, row) for row in recordings(db, id)}
    clips = [
        Utterance(
            row["id"],
            places[row["recording"]],
            row["start_s"],
            round(row["end_s"] - row["start_s"], 3),
            row["text"],
            language or None,
        )
        for row in segments_of_project(db, id)
        if row["state"] == "accepted" and row["text"].strip()
    ]
    if not clips:
        raise Problem(400, "no segment is accepted yet; correct some, and accept them", code="nothing_accepted")
    folder.mkdir(parents=True, exist_ok=True)
    write_manifest(folder / MANIFEST, clips)
    return folder / MANIFEST


def clips_of_form(decoders: Decoders, files: Sequence[UploadFile], lines: str, folder: Path) -> tuple[Path, list[str]]:
    """Decode uploaded clips, which the manifest names; also return warnings about the files.

    Raises Problem (400): two files of one name, or a missing file; AudioError, ManifestError, OSError.
    """
    (folder / CLIPS).mkdir(parents=True, exist_ok=True)
    sent = folder / "sent.jsonl"
    sent.write_text(lines, "utf-8", errors="replace", newline="\n")
    try:
        manifest = read_manifest(sent)
    except ManifestError as error:
        raise ManifestError(str(error).replace(str(sent), "manifest")) from error
    named = {_name(each.audio): None for each in manifest}
    places, said = dict[str, Path](), list[str]()
    for number, file in enumerate(files):
        name = shown(file.filename)
        if name in places:
            raise Problem(400, f"two files are called {name}; their names must differ", param="file")
        if name in named:
            places[name] = folder / CLIPS / f"{number}.wav"
            with received(file.file, folder) as source:
                said += [f"{name}: {each}" for each in decoders.decode(source, places[name], name).warnings]
    if missing := [name for name in named if name not in places]:
        raise Problem(400, f"the manifest names {missing[0]}, but no such file was sent", param="manifest")
    clips = [replace(each, audio=places[_name(each.audio)], extra={}) for each in manifest]
    if not any((each.text or "").strip() for each in clips):
        raise Problem(400, "no line of the manifest has a text", param="manifest")
    write_manifest(folder / MANIFEST, Manifest(tuple(clips)))
    return folder / MANIFEST, said


def _name(audio: Path) -> str:
    """The name of an uploaded file, without the client's folders."""
    return shown(audio.as_posix())
