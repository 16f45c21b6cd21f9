"""Self-training: the recogniser transcribes recordings and is trained again on these and the clips.

Held-out clips do not leak through these transcripts: for each held-out part, the recordings are transcribed by a
fine-tuning, and a language model, that were not trained on that part.
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
"""A function that adapts with clips beside, and with another set for each held-out part."""


@dataclass(frozen=True)
class Spoken:
    """The amount of synthetic speech."""

    clips: int
    seconds: float


@dataclass(frozen=True)
class Believed:
    """The used clips, their seconds, and the rejected clips; `kept`: the second adaptation is the result."""

    clips: int
    seconds: float
    refused: int
    kept: bool


@dataclass(frozen=True)
class Beside:
    """The other speech beside the clips; None if it was not requested. `--json` prints it: the keys stay."""

    spoken: Spoken | None = None
    believed: Believed | None = None


def spoken_of(said: Manifest | None) -> Spoken | None:
    """The amount of speech in these clips."""
    return None if said is None else Spoken(len(said), round(said.duration_s, 2))


def believed_of(found: Manifest, clips: Manifest, kept: bool) -> Believed:
    """The amount of used and rejected speech of the `clips`."""
    return Believed(len(found), round(found.duration_s, 2), len(clips) - len(found), kept)


def writers(found: Adapted) -> list[Checkpoint]:
    """The recogniser, and for each held-out part a recogniser that was not trained on it."""
    parts = []
    for part in found.outcome.unmet:
        met = found.task._replace(copies=[found.task.copies[i] for i in part.learned])
        outcome, reading = replace(found.outcome, unmet=()), found.reading
        gain = None if reading.greedy else language_of(met, outcome, reading, None)
        language = gain.language if gain else None
        parts.append(replace(found.checkpoint, params=dict(part.end), language=language))
    return [found.checkpoint, *parts]


def guessed(found: Adapted, recordings: Manifest, tell: Progress, hearing: Hearing = itself) -> list[Manifest]:
    """The confidently transcribed clips: by the recogniser, and for each held-out part by one not trained on it.

    Raises AudioError if a recording cannot be read.
    """
    each = (writer.on(found.ready.device) for writer in writers(found))
    return [believed(writer, recordings, tell=tell, hearing=hearing) for writer in each]


def joined(said: Manifest | None, found: Manifest) -> Manifest:
    """Synthetic and transcribed clips together."""
    return Manifest((*(said or ()), *found))


def self_trained(
    run: Run,
    said: Manifest | None,
    recordings: Manifest | None,
    *,
    tell: Progress,
    warn: Callable[[str], None],
) -> tuple[Adapted, Beside]:
    """Adapt; with recordings, transcribe them, adapt again with confident transcripts, and keep the better result.

    Also returns the other speech that was used. Raises AudioError if a recording cannot be read.
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
