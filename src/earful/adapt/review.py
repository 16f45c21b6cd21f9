"""Drafts in ELAN's files: which to correct first, and how much the corrected ones changed.

What comes first is what `adapt.suggest` would have transcribed first: the drafts that teach the most for their length,
and more those that the model is unsure of. What was corrected counts as covered.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from earful.adapt.clips import Progress
from earful.adapt.suggest import Suggested, suggest
from earful.checkpoint import Checkpoint
from earful.data.drafts import PHRASES, Reviewed, reviewed
from earful.data.eaf import parse_eaf, recording_of
from earful.data.manifest import Manifest
from earful.data.utterance import Utterance
from earful.errors import ManifestError
from earful.text.score import Score, score


@dataclass(frozen=True)
class Changes:
    """What became of the drafts of a file: their numbers, and how far the corrected and deleted ones were wrong.

    `score` has the corrections as references and the drafts as hypotheses; None where nothing was touched. Drafts that
    nobody touched are not in it: perhaps nobody has looked at them yet.
    """

    path: Path
    drafts: int
    untouched: int
    deleted: int
    score: Score | None

    @property
    def corrected(self) -> int:
        """Drafts of which the text or the span is another now."""
        return self.drafts - self.untouched - self.deleted


class Review(NamedTuple):
    """The changes, file by file; drafts to correct, the best first (None where all were touched)."""

    changes: tuple[Changes, ...]
    suggested: Suggested | None


def changes_of(path: Path, found: Sequence[Reviewed]) -> Changes:
    """What became of the drafts of a file."""
    touched = [each for each in found if not each.untouched]
    references = [each.now.text if each.now else "" for each in touched]
    errors = score(references, [each.draft.text for each in touched]) if touched else None
    return Changes(path, len(found), len(found) - len(touched), sum(each.now is None for each in found), errors)


def review(checkpoint: Checkpoint, paths: Sequence[Path], count: int, tell: Progress | None = None) -> Review:
    """What became of the drafts in files of ELAN's, and the `count` untouched ones to correct first.

    Files without drafts are left out of `changes`.

    Raises:
        ManifestError: no file has drafts, a file is none of ELAN's, or its recording is not found.
        AdaptationError: no draft can be suggested (`suggest`: they are shorter than 1 s, or silent).
    """
    changes, waiting, known = list[Changes](), list[Utterance](), list[Utterance]()
    for path in paths:
        root = parse_eaf(path)
        if found := reviewed(root, PHRASES, path):
            changes.append(changes_of(path, found))
            audio, origin_ms = recording_of(root, path)
            for each in found:
                if (clip := _clip(each, path, audio, origin_ms)) is not None:
                    (waiting if each.untouched else known).append(clip)
    if not changes:
        named = ", ".join(map(str, paths[:3])) or "the folder"
        raise ManifestError(
            f"{named}: no drafts of earful in it; `earful transcribe MODEL --into FILE.eaf` writes some"
        )
    left = [each for each in waiting if not any(_share(each, other) for other in known)]
    if not left:
        return Review(tuple(changes), None)
    clips = Manifest(tuple(left))
    return Review(tuple(changes), suggest(checkpoint, clips, count=count, known=Manifest(tuple(known)), tell=tell))


def _share(one: Utterance, other: Utterance) -> bool:
    """Whether two clips share speech: a draft of what somebody has corrected in another tier needs no correcting."""
    (one_s, one_end_s), (other_s, other_end_s) = ((u.start_s, u.start_s + (u.duration_s or 0.0)) for u in (one, other))
    return one.audio == other.audio and one_s < other_end_s and other_s < one_end_s


def _clip(each: Reviewed, path: Path, audio: Path, origin_ms: int) -> Utterance | None:
    """Where a draft, or what it was corrected to, is in the recording; None where there is none, or no text."""
    now = each.now
    if now is None or now.start_ms is None or now.end_ms is None or now.end_ms <= now.start_ms or not now.text.strip():
        return None
    start_s, lasts_s = (now.start_ms + origin_ms) / 1000, (now.end_ms - now.start_ms) / 1000
    extra = {"file": str(path), "annotation": now.id, "tier": now.tier, "at_ms": now.start_ms}
    return Utterance(f"{path}:{now.id}", audio, start_s, lasts_s, now.text, extra=extra)
