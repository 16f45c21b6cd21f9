"""NIST's tables of segments, `.stm`, and of words, `.ctm`, of recordings beside them.

Format: NIST, "SCTK documentation: infmts", sections stm and ctm.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from earful.data.lines import Problem, raise_first, read_text
from earful.data.readers.recording import beside, named
from earful.data.tiers import Annotated, Span, Tier, by_speaker
from earful.errors import ManifestError

_PAUSE_S, _LONGEST_S = 0.5, 15.0  # words of a .ctm that are nearer make one clip, which lasts so long at most
_NOT_SCORED = "ignore_time_segment_in_scoring"


class _Said(NamedTuple):
    """What a line says: of which recording and channel, and of whom where it says so."""

    recording: str
    channel: str
    speaker: str | None
    span: Span


def read_segments(path: str | Path) -> tuple[Annotated, ...]:
    """Read an `.stm`: recording, channel, speaker, begin, end, perhaps a label in <>, and the text, in each line.

    Raises ManifestError that names the line that is wrong.
    """
    return _grouped(Path(path), _rows(Path(path), _segment), "segments")


def read_words(path: str | Path) -> tuple[Annotated, ...]:
    """Read a `.ctm`: recording, channel, begin, duration and word in each line; words near each other make a clip.

    Raises ManifestError that names the line that is wrong.
    """
    return _grouped(Path(path), _phrases(_rows(Path(path), _word)), "words")


def _rows(path: Path, parse: Callable[[str], _Said]) -> list[_Said]:
    rows: list[_Said] = []
    problems: list[Problem] = []
    for number, line in enumerate(read_text(path, "a table of NIST's").split("\n"), start=1):
        if not line.strip() or line.startswith((";;", "#")):
            continue
        try:
            rows.append(parse(line))
        except ManifestError as error:
            problems.append((number, str(error)))
    raise_first(path, problems)
    if not rows:
        raise ManifestError(f"{path}: the file is empty; expected a line for each segment or word")
    return rows


def _segment(line: str) -> _Said:
    try:
        recording, channel, speaker, begin, end, *rest = line.split(maxsplit=5)
        begin_s, end_s = _seconds(begin), _seconds(end)
    except ValueError:
        raise ManifestError(
            f"expected recording, channel, speaker, begin, end and text, got {line.strip()[:60]!r}; correct the line"
        ) from None
    text = rest[0] if rest else ""
    if text.startswith("<") and ">" in text:
        text = text.partition(">")[2]
    said = Span(begin_s, end_s, "" if text.strip().lower() == _NOT_SCORED else text)
    return _Said(recording, channel.upper(), speaker, said)


def _word(line: str) -> _Said:
    try:
        recording, channel, begin, lasts, word = line.split()[:5]
        begin_s = _seconds(begin)
        return _Said(recording, channel.upper(), None, Span(begin_s, begin_s + _seconds(lasts), word))
    except ValueError:
        raise ManifestError(
            f"expected recording, channel, begin, duration and word, got {line.strip()[:60]!r}; correct the line"
        ) from None


def _seconds(written: str) -> float:
    value = float(written)
    if not math.isfinite(value):
        raise ValueError(written)
    return value


def _phrases(rows: list[_Said]) -> Iterator[_Said]:
    held: _Said | None = None
    for row in sorted(rows, key=lambda row: (row.recording, row.channel, row.span.start_s)):
        if held and held[:2] == row[:2] and _goes_on(held.span, row.span):
            held = held._replace(span=Span(held.span.start_s, row.span.end_s, f"{held.span.text} {row.span.text}"))
            continue
        if held:
            yield held
        held = row
    if held:
        yield held


def _goes_on(said: Span, word: Span) -> bool:
    return word.start_s - said.end_s <= _PAUSE_S and word.end_s - said.start_s <= _LONGEST_S


def _grouped(path: Path, rows: Iterator[_Said] | list[_Said], kind: str) -> tuple[Annotated, ...]:
    recordings: dict[str, list[_Said]] = {}
    for row in rows:
        recordings.setdefault(row.recording, []).append(row)
    alone = len(recordings) == 1
    return tuple(
        Annotated(path, _recording(path, name, alone=alone), tuple(_tiers(said, kind)))
        for name, said in recordings.items()
    )


def _tiers(rows: Sequence[_Said], kind: str) -> Iterator[Tier]:
    """The tiers of a recording, channel by channel; who speaks on two of them is two, and has their numbers.

    Where all is on channel 1, that is what tools write of any recording: it is no choice.
    """
    names = list(dict.fromkeys(row.channel for row in rows))
    on = {name: {row.speaker for row in rows if row.channel == name} for name in names}
    for name in names:
        number = _number(name) if len(names) > 1 or name.isalpha() else None
        twice = {who for other in names if other != name for who in on[name] & on[other]}
        said = (
            (f"{row.speaker or 'speaker'} {number or name}" if row.speaker in twice else row.speaker, row.span)
            for row in rows
            if row.channel == name
        )
        yield from (replace(tier, channel=number) for tier in by_speaker(kind, said))


def _number(channel: str) -> int | None:
    """A channel from 1 on, which NIST writes as a number or a letter."""
    if channel.isdecimal():
        return int(channel) or None
    return ord(channel) - ord("A") + 1 if len(channel) == 1 and "A" <= channel <= "Z" else None


def _recording(path: Path, name: str, *, alone: bool) -> Path:
    """The recording of this name beside the table; that of the table's name where there is one only."""
    found = named(path.parent, name)
    if found:
        return found
    own = beside(path)
    return own if alone and own.exists() else path.with_name(f"{Path(name).name}.wav")
