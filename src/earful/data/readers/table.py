"""A CSV or TSV table with a column of sound files and a column of transcripts.

The separator (comma, semicolon, tab or bar) is the one under which the first line names both columns. A table of two
columns needs no such line if its first cell is a sound file that exists.
"""

import csv
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from earful.data.lines import Problem, raise_first, read_text
from earful.data.manifest import KEYS, Manifest
from earful.data.readers.sound import is_there, locate, timed
from earful.data.utterance import Utterance, unique_ids
from earful.errors import ManifestError

# what a column is → what people call it, the most telling name first
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "audio": (
        *("audio_filepath", "path", "file", "filename", "file_name", "audio", "wav", "clip"),
        *("audio_file", "audio_path", "wav_filename", "wav_path", "wav_file", "file_path", "filepath"),
    ),
    "text": ("text", "sentence", "transcript", "transcription", "label", "annotation", "normalized_text"),
    "speaker": ("speaker", "speaker_id", "client_id"),
    "language": ("language", "locale"),
    "id": ("id",),
    "start": ("start", "start_s", "offset"),
    "duration": ("duration", "duration_s"),
    "end": ("end", "end_s"),
}
_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}


@dataclass(frozen=True)
class _Row:
    line: int
    cells: Mapping[str, str]
    extra: Mapping[str, str]


def read(path: str | Path, audio_folder: str | Path | None = None) -> Manifest:
    """Read a table (UTF-8); sound files are relative to `audio_folder`, or else to the table's folder.

    A column it does not know goes to `extra`. Durations come from the table or from the sound files' headers; a file
    that is missing or damaged is left to `earful.data.check`, unless not a single one exists.
    Raises ManifestError that names the file and the line.

    >>> read("clips.csv")[0].text  # doctest: +SKIP
    'good morning'
    """
    path = Path(path)
    folder = path.parent if audio_folder is None else Path(audio_folder)
    lines = read_text(path, "a table of clips").split("\n")
    lines = [line.removesuffix("\r") for line in lines]
    barred = _barred(lines, folder)
    if barred:
        separator, header, folder = "|", None, barred.folder
    else:
        separator, header = _layout(path, lines, folder)
    columns = header or (barred.columns if barred else _TWO)
    rows: list[_Row] = []
    problems: list[Problem] = []
    for number, cells in _cells(path, lines, separator, quoted=separator != "\t" and not barred):
        if header is not None and not rows and not problems and cells == list(header):
            continue
        if len(cells) == len(columns):
            rows.append(_row(number, columns, cells))
        else:
            problems.append((number, _miscounted(cells, columns, separator)))
    utterances, wrong = _utterances(rows, folder)
    raise_first(path, [*problems, *wrong])
    if not utterances:
        raise ManifestError(f"{path}: the table holds no clips; add a line for each sound file")
    if not any(is_there(u.audio) for u in utterances):
        raise ManifestError(
            f"{path}:{rows[0].line}: no such file: {utterances[0].audio}, and none of the others exists; "
            f"paths are relative to {folder}, {_below(folder, utterances[0].audio)}"
        )
    return timed(utterances)


def _below(folder: Path, audio: Path) -> str:
    """What to do about sound that is not there: it may lie in a folder below."""
    for place, _, files in os.walk(folder):
        if audio.name in files:
            below = Path(place).relative_to(folder)
            return f"and a file of that name lies in {below}: write {below / audio.name}, or move the table there"
    return "correct them or move the sound files there"


_TWO = ("path", "text")  # the columns of a table without a header


class _Barred(NamedTuple):
    """A table with bars and without names of columns, as of LJSpeech or Piper; and where its sound lies."""

    columns: tuple[str, ...]
    folder: Path


def _barred(lines: Sequence[str], folder: Path) -> _Barred | None:
    """The columns: name and text; name, text as written, text as spoken; or name, speaker (one word), text."""
    rows = [line.split("|") for line in lines if line.strip()][:50]
    if not rows or len(rows[0]) not in (2, 3) or any(len(row) != len(rows[0]) for row in rows):
        return None
    for place in (folder, folder / "wavs", folder / "wav"):
        if any(row[0].strip() and (found := locate(place, row[0].strip())) and _is_file(found) for row in rows[:3]):
            if len(rows[0]) == 2:
                return _Barred(_TWO, place)
            second = "speaker" if all(len(row[1].split()) == 1 for row in rows) else "written"
            return _Barred(("path", second, "text"), place)
    return None


def _is_file(place: Path) -> bool:
    return is_there(place) and place.is_file()


