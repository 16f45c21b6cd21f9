"""Hugging Face's data sets on disk, parquet and Arrow: rows of sound and of what is said in it."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from earful.data.finding import Finding, left_out, listed
from earful.data.manifest import Manifest
from earful.data.readers.batches import opened
from earful.data.readers.cell import NoSound, sound_of
from earful.data.readers.columns import Columns, columns_of
from earful.data.readers.shards import chosen, shards_of
from earful.data.readers.sound import is_there, locate, timed
from earful.data.unpacked import FOLDER, Unpacked
from earful.data.utterance import Utterance, unique_ids
from earful.errors import ManifestError

Tell = Callable[[float, float], None]
"""`tell(done, of)`: how many files have been read, the last of them in part."""

_EVERY = 32  # rows, between two calls of `tell`


class NoClip(Exception):
    """Why a row is not read."""


class _Part(NamedTuple):
    """What a file gave: clips; the rows that are not read, by why; how many bytes of sound were laid out."""

    clips: list[Utterance]
    broken: dict[str, list[str]]
    written: int


def read(path: str | Path, tell: Tell | None = None) -> tuple[Manifest, tuple[Finding, ...], tuple[Path, ...]]:
    """Read a data set, or one file of it; sound inside is laid out beside it. What is to be said of it; and its files.

    Left out and named: a row whose sound is not there, and of several files one that is damaged. Raises ManifestError
    where nothing is left, a column is missing or pyarrow is not installed, and as `shards_of`; AudioError where sound
    cannot be laid out.
    """
    path = Path(path)
    shards = shards_of(path)
    parts: list[_Part] = []
    damaged = []
    for number, file in enumerate(shards.files):
        told = partial(_told, tell, number, len(shards.files))
        try:
            parts.append(_read_file(file, told))
        except ManifestError as error:
            if len(shards.files) == 1:
                raise
            damaged.append(left_out(file, error))
    findings = (*chosen(path, shards.split, shards.others), *damaged, *_left_out(parts), *_laid_out(path, parts))
    clips = [clip for part in parts for clip in part.clips]
    if not clips:
        why = "; ".join(f"{each.message} ({each.where}); {each.remedy}" for each in findings if each.kind != "split")
        raise ManifestError(f"{path}: no row can be used: {why or 'there is none; fetch or save it again'}")
    return timed(_named(clips)), findings, shards.files


def _told(tell: Tell | None, before: int, files: int, done: float) -> None:
    if tell:
        tell(before + done, files)


def _read_file(file: Path, tell: Callable[[float], None]) -> _Part:
    """The rows of a file; `tell` is called with the part that is done. Raises ManifestError, AudioError."""
    unpacked, row = Unpacked(file), 0
    part = _Part([], {}, 0)
    with opened(file) as found:
        columns = columns_of(file, found.schema)
        for batch in found.batches(columns.all):
            for place in range(batch.num_rows):
                try:
                    part.clips.append(_clip(file, row, _Cells(batch, place, columns), unpacked))
                except (NoClip, NoSound) as error:
                    part.broken.setdefault(str(error), []).append(f"{file}, row {row}")
                row += 1
                if row % _EVERY == 0:
                    tell(row / found.rows)
    return part._replace(written=unpacked.written)


class _Cells:
    """A row of a batch; values as JSON has them."""

    def __init__(self, batch: Any, place: int, columns: Columns) -> None:
        self._batch, self._place, self.columns = batch, place, columns

    @property
    def audio(self) -> Any:
        return self._batch.column(self.columns.audio)[self._place]

    def value(self, column: str | None) -> Any:
        """None for null, what is no number, and a column that is not there. Raises NoClip."""
        if column is None:
            return None
        try:
            value = self._batch.column(column)[self._place].as_py()
        except ValueError:  # of bytes that are not UTF-8
            raise NoClip(f"{column!r} is not UTF-8") from None
        names = self.columns.names.get(column)
        if names and isinstance(value, int) and not isinstance(value, bool):
            return names[value] if 0 <= value < len(names) else None
        return None if isinstance(value, float) and not math.isfinite(value) else value

    def role(self, role: str) -> Any:
        return self.value(self.columns.roles.get(role))

    def written(self, role: str) -> str | None:
        """The value as a text; None where there is none."""
        value = self.role(role)
        return None if value is None else str(value).strip() or None


def _clip(file: Path, row: int, cells: _Cells, unpacked: Unpacked) -> Utterance:
    """The clip of a row. Raises NoClip, NoSound; AudioError as `Unpacked.lay_out`."""
    extra = {name: value for name in cells.columns.extra if (value := cells.value(name)) is not None}
    sound = sound_of(cells.audio, extra.get("sampling_rate"))
    given = cells.written("id")
    # times are those of the recording that the row was cut from: sound that lies in the row is whole
    start_s, duration_s = (0.0, None) if sound.content else _stretch(cells)
    try:
        return Utterance(
            id=given or Path(sound.path).stem or f"{file.stem}-{row}",
            audio=unpacked.lay_out(sound.content, row, sound.path) if sound.content else _located(file, sound.path),
            start_s=start_s,
            duration_s=duration_s,
            text=cells.role("text"),
            language=cells.written("language"),
            speaker=cells.written("speaker"),
            extra=extra,
        )
    except ManifestError as error:
        raise NoClip(str(error)) from None


def _stretch(cells: _Cells) -> tuple[float, float | None]:
    start_s, duration_s, end_s = (cells.role(role) for role in ("start", "duration", "end"))
    values = [value for value in (start_s, duration_s, end_s) if value is not None]
    if not all(isinstance(value, int | float) for value in values):
        raise NoClip(f"start, duration or end is no number: {values}")
    if duration_s is None and end_s is not None:
        duration_s = end_s - (start_s or 0.0)
    return float(start_s or 0.0), None if duration_s is None else float(duration_s)


def _located(file: Path, path: str) -> Path:
    """A sound file that a row names: beside the file of rows, beside the folder that it is in, or as it is."""
    places = (locate(folder, path) for folder in (file.parent, file.parent.parent))
    return next((place for place in places if is_there(place)), file.parent / path)


def _named(clips: Sequence[Utterance]) -> Iterator[Utterance]:
    """The clips, each with an id that no other has."""
    ids = unique_ids(clip.id for clip in clips)
    return (clip if clip.id == id else replace(clip, id=id) for clip, id in zip(clips, ids, strict=True))


def _left_out(parts: Sequence[_Part]) -> Iterator[Finding]:
    broken: dict[str, list[str]] = {}
    for part in parts:
        for why, places in part.broken.items():
            broken.setdefault(why, []).extend(places)
    for why, places in broken.items():
        message = f"{len(places)} row{'s' * (len(places) > 1)} left out: {why}"
        yield Finding("warning", "rows left out", None, listed(places, 3), message, "see whether the data set is whole")


def _laid_out(path: Path, parts: Sequence[_Part]) -> Iterator[Finding]:
    written = sum(part.written for part in parts)
    if written:
        message = f"laid out the sound that is inside, {written / 1e6:.1f} MB, in folders {FOLDER} beside the files"
        yield Finding("note", "laid out", None, str(path), message, "remove them when you are done; or leave them")
