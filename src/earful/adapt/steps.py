"""The steps of the best effort: what each does with the best result so far, and how long it may take."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import monotonic
from typing import NamedTuple

from earful.adapt.adapt import Adapted, Prepared, Reading, adapted, concluded
from earful.adapt.beside import COPIES, LONGER, plan_beside
from earful.adapt.brought import Planned
from earful.adapt.clips import Progress
from earful.adapt.finetune import Plan
from earful.adapt.measure import run, soup
from earful.adapt.pace import Pace, moving_s
from earful.adapt.remember import Memory
from earful.adapt.select import FEW, MANY
from earful.adapt.self_train import guessed, joined
from earful.adapt.spoken import SENTENCES, can_speak, spoken
from earful.adapt.tune import load_optuna, tune
from earful.audio.activity import load_detector
from earful.checkpoint import Checkpoint
from earful.data.manifest import Manifest
from earful.data.untranscribed import speech_of
from earful.errors import AdaptationError, AudioError

SEARCH_MIN = 10.0
"""Minutes of a search for settings."""
FASTER = 2.0
"""The factors of steps and of learning rate in the longer run (`bench/adapt_steps.json`)."""
SENTENCE_S, SAY = 3.3, 0.03
"""Seconds of a synthetic sentence (`bench/beside_dutch.json`), and seconds of computing per second of it (by hand)."""
USUAL, LONG, SPOKEN, RECORDINGS, SEARCH, AVERAGED = "usual", "longer", "spoken", "recordings", "search", "averaged"


@dataclass(frozen=True)
class Job:
    """The data that all steps share. `plan` is that of the usual step; `recordings` are uncut, with durations.

    The folder `state` has the state of an interrupted run, and the synthetic speech.
    """

    base: Checkpoint
    clips: Manifest
    plan: Plan
    reading: Reading
    recordings: Manifest
    state: Path
    speak: int = SENTENCES
    keep_sound: bool = True
    seed: int = 0
    memory: Memory = field(default_factory=Memory, compare=False)


class Standing(NamedTuple):
    """The best result so far: the adaptation, its plan for the clips alone, and the other speech beside them.

    `heard` are all clips of speech in the recordings, `guesses` the confidently transcribed ones: by the recogniser,
    and by one for each held-out part that was not trained on it.
    """

    found: Adapted
    plan: Plan
    said: Manifest | None = None
    guesses: Sequence[Manifest] = ()
    heard: Manifest | None = None


class Step(NamedTuple):
    """A step: `make` returns its result from the best result so far; None if it has no data."""

    planned: Planned
    make: Callable[[Standing], Standing | None]


def steps_for(job: Job, ready: Prepared, pace: Pace, tell: Progress) -> list[Step]:
    """The steps after the usual one for these clips, the most gain per second first.

    From 30 clips more steps help and come first: on Dutch clips 1.7 points for 43 processor seconds
    (`bench/adapt_steps.json`), synthetic sentences 3.7 for 97 and recordings 3.5 for 203 (`bench/beside_dutch.json`). A
    search and the mean of several runs, with unknown gains, come last.
    """
    count, sound_s = len(ready.heard.clips), ready.speech_s
    say_s, recorded_s = job.speak * SENTENCE_S, job.recordings.duration_s
    parts = max(job.plan.folds, 1)
    beside_s = moving_s(plan_over(job, job.plan), sound_s + say_s, pace)
    longer = longer_plan(job.plan)
    listen = pace.hear * (1 + COPIES)
    language = job.base.config.rules.language
    return [
        Step(
            Planned(
                LONG,
                f"{longer.steps} steps, {FASTER:g} times the learning rate",
                moving_s(longer, sound_s, pace),
                "more steps do not help with fewer than 30 clips" if count < FEW else "",
            ),
            lambda at: Standing(again(job, longer, at, tell), longer, at.said, at.guesses, at.heard),
        ),
        Step(
            Planned(
                SPOKEN,
                f"also learn from {job.speak} sentences spoken by espeak-ng",
                say_s * (SAY + listen) + beside_s,
                "" if can_speak(language) else f"espeak-ng does not speak {language or 'an unnamed language'}",
            ),
            lambda at: _with_spoken(job, at, tell),
        ),
        Step(
            Planned(
                RECORDINGS,
                f"also learn from {recorded_s / 60:.1f} minutes without transcripts",
                recorded_s * (listen + (1 + parts) * pace.hear) + beside_s,
                _no_recordings(job),
            ),
            lambda at: _with_recordings(job, at, tell),
        ),
        Step(
            Planned(
                SEARCH,
                f"search {SEARCH_MIN:g} minutes for settings",
                60 * SEARCH_MIN + moving_s(job.plan, sound_s, pace),
                _no_search(job, count),
            ),
            lambda at: _with_search(job, at, tell),
        ),
        Step(
            Planned(AVERAGED, "the mean of two runs", moving_s(job.plan, sound_s, pace)),
            lambda at: _averaged(job, at, tell),
        ),
    ]


def longer_plan(plan: Plan) -> Plan:
    """The plan with more steps and a higher learning rate."""
    return replace(plan, steps=round(FASTER * plan.steps), rate=FASTER * plan.rate)


def plan_over(job: Job, plan: Plan) -> Plan:
    """A plan with other speech beside the clips: at least the steps of the usual plan with other speech."""
    return replace(plan_beside(plan), steps=max(plan.steps, LONGER * job.plan.steps))


def again(job: Job, plan: Plan, at: Standing, tell: Progress) -> Adapted:
    """Adapt by a `plan` for the clips alone, with the other speech of the best result so far."""
    found, *unmet = at.guesses or (Manifest(()),)
    beside = joined(at.said, found)
    return adapted(
        job.base,
        job.clips,
        job.reading,
        plan=plan_over(job, plan) if len(beside) else plan,
        beside=beside if len(beside) else None,
        unmet_beside=[joined(at.said, each) for each in unmet],
        keep_sound=job.keep_sound,
        seed=job.seed,
        state=job.state,
        progress=tell,
        hearing=job.memory,
    )


def _with_spoken(job: Job, at: Standing, tell: Progress) -> Standing:
    """Adapt with synthetic sentences beside the clips."""
    folder, texts = job.state / "spoken", job.reading.texts
    said = spoken(job.base, job.speak, texts, job.clips, folder=folder, seed=job.seed, tell=tell)
    tried = at._replace(said=said)
    return tried._replace(found=again(job, at.plan, tried, tell))


def _with_recordings(job: Job, at: Standing, tell: Progress) -> Standing | None:
    """Adapt with confidently transcribed recordings beside the clips; None if there are none."""
    total = len(job.recordings)
    clips, _ = speech_of(job.recordings, lambda done, skipped: tell("looking for speech", done, total))
    guesses = guessed(at.found, clips, tell, job.memory)
    if not len(guesses[0]):
        return None
    tried = at._replace(guesses=guesses, heard=clips)
    return tried._replace(found=again(job, at.plan, tried, tell))


def _with_search(job: Job, at: Standing, tell: Progress) -> Standing:
    """Adapt with the settings that a search finds for the clips alone."""
    plan, _ = tune(job.base, job.clips, minutes=SEARCH_MIN, plan=at.plan, seed=job.seed, state=job.state, progress=tell)
    return at._replace(found=again(job, plan, at, tell), plan=plan)


def _averaged(job: Job, at: Standing, tell: Progress) -> Standing:
    """Average the weights of the best run and of another run with other draws."""
    began, found = monotonic(), at.found
    state = found.task.state / "draw-1" if found.task.state else None
    task = found.task._replace(draw=1, state=state, tell=tell)
    outcome = soup(task, [found.outcome, run(task)])
    return at._replace(found=concluded(job.base, found.ready, task, outcome, job.reading, began))


def _no_recordings(job: Job) -> str:
    """The reason why no recordings are used, or an empty string."""
    if not len(job.recordings):
        return "there are no recordings without transcripts in the folder of clips"
    try:
        load_detector()
    except AudioError as error:
        return str(error)
    return ""


def _no_search(job: Job, count: int) -> str:
    """The reason why there is no search for settings, or an empty string."""
    if count < MANY:
        return f"with fewer than {MANY} clips it would use the clips that measure the result"
    if job.base.inner:
        return "a meta-trained base takes its own steps first"
    try:
        load_optuna()
    except AdaptationError as error:
        return str(error)
    return ""
