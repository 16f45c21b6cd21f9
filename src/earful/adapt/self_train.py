"""Self-training: the recogniser writes recordings down that nobody has transcribed, and learns again with the clips.

What measures never meets what was learned, by way of these guesses neither: for each part of the clips that measures,
the recordings are written down by a fine-tuning that has not met that part, with a language model that has not read it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from earful.adapt.adapt import Adapted, language_of
from earful.adapt.clips import Progress
from earful.adapt.remember import Hearing, itself
from earful.adapt.unlabelled import believed
from earful.checkpoint import Checkpoint
from earful.data.manifest import Manifest

Run = Callable[[Manifest | None, Sequence[Manifest]], Adapted]
"""Adapts with so much beside the clips, and for each part that measures with that beside the others."""


@dataclass(frozen=True)
class Spoken:
    """How much a synthesiser said."""

    clips: int
    seconds: float


@dataclass(frozen=True)
class Believed:
    """How much of the recordings was believed, and how many clips were not; `kept`: what was learned of them stayed."""

    clips: int
    seconds: float
    refused: int
    kept: bool


@dataclass(frozen=True)
class Beside:
    """What lay beside the clips; None what was not asked for. `--json` prints it: the keys stay."""

    spoken: Spoken | None = None
    believed: Believed | None = None


def spoken_of(said: Manifest | None) -> Spoken | None:
    """How much that is."""
    return None if said is None else Spoken(len(said), round(said.duration_s, 2))


def believed_of(found: Manifest, clips: Manifest, kept: bool) -> Believed:
    """How much of the `clips` was believed."""
    return Believed(len(found), round(found.duration_s, 2), len(clips) - len(found), kept)


def writers(found: Adapted) -> list[Checkpoint]:
    """The recogniser, and then for each part of the clips that measured one that has not met it."""
    parts = []
    for part in found.outcome.unmet:
        met = found.task._replace(copies=[found.task.copies[i] for i in part.learned])
        outcome, reading = replace(found.outcome, unmet=()), found.reading
        gain = None if reading.greedy else language_of(met, outcome, reading, None)
        language = gain.language if gain else None
        parts.append(replace(found.checkpoint, params=dict(part.end), language=language))
    return [found.checkpoint, *parts]


def guessed(found: Adapted, recordings: Manifest, tell: Progress, hearing: Hearing = itself) -> list[Manifest]:
    """What is believed of the recordings: of the recogniser, and for each part that measures of one without it.

    Raises AudioError where a recording cannot be read.
    """
    each = (writer.on(found.ready.device) for writer in writers(found))
    return [believed(writer, recordings, tell=tell, hearing=hearing) for writer in each]


def joined(said: Manifest | None, found: Manifest) -> Manifest:
    """Both beside the clips."""
    return Manifest((*(said or ()), *found))


def self_trained(
    run: Run,
    said: Manifest | None,
    recordings: Manifest | None,
    *,
    tell: Progress,
    warn: Callable[[str], None],
) -> tuple[Adapted, Beside]:
    """Adapt. Where there are recordings: write them down, adapt once more with what was believed, keep the better.

    Also answers what lay beside the clips. Raises AudioError where a recording cannot be read.
    """
    first = run(said, ())
    if recordings is None:
        return first, Beside(spoken_of(said))
    found, *unmet = guessed(first, recordings, tell)
    if not len(found):
        warn(f"of {len(recordings)} clips without transcripts the recogniser is sure of none; left out")
        return first, Beside(spoken_of(said), believed_of(found, recordings, kept=False))
    second = run(joined(said, found), [joined(said, each) for each in unmet])
    before, after = first.report.rate, second.report.rate
    better = after <= before
    warn(
        f"{found.duration_s / 60:.1f} of {recordings.duration_s / 60:.1f} minutes without transcripts were believed; "
        f"CER {before:.1%} without them, {after:.1%} with them" + ("" if better else ", so they were left out")
    )
    kept = Beside(spoken_of(said), believed_of(found, recordings, better))
    return (second if better else first), kept
