"""lhotse's cuts and supervisions, and Hugging Face's metadata of a folder of sound: JSON lines, perhaps gzipped.

Format: lhotse's documentation, "Cuts" and "Supervisions"; Hugging Face, "Create an audio dataset" (AudioFolder).
"""

import gzip
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from earful.data.lines import Problem, raise_first, read_bytes
from earful.data.manifest import Manifest
from earful.data.readers.sound import locate, timed
from earful.data.utterance import Utterance, unique_ids
from earful.errors import ManifestError
from earful.reading import unzipped

_TEXTS = ("transcription", "text", "sentence", "transcript", "normalized_text")
_Row = Mapping[str, Any]
_Read = Callable[[_Row], Iterator[Utterance]]


def is_read(path: Path) -> bool:
    """Whether the first line of a file of JSON lines is a cut, a supervision, or names a `file_name`."""
    if not path.name.lower().endswith((".jsonl", ".jsonl.gz")):
        return False
    try:
        with _opened(path) as file:
            row = json.loads(file.readline())
    except (OSError, ValueError, EOFError, RecursionError):
        return False
    return isinstance(row, dict) and "audio_filepath" not in row and _kind(row) is not None


def read(path: str | Path) -> Manifest:
    """Read cuts, supervisions (with `recordings.jsonl` or the like beside them), or the metadata of a folder.

    Sound is that of sources of the type file. Raises ManifestError that names the line that is wrong.
    """
    path = Path(path)
    found: list[Utterance] = []
    problems: list[Problem] = []
    recordings: dict[str, _Row] = {}
    for number, row in _rows(path):
        kind = _kind(row)
        try:
            if kind == "supervision" and not recordings:
                recordings = _recordings(path)
            found += _utterances(path.parent, row, kind, recordings)
        except ManifestError as error:
            problems.append((number, str(error)))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            problems.append((number, f"not as lhotse writes it ({type(error).__name__}: {error}); write it again"))
    raise_first(path, problems)
    if not found:
        raise ManifestError(f"{path}: holds no transcribed speech; expected cuts with supervisions, or supervisions")
    ids = unique_ids(utterance.id for utterance in found)
    return timed(_named(utterance, id) for utterance, id in zip(found, ids, strict=True))


def _opened(path: Path) -> Any:
    return gzip.open(path, "rb") if path.suffix.lower() == ".gz" else path.open("rb")


def _kind(row: _Row) -> str | None:
    if "supervisions" in row or "tracks" in row:
        return "cut"
    if "recording_id" in row:
        return "supervision"
    return "file" if "file_name" in row else None


def _rows(path: Path) -> Iterator[tuple[int, _Row]]:
    content = read_bytes(path, "JSON lines")
    if path.suffix.lower() == ".gz":
        try:
            content = unzipped(content)
        except OSError as error:
            raise ManifestError(f"{path}: cannot be unpacked ({error}); copy it again") from None
    for number, line in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ManifestError(f"{path}:{number}: not JSON ({error}); correct or remove the line") from None
        if not isinstance(row, dict):
            raise ManifestError(f"{path}:{number}: expected a JSON object; correct or remove the line")
        yield number, row


def _recordings(path: Path) -> dict[str, _Row]:
    """The recordings of the file of supervisions: in the file of the like name beside it."""
    names = (path.name.replace("supervisions", "recordings"), "recordings.jsonl", "recordings.jsonl.gz")
    places = [path.with_name(name) for name in dict.fromkeys(names) if name != path.name]
    there = next((place for place in places if place.exists()), None)
    if there is None:
        raise ManifestError(f"the recordings are not there; expected {places[0].name} beside the file")
    return {str(row["id"]): row for _, row in _rows(there)}


def _utterances(folder: Path, row: _Row, kind: str | None, recordings: Mapping[str, _Row]) -> Iterator[Utterance]:
    if kind == "file":
        yield _of_file(folder, row)
    elif kind == "supervision":
        if str(row["recording_id"]) not in recordings:
            raise ManifestError(f"the recording {row['recording_id']!r} is not among the recordings; add it there")
        yield _of_supervision(folder, row, recordings[str(row["recording_id"])], 0.0)
    elif kind == "cut":
        if "tracks" in row or "recording" not in row:
            raise ManifestError(
                f"the cut {row.get('id')!r} is mixed, or without its recording, which is not read; leave it out"
            )
        for each in row["supervisions"]:
            yield _of_supervision(folder, each, row["recording"], float(row["start"]))
    else:
        raise ManifestError("expected a cut, a supervision, or a file_name; correct or remove the line")


def _of_file(folder: Path, row: _Row) -> Utterance:
    column = next((name for name in _TEXTS if isinstance(row.get(name), str)), None)
    if column is None:
        raise ManifestError(f"no transcript: expected a key such as {', '.join(_TEXTS[:3])}; add it")
    name = str(row["file_name"])
    speaker, language = row.get("speaker_id", row.get("speaker")), row.get("language")
    return Utterance(
        id=Path(name).stem,
        audio=locate(folder, name),
        text=row[column],
        speaker=None if speaker is None else str(speaker),
        language=language if isinstance(language, str) else None,
    )


def _of_supervision(folder: Path, row: _Row, recording: _Row, begin_s: float) -> Utterance:
    sources = recording["sources"]
    if len(sources) != 1 or sources[0].get("type") != "file":
        kinds = ", ".join(str(source.get("type")) for source in sources) or "none"
        raise ManifestError(
            f"the recording {recording.get('id')!r} has the source {kinds}, expected one file; save it as a file"
        )
    channel, channels = row.get("channel", 0), sources[0].get("channels", [0])
    return Utterance(
        id=str(row["id"]),
        audio=_place(folder, str(sources[0]["source"])),
        start_s=round(begin_s + float(row["start"]), 6),
        duration_s=float(row["duration"]),
        text=row.get("text"),
        language=row.get("language"),
        speaker=row.get("speaker"),
        extra={"channel": channel + 1} if len(channels) > 1 and isinstance(channel, int) else {},
    )


def _place(folder: Path, source: str) -> Path:
    """The file beside the lines, or as it is from where lhotse was run: from here."""
    inside = locate(folder, source)
    return inside if inside.exists() else locate(Path(), source)


def _named(utterance: Utterance, id: str) -> Utterance:
    return utterance if utterance.id == id else Utterance(id, *utterance.__reduce__()[1][1:])
