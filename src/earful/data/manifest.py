"""Manifests: ordered utterances, and their JSONL files with the keys that NVIDIA NeMo uses.

One JSON object a line: `audio_filepath` (required; relative to the manifest's folder), `duration` and `offset` in
seconds, `text`, `language`, `speaker`, `id`. Any other key is kept in `Utterance.extra` and written back.
"""

import json
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from earful.data.lines import Problem, raise_first, read_bytes
from earful.data.utterance import Utterance, unique_ids
from earful.errors import ManifestError
from earful.writing import replacing

if TYPE_CHECKING:
    import torch

KEYS = ("audio_filepath", "duration", "text", "offset", "language", "speaker", "id")
_EXAMPLE = '{"audio_filepath": "clips/1.wav", "text": "what is said in it"}'


@dataclass(frozen=True)
class Manifest(Sequence[Utterance]):
    """An ordered collection of utterances with distinct ids; indexing gives an Utterance, a slice gives a Manifest.

    Raises ManifestError if two utterances have the same id.

    >>> manifest = Manifest((Utterance("a", Path("a.wav")), Utterance("b", Path("b.wav"), speaker="eva")))
    >>> [u.id for u in manifest.filter(lambda u: u.speaker == "eva")]
    ['b']
    """

    utterances: tuple[Utterance, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "utterances", tuple(self.utterances))
        seen: set[str] = set()
        for utterance in self.utterances:
            if utterance.id in seen:
                raise ManifestError(f"two clips have the id {utterance.id!r}; ids must differ, rename one of them")
            seen.add(utterance.id)

    def __len__(self) -> int:
        return len(self.utterances)

    def __iter__(self) -> Iterator[Utterance]:
        return iter(self.utterances)

    @overload
    def __getitem__(self, place: int) -> Utterance: ...
    @overload
    def __getitem__(self, place: slice) -> "Manifest": ...
    def __getitem__(self, place: int | slice) -> "Utterance | Manifest":
        return Manifest(self.utterances[place]) if isinstance(place, slice) else self.utterances[place]

    def __add__(self, other: "Manifest") -> "Manifest":
        """Put `other` after this one; an id of `other` that is taken gets the suffix #2, #3, …"""
        ids = unique_ids([u.id for u in other], taken=[u.id for u in self])
        renamed = (u if u.id == id else replace(u, id=id) for u, id in zip(other, ids, strict=True))
        return Manifest((*self.utterances, *renamed))

    @property
    def duration_s(self) -> float:
        """The sum of the durations that are known."""
        return math.fsum(u.duration_s for u in self if u.duration_s is not None)

    def filter(self, predicate: Callable[[Utterance], object]) -> "Manifest":
        """Keep the utterances for which `predicate` is true, in order."""
        return Manifest(tuple(u for u in self if predicate(u)))

    def group_by(self, key: str | Callable[[Utterance], object]) -> "dict[str, Manifest]":
        """Group by a function, a field or a key of `extra`, in order of appearance; unknown values are under ""."""
        groups: dict[str, list[Utterance]] = {}
        for utterance in self:
            value = _field(utterance, key) if isinstance(key, str) else key(utterance)
            groups.setdefault("" if value is None else str(value), []).append(utterance)
        return {name: Manifest(tuple(group)) for name, group in groups.items()}

    def split(self, part: float, generator: "torch.Generator") -> "tuple[Manifest, Manifest]":
        """Draw `part` of the utterances (an int: so many; a float: that fraction): (drawn, the rest), both in order.

        Raises ManifestError if there are not so many.
        """
        import torch

        count = part if isinstance(part, int) else round(len(self) * part) if 0 <= part <= 1 else -1
        if not 0 <= count <= len(self):
            raise ManifestError(
                f"cannot draw {part} of {len(self)} clips; give a count up to that, or a fraction 0–1.0"
            )
        drawn = set(torch.randperm(len(self), generator=generator)[:count].tolist())
        sides = ([u for i, u in enumerate(self) if (i in drawn) == wanted] for wanted in (True, False))
        first, rest = (Manifest(tuple(side)) for side in sides)
        return first, rest


def read_manifest(path: str | Path) -> Manifest:
    """Read a JSONL manifest (UTF-8). `earful.data.check` checks whether the sound files exist.

    A line without an id gets the sound file's name, made unique with #2, #3, …
    Raises ManifestError, which names the file, the first wrong line, and the number of the others.

    >>> read_manifest("train.jsonl")[0].text  # doctest: +SKIP
    'good morning'
    """
    path = Path(path)
    rows: list[tuple[int, Utterance, bool]] = []
    problems: list[Problem] = []
    for number, line in enumerate(
        read_bytes(path, "a JSONL manifest").removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1
    ):
        if not line.strip():
            continue
        try:
            rows.append((number, *_parse(line, path.parent)))
        except ManifestError as error:
            problems.append((number, str(error)))
    problems += _duplicates(rows)
    raise_first(path, problems)
    if not rows:
        raise ManifestError(f"{path}: the manifest is empty; expected one JSON object a line, such as {_EXAMPLE}")
    return Manifest(_named(rows))


