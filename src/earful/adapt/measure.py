"""Fine-tuning with a measurement: on a held-out part, by cross-validation, or on the training clips."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

import torch

from earful.adapt.at_once import Report, at_once
from earful.adapt.beside import mixed
from earful.adapt.clips import Progress
from earful.adapt.finetune import Plan, Tuned, cer_of, finetune, stages
from earful.adapt.select import split_folds
from earful.data.batch import Example
from earful.device import CPU, home_of
from earful.model import AcousticModel, Params, like
from earful.trees import mean

DRAW = 7_368_787
"""A prime: seeds of different draws never meet."""

Measured = Literal["held-out", "cross-validated", "own clips"]


class Task(NamedTuple):
    """A fine-tuning task: the model's shape, the clips with their copies, the plan, and where to keep the state.

    `start` returns the initial parameters for training clips, by number: output rows are initialised from these clips
    only, so the others stay held out. `learned` are the learned tensors of the plan's inner loop. `beside` is always
    training data and never used for measuring; `unmet_beside`, if given, replaces it while the part with that number is
    held out. Another `draw` uses other batches, masks and copies on the same parts. `groups` has the group of each clip
    (`data.apart`): a group is never on both sides of a split; without it each clip is its own group.
    """

    model: AcousticModel
    start: Callable[[Sequence[int]], Params]
    copies: Sequence[Sequence[Example]]
    plan: Plan
    seed: int
    state: Path | None
    tell: Progress
    learned: Params | None = None
    beside: Sequence[Sequence[Example]] = ()
    unmet_beside: Sequence[Sequence[Sequence[Example]]] = ()
    draw: int = 0
    groups: Sequence[int] = ()


class Unmet(NamedTuple):
    """A fine-tuning and its held-out clips: parameters, training clips and held-out clips, by number.

    `params` are the best on the held-out clips; `end`, the last ones (`last`, if given), are not selected by them.
    """

    params: Params
    learned: Sequence[int]
    held: Sequence[int]
    last: Params | None = None

    @property
    def end(self) -> Params:
        """The last parameters."""
        return self.params if self.last is None else self.last


@dataclass(frozen=True)
class Outcome:
    """CER before, the final fine-tuning (its `best` has the CER after), the kind of measurement, and its clips."""

    before: float
    tuned: Tuned
    measured: Measured
    unmet: tuple[Unmet, ...] = ()


def run(task: Task) -> Outcome:
    """Fine-tune by the plan; on the held-out clips the result is never worse than the start.

    In a plan of stages each continues from the end of the one before, and is kept if it lowers CER on the held-out
    clips.
    """
    outcome, begun = None, task.start
    for number, plan in enumerate(stages(task.plan)):
        part = task._replace(
            plan=plan,
            start=begun,
            copies=[each[: 1 + plan.copies] for each in task.copies],
            state=task.state / str(number) if task.state and number else task.state,
            beside=() if plan.inner else task.beside,
            unmet_beside=() if plan.inner else task.unmet_beside,
        )
        found = _run(part)
        outcome = _joined(outcome, found) if outcome else found
        begun = _further(found, part)
    assert outcome is not None
    return outcome


def _further(outcome: Outcome, task: Task) -> Callable[[Sequence[int]], Params]:
    """The start of the next stage: for each set of training clips, the fine-tuning on the same set.

    So held-out clips stay held out. If the stage was no better than its start, the next one has the same start.
    """
    if not outcome.tuned.best.step:
        return task.start
    ends = {tuple(part.learned): part.params for part in outcome.unmet}
    return lambda learn: ends.get(tuple(learn), outcome.tuned.params)


def _joined(first: Outcome, then: Outcome) -> Outcome:
    """Two stages as one: the curves joined; the later one counts if it was better than its start."""
    taken = first.tuned.curve[-1].step
    best, *later = (p._replace(step=taken + p.step) for p in (then.tuned.best, *then.tuned.curve[1:]))
    better, best = (then, best) if then.tuned.best.step else (first, first.tuned.best)
    curve, skipped = (*first.tuned.curve, *later), first.tuned.skipped + then.tuned.skipped
    tuned = replace(better.tuned, best=best, curve=curve, skipped=skipped)
    return replace(better, before=first.before, tuned=tuned)


def _run(task: Task) -> Outcome:
    """Run one stage."""
    everything = range(len(task.copies))
    folds = split_folds(task.groups or everything, task.plan, torch.Generator().manual_seed(task.seed))
    if not folds:
        return _on_its_own(task)
    return _held_out(task, *folds[0]) if len(folds) == 1 else _crossed(task, folds)


def _on_its_own(task: Task) -> Outcome:
    """Train and measure on all clips."""
    everything, plain = range(len(task.copies)), [each[0] for each in task.copies]
    (tuned,) = _tunings(task, [("adapting", everything, [])])
    start = task.start(everything)
    before, after = (cer_of(task.model, each, plain, task.model.config.alphabet) for each in (start, tuned.params))
    return Outcome(before, _kept(tuned, start, before, after), "own clips")


def _crossed(task: Task, folds: Sequence[tuple[list[int], list[int]]]) -> Outcome:
    """Cross-validate: measure each part by a fine-tuning on the others; the result is the mean of their weights.

    One more fine-tuning, on all clips, would bring next to nothing (`bench/plan_last.json`). There is one if not
    `averaged`, as the result, and if it has better data beside the clips than the others (`unmet_beside`).
    """
    everything = range(len(task.copies))
    parts = [(f"measuring, part {i + 1} of {len(folds)}", *fold) for i, fold in enumerate(folds)]
    alone = task.plan.averaged and not task.unmet_beside
    last = [] if alone else [("adapting", everything, list[int]())]
    found = _tunings(task, [*parts, *last])
    crossed, whole = found[: len(folds)], found[len(folds) :]
    lengths = [sum(len(task.copies[i][0].labels) for i in held) for _, held in folds]
    tuned = _averaged(whole[0], crossed, task.plan) if whole else _mean_of(crossed, lengths)
    before, after = (_crossed_cer(crossed, lengths, point) for point in (0, -1))
    unmet = tuple(Unmet(one.params, *fold, one.last) for one, fold in zip(crossed, folds, strict=True))
    return Outcome(before, _kept(tuned, task.start(everything), before, after), "cross-validated", unmet)


def _held_out(task: Task, learn: Sequence[int], held: Sequence[int]) -> Outcome:
    """Measure on a held-out part; if the plan says so, train again on all clips."""
    everything = range(len(task.copies))
    if not task.plan.again:
        (tuned,) = _tunings(task, [("adapting", learn, held)])
        kept = tuned
    else:
        tuned, whole = _tunings(task, [("measuring", learn, held), ("adapting", everything, [])])
        whole = _averaged(whole, [tuned], task.plan)
        kept = _kept(whole, task.start(everything), tuned.curve[0].cer, tuned.curve[-1].cer)
    return Outcome(tuned.curve[0].cer, kept, "held-out", (Unmet(tuned.params, learn, held, tuned.last),))


def clip_errors(task: Task, unmet: Sequence[Unmet]) -> dict[int, tuple[float, int]]:
    """Wrong characters and length of each held-out clip, by number, with the last parameters of its fine-tuning."""
    alphabet, found = task.model.config.alphabet, dict[int, tuple[float, int]]()
    for part in unmet:
        for i in part.held:
            clip = task.copies[i][0]
            found[i] = cer_of(task.model, part.end, [clip], alphabet) * len(clip.labels), len(clip.labels)
    return found


def share_of(task: Task, outcome: Outcome) -> float:
    """The share of clips that the measured fine-tunings were trained on, if the result was trained on all; else 1."""
    if outcome.measured != "cross-validated" and not task.plan.again:
        return 1.0
    shares = [len(part.learned) / len(task.copies) for part in outcome.unmet]
    return sum(shares) / len(shares) if shares else 1.0


def while_measuring(task: Task, part: int) -> Task:
    """The task while one part is held out: `beside` is replaced by the set for that part."""
    return task._replace(beside=task.unmet_beside[part]) if task.unmet_beside else task


def soup(task: Task, outcomes: Sequence[Outcome]) -> Outcome:
    """Several runs of one task, with different draws, as one: the mean of their weights, measured again for each part.

    It uses the last parameters of each run, not the best.
    """
    first, plain, alphabet = outcomes[0], [each[0] for each in task.copies], task.model.config.alphabet
    unmet = []
    for same in zip(*(each.unmet for each in outcomes), strict=True):
        params = mean([each.end for each in same])
        unmet.append(same[0]._replace(params=params, last=params))
    lengths = [sum(len(plain[i].labels) for i in part.held) for part in unmet]
    cers = [cer_of(task.model, part.params, [plain[i] for i in part.held], alphabet) for part in unmet]
    after = sum(n * cer for n, cer in zip(lengths, cers, strict=True)) / max(1, sum(lengths))
    params = mean([each.tuned.params for each in outcomes])
    best = max((each.tuned.best for each in outcomes), key=lambda point: point.step)._replace(cer=after)
    return replace(first, tuned=replace(first.tuned, params=params, best=best), unmet=tuple(unmet))


def _tunings(task: Task, parts: Sequence[tuple[str, Sequence[int], Sequence[int]]]) -> list[Tuned]:
    """Fine-tune for all parts at once; a part has a name, training clips and held-out clips, by number.

    The state of each has the name of the part. Parts that measure come first, in the order of `unmet_beside`.
    """
    device = home_of(task.model)

    def work(number: int, report: Report) -> Tuned:
        name, learn, held = parts[number]
        with_it = while_measuring(task, number) if held else task
        return finetune(
            like(task.model) if number and device == CPU else task.model,
            task.start(learn),
            mixed([task.copies[i] for i in learn], with_it.beside, task.plan.own),
            [task.copies[i][0] for i in held],
            task.model.config.alphabet,
            task.plan,
            learned=task.learned,
            seed=task.seed + DRAW * task.draw,
            state=task.state / f"{name.replace(' ', '-').replace(',', '')}.safetensors" if task.state else None,
            report=lambda done, total: report(done),
        )

    works = [partial(work, number) for number in range(len(parts))]
    total = task.plan.steps * len(parts)
    return at_once(works, task.plan.steps, lambda done: task.tell("adapting", done, total), alone=device != CPU)


def _averaged(whole: Tuned, measuring: Sequence[Tuned], plan: Plan) -> Tuned:
    """The fine-tuning on all clips, averaged with the measured ones if the plan says so."""
    return replace(whole, params=mean([whole.params, *(each.params for each in measuring)])) if plan.averaged else whole


def _mean_of(measuring: Sequence[Tuned], lengths: Sequence[int]) -> Tuned:
    """The mean of fine-tunings: of their weights, and of their curves weighted by the `lengths` in characters.

    "Model soup" (Wortsman et al. 2022, algorithm 1): fine-tunings from one start lie in one basin, and their mean errs
    less than each.
    """
    curve = tuple(
        points[0]._replace(
            cer=sum(n * point.cer for n, point in zip(lengths, points, strict=True)) / sum(lengths),
            loss=sum(point.loss for point in points) / len(points),
        )
        for points in zip(*(each.curve for each in measuring), strict=True)
    )
    skipped = sum(each.skipped for each in measuring)
    return Tuned(mean([each.params for each in measuring]), curve[-1], curve, skipped)


def _crossed_cer(crossed: Sequence[Tuned], lengths: Sequence[int], point: int) -> float:
    """CER of every clip by its held-out fine-tuning, at the start or the end; the best point would be too low."""
    return sum(n * tuned.curve[point].cer for n, tuned in zip(lengths, crossed, strict=True)) / sum(lengths)


def _kept(tuned: Tuned, start: Params, before: float, after: float) -> Tuned:
    """The last parameters, or the initial ones if the last are worse."""
    if after <= before:
        return replace(tuned, best=tuned.curve[-1]._replace(cer=after))
    return replace(tuned, params=start, best=tuned.curve[0]._replace(cer=before))
