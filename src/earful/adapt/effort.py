"""The effort of adaptation: quick (within seconds), usual, or best (every step that helps these clips)."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from math import inf
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from earful.adapt.adapt import Adapted, Reading, about_of, adapted, plan_from
from earful.adapt.beside import plan_beside
from earful.adapt.best import Best, best, measuring
from earful.adapt.brought import Brought
from earful.adapt.clips import Progress
from earful.adapt.finetune import Plan
from earful.adapt.report import AdaptReport
from earful.adapt.select import learned_by, plan_by, plan_quick
from earful.adapt.self_train import Beside, self_trained
from earful.adapt.spoken import SENTENCES, spoken
from earful.adapt.start import is_recognizer
from earful.adapt.steps import Job
from earful.adapt.tune import tune as search
from earful.checkpoint import Checkpoint
from earful.data.manifest import Manifest
from earful.data.readers.sound import timed
from earful.data.untranscribed import read_beside, read_recordings, speech_of
from earful.errors import ConfigError, ManifestError
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
    steps: int | None = None,
    tune: float | None = None,
    texts: Sequence[str] = (),
    words: bool = True,
    greedy: bool = False,
    speak: int | None = None,
    recordings: Manifest | None = None,
    keep_sound: bool = True,
    seed: int = 0,
    state: Path | None = None,
    progress: Progress | None = None,
    watch: Callable[[Brought], None] | None = None,
) -> tuple[Checkpoint, AdaptReport]:
    """Adapt `base` to `clips` with the given effort; the common arguments are those of `adapt.adapt.adapt`.

    `steps` replaces the number of steps of the plan; `tune` first searches for better settings for this many minutes
    (`adapt.tune`). The usual effort also learns from `speak` sentences spoken by espeak-ng and from `recordings`
    without transcripts, of any length, if they are given. "best" tries both of these and more, in steps, and keeps each
    step that lowers CER on held-out clips. After `minutes`, or at Ctrl-C, it returns the best result so far, once the
    usual adaptation has finished. `watch` is called with each step.

    Raises:
        ConfigError: options that do not go together; an unknown effort; `speak` without a language. SynthesisError:
        espeak-ng is needed and cannot speak. AdaptationError, AudioError, CheckpointError: as `adapt.adapt.adapt`.
    """
    check_effort(effort, minutes, beside=bool(speak or recordings), tune=tune)
    base = replace(base, config=replace(base.config, rules=rules or base.config.rules))
    if plan is None and (effort == "quick" or steps is not None):
        plan = plan_of(base, clips, effort, steps)
    elif plan is not None:
        plan = with_so_many(plan, steps)
    reading, told, tell = Reading(texts, words, greedy), list[str](), progress or (lambda stage, done, total: None)
    with TemporaryDirectory() if state is None else nullcontext(state) as place:
        if tune is not None:
            plan, _ = search(base, clips, minutes=tune, plan=plan, seed=seed, state=state, progress=progress)
        if effort == "best":
            given = (base, clips, reading, plan, recordings, Path(place), speak)
            return climbed(job_for(*given, keep_sound=keep_sound, seed=seed), minutes, tell, watch)
        speech = cut_up(recordings, tell, told.append) if recordings is not None else None
        plans = (plan, plan if steps is not None or plan is None else plan_beside(plan))
        way = partial(as_usual, base, clips, plans, reading, speak=speak, recordings=speech, keep_sound=keep_sound)
        made, _ = way(seed=seed, state=state, folder=Path(place), tell=tell, warn=told.append)
    return with_warnings(base, made, told)


def climbed(
    job: Job, minutes: float | None, tell: Progress, watch: Callable[[Brought], None] | None
) -> tuple[Checkpoint, AdaptReport]:
    """The best adaptation after all steps."""
    found = best(
        job,
        minutes=minutes,
        tell=tell,
        announce=lambda planned: None,
        watch=lambda brought, at: watch(brought) if watch else None,
    )
    return with_steps(job.base, found)


def as_usual(
    base: Checkpoint,
    clips: Manifest,
    plans: tuple[Plan | None, Plan | None],
    reading: Reading,
    *,
    speak: int | None,
    recordings: Manifest | None,
    keep_sound: bool,
    seed: int,
    state: Path | None,
    folder: Path,
    tell: Progress,
    warn: Callable[[str], None],
) -> tuple[Adapted, Beside]:
    """Adapt once, and once more with transcribed `recordings` (clips of speech) if given; also the other speech used.

    `plans` are for the clips alone, and with other speech beside them, None for the usual ones; synthetic clips are
    kept in `folder`.
    """

    def learn(beside: Manifest | None, unmet: Sequence[Manifest]) -> Adapted:
        run = partial(adapted, base, clips, reading, plan=plans[bool(beside)], beside=beside, unmet_beside=unmet)
        return run(keep_sound=keep_sound, seed=seed, state=state, progress=tell)

    say = partial(spoken, base, texts=reading.texts, clips=clips, folder=folder / "spoken", seed=seed, tell=tell)
    return self_trained(learn, say(speak) if speak else None, recordings, tell=tell, warn=warn)


def cut_up(recordings: Manifest, tell: Progress, warn: Callable[[str], None]) -> Manifest:
    """The clips of speech in recordings; `warn` names recordings without speech. Raises ManifestError if all are."""
    clips, skipped = speech_of(recordings, lambda done, count: tell("looking for speech", done, len(recordings)))
    for each in skipped:
        warn(f"left out {each.path}: {each.reason}")
    if not len(clips):
        raise ManifestError(f"no speech was found in {len(recordings)} recordings without transcripts; give others")
    return clips


def with_warnings(base: Checkpoint, made: Adapted, more: Sequence[str]) -> tuple[Checkpoint, AdaptReport]:
    """The recogniser and its report with `more` warnings."""
    report = replace(made.report, warnings=(*made.report.warnings, *more))
    return replace(made.checkpoint, about=about_of(base, report)), report


def plan_of(base: Checkpoint, clips: Manifest, effort: Effort = "usual", steps: int | None = None) -> Plan:
    """The settings for this amount of data and effort, with `steps` instead of theirs if given.

    With 0 a meta-trained base takes its own steps only.
    """
    count, seconds = len(clips), clips.duration_s
    plan = quick_from(base, count, seconds) if effort == "quick" else plan_from(base, count, seconds)
    if effort == "quick" and not steps:
        return plan
    return with_so_many(plan, steps)


def with_so_many(plan: Plan, steps: int | None) -> Plan:
    """The plan with another number of steps, if given; with 0 a meta-trained base takes only its own."""
    if steps == 0 and plan.first:
        return plan.first
    return plan if steps is None else replace(plan, steps=steps)


def check_effort(effort: str, minutes: float | None, *, beside: bool = False, tune: float | None = None) -> None:
    """Raise ConfigError for an unknown effort, or for minutes or options that this effort does not take."""
    if effort not in ("quick", "usual", "best"):
        raise ConfigError(f"effort is {effort!r}, must be one of quick, usual, best")
    if minutes is not None and not (effort == "best" and 0 < minutes < inf):
        raise ConfigError(f"minutes is {minutes:g} with the effort {effort}; give a number above 0, with best alone")
    if effort == "quick" and (beside or tune is not None):
        raise ConfigError("--effort quick has no time for --speak, --unlabelled or --tune; leave them out, or it")


def job_for(
    base: Checkpoint,
    clips: Manifest,
    reading: Reading,
    plan: Plan | None,
    recordings: Manifest | None,
    state: Path,
    speak: int | None = None,
    *,
    keep_sound: bool = True,
    seed: int = 0,
) -> Job:
    """The data that all steps of the best effort share; without a `plan` the first step uses the usual one."""
    plan = measuring(plan or plan_from(base, len(clips), clips.duration_s), len(clips))
    return Job(base, clips, plan, reading, timed(recordings or ()), state, speak or SENTENCES, keep_sound, seed)


def recordings_of(folder: Path | None, clips: Manifest, more: str | Path | Manifest | None = None) -> Manifest:
    """Recordings in a folder of clips that have no transcript, and `more` recordings, a folder or a manifest.

    Raises ManifestError if the latter has none.
    """
    found = [read_beside(folder, clips)] if folder is not None and folder.is_dir() else []
    if more is not None:
        found.append(more if isinstance(more, Manifest) else read_recordings(more))
    return Manifest(tuple(replace(u, id=f"{number}/{u.id}") for number, each in enumerate(found) for u in each))


def with_steps(base: Checkpoint, found: Best) -> tuple[Checkpoint, AdaptReport]:
    """The recogniser and its report, with the result of each step."""
    report = replace(found.found.report, steps=found.brought)
    return replace(found.found.checkpoint, about=about_of(base, report)), report


def quick_from(base: Checkpoint, clips: int, seconds: float) -> Plan:
    """The plan of the quick effort; for a meta-trained base, only its own steps."""
    if learned := learned_by(base):
        return plan_by(learned, clips, seconds)
    return plan_quick(clips, seconds, further=is_recognizer(base))