def write_manifest(path: str | Path, manifest: Iterable[Utterance]) -> None:
    """Write utterances as JSONL; the file appears whole or not at all.

    A sound file inside the manifest's folder is written relative to it, another with its full path.
    Raises ManifestError for equal ids, an `extra` that JSON cannot carry, and a place that cannot be written.
    """
    path = Path(path)
    lines = [_line(utterance, path) for utterance in Manifest(tuple(manifest))]
    try:
        with replacing(path) as beside:
            beside.write_bytes("".join(lines).encode())
    except OSError as error:
        raise ManifestError(
            f"{path}: cannot write: {error.strerror}; free some space or choose another folder"
        ) from error


def _field(utterance: Utterance, key: str) -> object:
    return utterance.extra.get(key) if key not in Utterance.__dataclass_fields__ else getattr(utterance, key)


def _parse(line: bytes, folder: Path) -> tuple[Utterance, bool]:
    """Return the utterance of one line, and whether the line gave its id."""
    row = _object(line)
    if "audio_filepath" not in row:
        raise ManifestError(f"the key 'audio_filepath' is missing; expected a line such as {_EXAMPLE}")
    audio = _text(row, "audio_filepath")
    if not audio or "\0" in audio:
        raise ManifestError(f"audio_filepath is {audio!r}, must be the path of a sound file; correct it")
    given = _name(row, "id")
    utterance = Utterance(
        id=given or Path(audio).stem or "clip",
        audio=folder / audio,
        start_s=_seconds(row, "offset") or 0.0,
        duration_s=_seconds(row, "duration"),
        text=_text(row, "text"),
        language=_text(row, "language"),
        speaker=_name(row, "speaker"),
        extra={key: value for key, value in row.items() if key not in KEYS},
    )
    return utterance, bool(given)


def _object(line: bytes) -> dict[str, Any]:
    try:
        row = json.loads(line.decode("utf-8"), parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        raise ManifestError(f"not UTF-8 (byte {error.start + 1} of the line); save the file as UTF-8") from None
    except json.JSONDecodeError as error:
        raise ManifestError(
            f"not JSON at column {error.colno} ({error.msg}); expected one object a line, such as {_EXAMPLE}"
        ) from None
    except (ValueError, RecursionError) as error:  # digits without end, brackets without end
        raise ManifestError(f"not JSON that can be read ({error}); correct or remove the line") from None
    if not isinstance(row, dict):
        raise ManifestError(f"expected a JSON object such as {_EXAMPLE}, got {_show(row)}")
    return row


def _refuse_constant(name: str) -> None:
    raise ManifestError(f"holds {name}, which is not JSON; write a number or leave the key out")


def _text(row: Mapping[str, Any], key: str) -> str | None:
    value = row.get(key)
    if value is None and key != "audio_filepath":
        return None
    if not isinstance(value, str):
        raise ManifestError(f"{key} must be a text in quotes, got {_show(value)}; correct it")
    return value


def _name(row: Mapping[str, Any], key: str) -> str | None:
    """A text, or a whole number written without quotes."""
    value = row.get(key)
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else _text(row, key)


def _seconds(row: Mapping[str, Any], key: str) -> float | None:
    value = row.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ManifestError(f"{key} must be a number of seconds, got {_show(value)}; correct it")
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _show(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "…"


def _duplicates(rows: Sequence[tuple[int, Utterance, bool]]) -> list[Problem]:
    first: dict[str, int] = {}
    return [
        (number, f"the id {u.id!r} is also on line {first[u.id]}; ids must differ, rename or remove one")
        for number, u, given in rows
        if given and first.setdefault(u.id, number) != number
    ]


def _named(rows: Sequence[tuple[int, Utterance, bool]]) -> tuple[Utterance, ...]:
    """Give the lines without an id a name that no other line has."""
    made = iter(unique_ids([u.id for _, u, given in rows if not given], taken={u.id for _, u, given in rows if given}))
    return tuple(u if given else replace(u, id=next(made)) for _, u, given in rows)


def _line(utterance: Utterance, path: Path) -> str:
    clashes = sorted(set(utterance.extra) & set(KEYS))
    if clashes:
        raise ManifestError(f"{path}: clip {utterance.id!r}: extra holds {clashes[0]!r}, a key of its own; rename it")
    row = {
        "audio_filepath": _written(utterance.audio, path),
        "duration": utterance.duration_s,
        "text": utterance.text,
        "offset": utterance.start_s or None,
        "language": utterance.language,
        "speaker": utterance.speaker,
        "id": utterance.id,
    }
    row = {key: value for key, value in row.items() if value is not None} | dict(utterance.extra)
    try:
        line = json.dumps(row, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise ManifestError(f"{path}: clip {utterance.id!r}: extra cannot be written as JSON ({error})") from error
    # lone surrogates stand for bytes of a file name that are not UTF-8: only the escaped form carries them
    return (line if line.isascii() or _is_utf8(line) else json.dumps(row)) + "\n"


def _is_utf8(line: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in line)


def _written(audio: Path, path: Path) -> str:
    audio, folder = (Path(os.path.abspath(place)) for place in (audio, path.parent))  # noqa: PTH100 (resolve follows links)
    return audio.relative_to(folder).as_posix() if audio.is_relative_to(folder) else audio.as_posix()
