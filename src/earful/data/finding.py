"""One thing that is wrong, or worth knowing, about somebody's recordings and transcripts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")


@dataclass(frozen=True)
class Finding:
    """A finding: "error" (the clip cannot be used), "warning" (look at it) or "note".

    `kind` is a short fixed name to group by; `utterance_id` is None where it concerns the whole collection; `where` is
    the sound file, or the ids of the clips; `message` says what is so and `remedy` what to do.
    """

    severity: Severity
    kind: str
    utterance_id: str | None
    where: str
    message: str
    remedy: str


def listed(names: Sequence[str], most: int = 5) -> str:
    """Write the first few of many names.

    >>> listed(["a", "b", "c"], most=2)
    'a, b and 1 more'
    """
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
