"""The best effort: steps of adaptation, the most gain per second first; each is kept if held-out CER falls.

The same clips measure every step: below 120 clips all of them by cross-validation, above that a held-out part. Choosing
among steps by the same clips makes the final CER a little too low, though no fine-tuning is trained on its held-out
clips.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import inf
from time import monotonic

from earful.adapt.adapt import ADAPTATION, Adapted, completed, prepare
from earful.adapt.brought import Brought, Planned
from earful.adapt.clips import Progress
from earful.adapt.finetune import Plan
from earful.adapt.pace import moving_s, pace_of
from earful.adapt.select import MANY
from earful.adapt.self_train import Beside, believed_of, spoken_of
from earful.adapt.steps import RECORDINGS, USUAL, Job, Standing, Step, steps_for
from earful.errors import AdaptationError, AudioError, SynthesisError

Watch = Callable[[Brought, Standing], None]
"""A function called after each step with its result and the state after it."""


@dataclass(frozen=True)
class Best:
    """The best adaptation, the result of each step, the other speech that was used, and whether it was interrupted."""

    found: Adapted
    plan: Plan
    brought: tuple[Brought, ...]
    beside: Beside
    interrupted: bool = False


class TimeIsOver(Exception):
    """Raised to end a step before its end."""


def best(
    job: Job,
    *,
    minutes: float | None = None,
    tell: Progress,
    announce: Callable[[Sequence[Planned]], None],
    watch: Watch,
) -> Best:
    """Adapt as usual, then try further steps until none is left, `minutes` are over, or Ctrl-C is pressed.

    The usual step is always taken; Ctrl-C before its end raises KeyboardInterrupt. With `job.state` an interrupted run
    continues. `announce` gets the planned steps first. Raises as `adapt`.
    """
    began, first_s = monotonic(), 0.0
    deadline = inf if minutes is None else began + 60 * minutes

    def watched(stage: str, done: int, total: int) -> None:
        if first_s and monotonic() > deadline:
            raise TimeIsOver
        tell(stage, done, total)

    ready = prepare(
        job.base,
        job.clips,
        rules=None,
        plan=job.plan,
        texts=job.reading.texts,
        keep_sound=job.keep_sound,
        seed=job.seed,
        tell=tell,
        hearing=job.memory,
    )
    pace = pace_of(ready, job.memory.pace, job.seed)
    usual = Planned(USUAL, f"adapt as usual, {job.plan.steps} steps", moving_s(job.plan, ready.speech_s, pace))
    steps = steps_for(job, ready, pace, watched) if len(ready.copies) > 1 else []  # one clip can measure nothing
    announce([usual, *(step.planned for step in steps)])
    first = completed(job.base, ready, job.reading, ADAPTATION, (), job.seed, job.state, tell, began)
    first_s = monotonic() - began
    at, brought, interrupted = Standing(first, job.plan), [brought_by(USUAL, first, first_s, kept=True)], False
    watch(brought[0], at)
    beside = Beside()
    try:
        for after, each, tried in climb(at, steps, deadline):
            at = after
            brought.append(each)
            beside = lain_beside(beside, each, tried)
            watch(each, at)
    except KeyboardInterrupt:
        interrupted = True
    return Best(at.found, at.plan, tuple(brought), beside, interrupted)


def measuring(plan: Plan, clips: int) -> Plan:
    """The plan, with cross-validation if there are few clips: on a tenth of them the gain of a step would be noise."""
    return replace(plan, folds=3) if 2 <= clips < MANY else plan


def climb(at: Standing, steps: Sequence[Step], deadline: float) -> Iterator[tuple[Standing, Brought, Standing | None]]:
    """Yield for each step the state after it, its result, and the adaptation that it made, kept or not."""
    for name, make, wanted_s in ((s.planned.name, s.make, s.planned.seconds) for s in steps if not s.planned.left_out):
        began = monotonic()
        if wanted_s > deadline - began:
            left_s = max(0.0, deadline - began)
            yield at, none(name, 0.0, f"left out: takes about {wanted_s:.0f} s, and {left_s:.0f} s are left"), None
            continue
        try:
            tried = make(at)
        except TimeIsOver:
            yield at, none(name, monotonic() - began, "left out: the time was over"), None
            return
        except (
            AdaptationError,
            AudioError,
            SynthesisError,
        ) as error:  # a failed step must not lose the best so far
            yield at, none(name, monotonic() - began, f"left out: {error}"), None
            continue
        if tried is None:
            yield at, none(name, monotonic() - began, "left out: the recogniser is not confident of any of them"), None
            continue
        better = tried.found.report.rate < at.found.report.rate
        at = tried if better else at
        yield at, brought_by(name, tried.found, monotonic() - began, kept=better), tried


def none(name: str, seconds: float, note: str) -> Brought:
    """The record of a step without a result."""
    return Brought(name, None, None, seconds, False, note)


def brought_by(name: str, found: Adapted, seconds: float, *, kept: bool) -> Brought:
    """The record of a step with a result."""
    report, note = found.report, "" if kept else "left out: no better"
    return Brought(name, report.cer_after, report.cer_with_language, seconds, kept, note)


def lain_beside(before: Beside, brought: Brought, tried: Standing | None) -> Beside:
    """The other speech that is used after a step."""
    if tried is None:
        return before
    if brought.name == RECORDINGS and tried.heard is not None:
        return replace(before, believed=believed_of(tried.guesses[0], tried.heard, brought.kept))
    return replace(before, spoken=spoken_of(tried.said)) if brought.kept and tried.said else before