def _layout(path: Path, lines: Sequence[str], folder: Path) -> tuple[str, tuple[str, ...] | None]:
    """Return the separator and the header (None if there is none), by trying each separator on the first line."""
    first = next((line for line in lines if line.strip()), None)
    if first is None:
        raise ManifestError(f"{path}: the table is empty; expected the columns {_expected()}")
    split = {separator: _split(first, separator) for separator in _SEPARATORS}
    for separator, cells in split.items():
        if {"audio", "text"} <= {role for role, _ in roles_of(cells)}:
            return separator, tuple(cells)
    for separator, cells in split.items():
        if (
            len(cells) == 2
            and cells[0].strip()
            and is_there(place := locate(folder, cells[0].strip()))
            and place.is_file()
        ):
            return separator, None
    found = max(split.values(), key=len)
    raise ManifestError(
        f"{path}:{lines.index(first) + 1}: found the column{'s' * (len(found) > 1)} "
        f"{', '.join(repr(_short(cell)) for cell in found[:12])}; expected {_expected()}"
    )


def _expected() -> str:
    return (
        f"one for the sound file ({', '.join(COLUMNS['audio'])}) and one for what is said "
        f"({', '.join(COLUMNS['text'])}), named in the first line"
    )


def _short(cell: str) -> str:
    return cell if len(cell) <= 40 else cell[:39] + "…"


def _split(line: str, separator: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=separator, strict=True))
    except (csv.Error, StopIteration):
        return [line]


def roles_of(header: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield (role, column) for each role that the header fills; of two names for a role the more telling wins."""
    names = {column.strip().casefold(): column for column in reversed(header)}
    for role, known in COLUMNS.items():
        column = next((names[name] for name in known if name in names), None)
        if column is not None:
            yield role, column


def _cells(path: Path, lines: Sequence[str], separator: str, *, quoted: bool) -> Iterator[tuple[int, list[str]]]:
    """Yield (line number, cells) of each row that is not blank."""
    if not quoted:  # tabs are not quoted as a rule, and a quotation mark may stand alone
        for number, line in enumerate(lines, start=1):
            if line.strip():
                yield number, [_unquoted(cell) for cell in line.removesuffix("\r").split(separator)]
        return
    reader = csv.reader(io.StringIO("\n".join(lines), newline=""), delimiter=separator, strict=True)
    start = 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield start, cells
            start = reader.line_num + 1
    except csv.Error as error:
        raise ManifestError(
            f"{path}:{start}: cannot tell where a cell ends ({error}); put a cell that holds a quotation mark "
            'between quotation marks and double it inside ("")'
        ) from None


def _unquoted(cell: str) -> str:
    quoted = len(cell) > 1 and cell[0] == cell[-1] == '"'
    return cell[1:-1].replace('""', '"') if quoted else cell


def _row(line: int, header: Sequence[str], cells: Sequence[str]) -> _Row:
    values = dict(zip(reversed(header), (cell.strip() for cell in reversed(cells)), strict=True))
    known = {role: values.pop(column) for role, column in roles_of(header)}
    extra = {name.strip(): value for name, value in values.items() if value and name.strip() not in ("", *KEYS)}
    return _Row(line, known, extra)


def _miscounted(cells: Sequence[str], header: Sequence[str], separator: str) -> str:
    remedy = "add the missing ones" if len(cells) < len(header) else f"quote a cell that holds {_SEPARATORS[separator]}"
    return f"expected {len(header)} cells separated by {_SEPARATORS[separator]}, got {len(cells)}; {remedy}"


def _utterances(rows: Sequence[_Row], folder: Path) -> tuple[list[Utterance], list[Problem]]:
    given = [row.cells.get("id", "") for row in rows]
    wanted = [Path(row.cells["audio"]).stem for row, id in zip(rows, given, strict=True) if not id]
    made = iter(unique_ids(wanted, taken=set(given)))
    utterances: list[Utterance] = []
    problems: list[Problem] = []
    first: dict[str, int] = {}
    for row, id in zip(rows, given, strict=True):
        try:
            if id and first.setdefault(id, row.line) != row.line:
                raise ManifestError(f"the id {id!r} is also on line {first[id]}; ids must differ, rename or remove one")
            utterances.append(_utterance(row, id or next(made), folder))
        except ManifestError as error:
            problems.append((row.line, str(error)))
    return utterances, problems


def _utterance(row: _Row, id: str, folder: Path) -> Utterance:
    if not row.cells["audio"]:
        raise ManifestError("the name of the sound file is empty; fill it in or remove the line")
    start_s, duration_s, end_s = (_seconds(row.cells, role) for role in ("start", "duration", "end"))
    if duration_s is None and end_s is not None:
        duration_s = end_s - (start_s or 0.0)
        if duration_s <= 0:
            raise ManifestError(f"the end, {end_s} s, is not after the start, {start_s or 0.0} s; correct one of them")
    return Utterance(
        id=id,
        audio=locate(folder, row.cells["audio"]),
        start_s=start_s or 0.0,
        duration_s=duration_s,
        text=row.cells["text"],
        language=row.cells.get("language") or None,
        speaker=row.cells.get("speaker") or None,
        extra=row.extra,
    )


def _seconds(cells: Mapping[str, str], role: str) -> float | None:
    written = cells.get(role)
    if not written:
        return None
    try:
        return float(written.replace(",", "."))  # a decimal comma, where the separator is another
    except ValueError:
        raise ManifestError(f"{role} must be a number of seconds, got {written!r}; correct it") from None
