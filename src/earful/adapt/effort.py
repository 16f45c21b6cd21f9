"""One dial for adaptation: an answer within seconds, as usual, or all that helps for these clips and this language."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from math import inf
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from earful.adapt.adapt import Reading, about_of, adapt, plan_from
from earful.adapt.best import Best, best, measuring
from earful.adapt.brought import Brought
from earful.adapt.clips import Progress
from earful.adapt.finetune import Plan
from earful.adapt.report import AdaptReport
from earful.adapt.select import learned_by, plan_by, plan_quick
from earful.adapt.spoken import SENTENCES
from earful.adapt.start import is_recognizer
from earful.adapt.steps import Job
from earful.checkpoint import Checkpoint
from earful.data.manifest import Manifest
from earful.data.readers.sound import timed
from earful.data.untranscribed import read_beside, read_recordings
from earful.errors import ConfigError
from earful.text.normalize import TextRules

Effort = Literal["quick", "usual", "best"]


def adapt_by(
    effort: Effort,
    base: Checkpoint,
    clips: Manifest,
    *,
    minutes: float | None = None,
    rules: TextRules | None = None,
    plan: Plan | None = None,
    texts: Sequence[str] = (),
    words: bool = True,
    greedy: bool = False,
    speak: int = SENTENCES,
    recordings: Manifest | None = None,
    keep_sound: bool = True,
    seed: int = 0,
    state: Path | None = None,
    progress: Progress | None = None,
    watch: Callable[[Brought], None] | None = None,
) -> tuple[Checkpoint, AdaptReport]:
    """Adapt `base` to `clips` with so much effort; what all three take is as in `adapt.adapt.adapt`.

    "best" has steps, each of which stays where it lowers CER on clips that it has not met: `speak` sentences said by
    espeak-ng, the `recordings` without transcripts, of any length, and more. After `minutes`, or at Ctrl-C, what was
    best so far is the answer, once the usual adaptation is through. `watch` is told of each step.

    Raises:
        ConfigError: `minutes` without "best", or not above 0; an effort that there is not.
        AdaptationError, AudioError, CheckpointError: as `adapt.adapt.adapt`.
    """
    check_effort(effort, minutes)
    base = replace(base, config=replace(base.config, rules=rules or base.config.rules))
    if effort == "best":
        reading = Reading(texts, words, greedy)
        with TemporaryDirectory() if state is None else nullcontext(state) as folder:
            job = job_for(base, clips, reading, plan, recordings, Path(folder), speak, keep_sound=keep_sound, seed=seed)
            found = best(
                job,
                minutes=minutes,
                tell=progress or (lambda stage, done, total: None),
                announce=lambda planned: None,
                watch=lambda brought, at: watch(brought) if watch else None,
            )
        return with_steps(base, found)
    return adapt(
        base,
        clips,
        plan=plan or (quick_from(base, len(clips), clips.duration_s) if effort == "quick" else None),
        texts=texts,
        words=words,
        greedy=greedy,
        keep_sound=keep_sound,
        seed=seed,
        state=state,
        progress=progress,
    )


def check_effort(effort: str, minutes: float | None) -> None:
    """Raises ConfigError for an effort that there is not, and for minutes that it cannot keep to."""
    if effort not in ("quick", "usual", "best"):
        raise ConfigError(f"effort is {effort!r}, must be one of quick, usual, best")
    if minutes is not None and not (effort == "best" and 0 < minutes < inf):
        raise ConfigError(f"minutes is {minutes:g} with the effort {effort}; give a number above 0, with best alone")


def job_for(
    base: Checkpoint,
    clips: Manifest,
    reading: Reading,
    plan: Plan | None,
    recordings: Manifest | None,
    state: Path,
    speak: int = SENTENCES,
    *,
    keep_sound: bool = True,
    seed: int = 0,
) -> Job:
    """What the steps of the best adaptation share; without a `plan` the usual one is the first."""
    plan = measuring(plan or plan_from(base, len(clips), clips.duration_s), len(clips))
    return Job(base, clips, plan, reading, timed(recordings or ()), state, speak, keep_sound, seed)


def recordings_of(folder: Path | None, clips: Manifest, more: str | Path | Manifest | None = None) -> Manifest:
    """What lies in a folder of clips and no transcript names, and `more` recordings, a folder of them or a manifest.

    Raises ManifestError where there are none in the latter.
    """
    found = [read_beside(folder, clips)] if folder is not None and folder.is_dir() else []
    if more is not None:
        found.append(more if isinstance(more, Manifest) else read_recordings(more))
    return Manifest(tuple(replace(u, id=f"{number}/{u.id}") for number, each in enumerate(found) for u in each))


def with_steps(base: Checkpoint, found: Best) -> tuple[Checkpoint, AdaptReport]:
    """The recogniser and its report, which say what each step brought."""
    report = replace(found.found.report, steps=found.brought)
    return replace(found.found.checkpoint, about=about_of(base, report)), report


def quick_from(base: Checkpoint, clips: int, seconds: float) -> Plan:
    """The plan for an answer within seconds; of a meta-trained base, its own steps alone."""
    if learned := learned_by(base):
        return plan_by(learned, clips, seconds)
    return plan_quick(clips, seconds, further=is_recognizer(base))
