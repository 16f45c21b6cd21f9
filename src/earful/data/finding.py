"""Findings: problems of recordings and transcripts, and notes on them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

Severity = Literal["error", "warning", "note"]
BROKEN = "broken file"
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")


@dataclass(frozen=True)
class Finding:
    """A finding: "error" (the clip cannot be used), "warning" (look at it) or "note".

    `kind` is a short fixed name to group by; `utterance_id` is None if it concerns the whole collection; `where` is the
    sound file, or the ids of the clips; `message` describes the problem, and `remedy` says what to do.
    """

    severity: Severity
    kind: str
    utterance_id: str | None
    where: str
    message: str
    remedy: str


def left_out(path: Path, error: Exception) -> Finding:
    """The finding for a broken file among others: the text of its error, with the line.

    >>> found = left_out(Path("a.eaf"), ValueError("a.eaf:3: not XML (mismatched tag); save it again"))
    >>> found.where, found.message, found.remedy
    ('a.eaf:3', 'left out: not XML (mismatched tag)', 'save it again')
    """
    said = str(error).removeprefix(f"{path}:")
    line, _, rest = said.partition(": ")
    where, said = (f"{path}:{line}", rest) if line.isdecimal() else (str(path), said.strip())
    message, _, remedy = said.rpartition("; ")
    return Finding("error", BROKEN, None, where, f"left out: {message or remedy}", remedy if message else "correct it")


def listed(names: Sequence[str], most: int = 5) -> str:
    """Write the first few of many names.

    >>> listed(["a", "b", "c"], most=2)
    'a, b and 1 more'
    """
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def gathered(findings: Iterable[Finding], most: int) -> Iterator[tuple[Finding, tuple[str, ...]]]:
    """Each finding with the ids of its clips; if over `most` clips have one of a kind, one finding for all of them.

    Kinds are in the order of their first findings. A finding about the whole collection has no ids.
    """
    kinds: dict[tuple[str, str, bool], list[Finding]] = {}
    for finding in findings:
        kinds.setdefault((finding.severity, finding.kind, finding.utterance_id is None), []).append(finding)
    for (_, kind, whole), group in kinds.items():
        ids = tuple(finding.utterance_id for finding in group if finding.utterance_id is not None)
        if whole or len(group) <= most:
            yield from ((finding, ids[place : place + 1]) for place, finding in enumerate(group))
        else:
            message = f"{kind}, {len(group)} clips; of the first: {group[0].message}"
            where = listed([finding.where for finding in group])
            yield replace(group[0], utterance_id=None, where=where, message=message), ids
