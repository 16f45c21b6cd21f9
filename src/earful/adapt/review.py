"""Drafts in ELAN files: which to correct first, and how much the corrected ones changed.

The order is that of `adapt.suggest`: first the drafts that teach the most for their length, with a preference for those
that the model is unsure of. Corrected drafts count as transcribed.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import NamedTuple

from earful.adapt.clips import Progress
from earful.adapt.suggest import Suggested, suggest
from earful.audio.files import probe
from earful.checkpoint import Checkpoint
from earful.data.drafts import PHRASES, Reviewed, reviewed
from earful.data.eaf import Recording, parse_eaf, recording_of
from earful.data.finding import Finding, left_out
from earful.data.manifest import Manifest
from earful.data.spans import end_in
from earful.data.utterance import Utterance
from earful.errors import AdaptationError, AudioError, ManifestError
from earful.text.score import Score, score


@dataclass(frozen=True)
class Changes:
    """The state of the drafts of a file: their numbers, and the error rate of the corrected and deleted ones.

    `score` has the corrections as references and the drafts as hypotheses; None if there are none. It leaves out
    untouched drafts, since perhaps nobody has looked at them yet.
    """

    path: Path
    drafts: int
    untouched: int
    deleted: int
    score: Score | None

    @property
    def corrected(self) -> int:
        """The number of drafts whose text or span was changed."""
        return self.drafts - self.untouched - self.deleted


class Review(NamedTuple):
    """The changes of each file; the drafts to correct, the best first (None if all were touched).

    `broken` names files of a folder that were left out, with the reason; `why_none` says why no draft is suggested.
    """

    changes: tuple[Changes, ...]
    suggested: Suggested | None
    broken: tuple[Finding, ...] = ()
    why_none: str = ""


def changes_of(path: Path, found: Sequence[Reviewed]) -> Changes:
    """The state of the drafts of a file."""
    touched = [each for each in found if not each.untouched]
    references = [each.now.text if each.now else "" for each in touched]
    errors = score(references, [each.draft.text for each in touched]) if touched else None
    return Changes(path, len(found), len(found) - len(touched), sum(each.now is None for each in found), errors)


def review(
    checkpoint: Checkpoint,
    paths: Sequence[Path],
    count: int,
    tell: Progress | None = None,
    among: Collection[Path] = (),
) -> Review:
    """The state of the drafts in ELAN files, and the `count` untouched ones to correct first.

    `changes` leaves out files without drafts, and broken files if they are `among` others.

    Raises ManifestError if no file has drafts, a file is not from ELAN, or its recording is not found.
    """
    changes, broken = list[Changes](), list[Finding]()
    waiting, known = list[Utterance](), list[Utterance]()
    for path in paths:
        try:
            if found := _of_file(path):
                changes.append(found.changes)
                waiting += found.waiting
                known += found.known
        except ManifestError as error:
            if path not in among:
                raise
            broken.append(left_out(path, error))
    if not changes:
        raise ManifestError(_no_drafts(paths, broken))
    clips = [each for each in waiting if not any(_share(each, other) for other in known)]
    suggested, why_none = None, ""
    if clips:
        try:
            suggested = suggest(
                checkpoint, Manifest(tuple(clips)), count=count, known=Manifest(tuple(known)), tell=tell
            )
        except AdaptationError as error:
            why_none = str(error)
    return Review(tuple(changes), suggested, tuple(broken), why_none)


class _File(NamedTuple):
    """The drafts of a file as clips of its recording: the untouched ones, and the others."""

    changes: Changes
    waiting: list[Utterance]
    known: list[Utterance]


def _of_file(path: Path) -> _File | None:
    """Read the drafts of a file; None if it has none. Raises ManifestError."""
    root = parse_eaf(path)
    found = reviewed(root, PHRASES, path)
    if not found:
        return None
    recording = recording_of(root, path)
    lasts_s = _lasts_s(recording.audio)
    file = _File(changes_of(path, found), [], [])
    for each in found:
        if (clip := _clip(each, path, recording, lasts_s)) is not None:
            (file.waiting if each.untouched else file.known).append(clip)
    return file


def _no_drafts(paths: Sequence[Path], broken: Sequence[Finding]) -> str:
    named = ", ".join(map(str, paths[:3])) or "the folder"
    also = "".join(f"; {each.where}: {each.message}" for each in broken[:3])
    return f"{named}: no drafts of earful in it{also}; `earful transcribe MODEL --into FILE.eaf` writes some"


def _share(one: Utterance, other: Utterance) -> bool:
    """Whether two clips overlap: speech that was corrected in another tier needs no correction."""
    (one_s, one_end_s), (other_s, other_end_s) = ((u.start_s, u.start_s + (u.duration_s or 0.0)) for u in (one, other))
    return one.audio == other.audio and one_s < other_end_s and other_s < one_end_s


def _lasts_s(audio: Path) -> float:
    """The duration of a recording; infinity if it cannot be read, which `suggest` reports for its drafts."""
    try:
        return probe(audio).duration_s
    except (AudioError, OSError):
        return inf


def _clip(each: Reviewed, path: Path, recording: Recording, lasts_s: float) -> Utterance | None:
    """A draft, or its correction, as a clip of the recording; None if it is outside, or has no text."""
    now = each.now
    if now is None or now.start_ms is None or now.end_ms is None or now.end_ms <= now.start_ms or not now.text.strip():
        return None
    start_s, end_s = ((time_ms + recording.origin_ms) / 1000 for time_ms in (now.start_ms, now.end_ms))
    duration_s = round(end_in(end_s, lasts_s) - start_s, 6)
    extra = {"file": str(path), "annotation": now.id, "tier": now.tier, "at_ms": now.start_ms}
    return Utterance(f"{path}:{now.id}", recording.audio, start_s, duration_s, now.text, extra=extra)
