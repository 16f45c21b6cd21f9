"""All that helps: steps of adaptation, the most gain for time first, each kept where clips that it has not met agree.

The same clips measure every step. Below 120 clips they are all of them, cross-validated; above, a part is held out.
Choosing the best of a few by the same clips flatters a little; what was learned never meets them.
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
"""Is told of each step, and where the climb stands after it."""


@dataclass(frozen=True)
class Best:
    """The best that was met, what each step brought, what lies beside the clips; and whether it was interrupted."""

    found: Adapted
    plan: Plan
    brought: tuple[Brought, ...]
    beside: Beside
    interrupted: bool = False


class TimeIsOver(Exception):
    """Ends a step in its middle."""


def best(
    job: Job,
    *,
    minutes: float | None = None,
    tell: Progress,
    announce: Callable[[Sequence[Planned]], None],
    watch: Watch,
) -> Best:
    """Adapt as usual, then step by step better, until nothing is left, `minutes` are over, or Ctrl-C comes.

    The usual step is always made; Ctrl-C before its end raises KeyboardInterrupt. With `job.state` what was interrupted
    goes on. `announce` is told the steps before the first. Raises as `adapt`.
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
    """The plan with all clips measured in turn where they are few: on a tenth of them a step's gain would be chance."""
    return replace(plan, folds=3) if 2 <= clips < MANY else plan


def climb(at: Standing, steps: Sequence[Step], deadline: float) -> Iterator[tuple[Standing, Brought, Standing | None]]:
    """Where each step leads to, what it brought, and what it came to, whether that stays or not."""
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
        ) as error:  # what helps no further is no reason to lose what there is
            yield at, none(name, monotonic() - began, f"left out: {error}"), None
            continue
        if tried is None:
            yield at, none(name, monotonic() - began, "left out: the recogniser is not confident of any of them"), None
            continue
        better = tried.found.report.rate < at.found.report.rate
        at = tried if better else at
        yield at, brought_by(name, tried.found, monotonic() - began, kept=better), tried


def none(name: str, seconds: float, note: str) -> Brought:
    """A step that came to nothing."""
    return Brought(name, None, None, seconds, False, note)


def brought_by(name: str, found: Adapted, seconds: float, *, kept: bool) -> Brought:
    """What a step came to."""
    report, note = found.report, "" if kept else "left out: no better"
    return Brought(name, report.cer_after, report.cer_with_language, seconds, kept, note)


def lain_beside(before: Beside, brought: Brought, tried: Standing | None) -> Beside:
    """What lies beside the clips after a step."""
    if tried is None:
        return before
    if brought.name == RECORDINGS and tried.heard is not None:
        return replace(before, believed=believed_of(tried.guesses[0], tried.heard, brought.kept))
    return replace(before, spoken=spoken_of(tried.said)) if brought.kept and tried.said else before
