"""The learning curve of a user's clips: which CER more minutes of transcribed speech would buy, and how sure that is.

Adaptation is tried with an eighth, a quarter, half and all of the clips, each time measured on a part that was held
out. Through what comes of it go power laws with a floor (`adapt/curve.py`); an interval holds 95 % of what they say.

Suffixes: `S` sizes, the smallest first; `C` held-out clips; `R` resamples.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from time import monotonic
from typing import NamedTuple

import torch
from torch import Tensor

from earful.adapt.adapt import ADAPTATION, Prepared, plan_from, prepare, with_dropout
from earful.adapt.clips import Progress
from earful.adapt.curve import LOW, RUN, Curve, Curves, fit_curve
from earful.adapt.finetune import Plan, cer_of, finetune_in_stages, steps_of
from earful.adapt.fingerprint import fingerprint
from earful.adapt.select import split_folds
from earful.checkpoint import Checkpoint
from earful.data.manifest import Manifest
from earful.errors import AdaptationError, ConfigError
from earful.model import AcousticModel, Params
from earful.text.normalize import TextRules
from earful.train import load_state, save_state

LEAST_CLIPS, LEAST_HELD, FARTHEST = 8, 30, 16.0
"""What a forecast needs; how many clips, or all, measure whatever the time; how many times the speech it may go to."""
CHAINS, FOLDS, MOST_HELD, HALVINGS = 8, 4, 100, 3
"""So many times, if there is time, a quarter of the clips is held out, but no more than measure well enough, and the
others are halved as often: the smallest size is an eighth."""

_RESAMPLES = 400


@dataclass(frozen=True)
class Rate:
    """CER of adaptation to so many minutes (where it was measured: of so many clips), on new clips of the same kind."""

    minutes: float
    cer: float
    interval_95: tuple[float, float]
    clips: float | None = None


@dataclass(frozen=True)
class Needed:
    """How many more minutes bring CER down to `cer`; None where that is beyond what can be forecast."""

    cer: float
    more_minutes: float | None
    interval_95: tuple[float | None, float | None]


@dataclass(frozen=True)
class Forecast:
    """What was measured, and what follows from it. All rates are of the best path, without a language model.

    `clips` and `minutes` are of all clips that can be used; `draws` says how often each size was measured. `curve` is
    the likeliest of `curves`; a forecast is the median of them all.
    """

    cer_before: float
    clips: int
    minutes: float
    draws: int
    points: tuple[Rate, ...]
    curve: Curve
    curves: Curves = field(repr=False, compare=False)

    @property
    def farthest(self) -> float:
        """The minutes beyond which nothing is said."""
        return FARTHEST * self.minutes

    def predicted(self, minutes: float) -> Rate:
        """CER after adaptation to so many minutes of such clips, with its 95 % interval.

        Raises:
            ConfigError: `minutes` is not above 0, or more than 16 times what there is.
        """
        if not 0 < minutes <= self.farthest * (1 + 1e-9):
            raise ConfigError(
                f"a forecast for {minutes:g} minutes was asked for, must be above 0 and at most {self.farthest:g}, "
                f"{FARTHEST:g} times the speech there is; record some of it, then ask again"
            )
        low, middle, high = self.curves.quantiles(_numbers([60 * minutes]))[:, 0].tolist()
        return Rate(minutes, middle, (low, high))

    def needed(self, cer: float) -> Needed:
        """How many more minutes bring CER down to `cer`: the interval is of where that of `predicted` gets there."""
        grid = torch.logspace(0, math.log2(FARTHEST), 300, base=2, dtype=torch.float64) * self.minutes
        reached = self.curves.quantiles(60 * grid) <= cer
        soonest, middle, latest = (float(grid[row].min()) - self.minutes if row.any() else None for row in reached)
        return Needed(cer, middle, (soonest, latest))


def forecast(
    base: Checkpoint,
    clips: Manifest,
    *,
    rules: TextRules | None = None,
    plan: Plan | None = None,
    minutes: float | None = None,
    seed: int = 0,
    state: Path | None = None,
    tell: Progress | None = None,
) -> Forecast:
    """Measure the learning curve of `clips` from `base`, and fit it.

    Without `plan` each size is adapted to by its own, that of `plan_from`. After `minutes` no draw is begun, once
    30 clips, or all, have been held out. What was measured is kept in the folder `state`: run again, it goes on.
    `tell(stage, done, total)` is called along the way.

    Raises:
        AdaptationError: fewer than 8 clips can be used.
        AudioError: a recording cannot be read.
        CheckpointError: `state` is damaged or cannot be written.
        ConfigError: `minutes` is not above 0.
    """
    began_s, limit_s = monotonic(), math.inf if minutes is None else 60 * minutes
    if not limit_s > 0:
        raise ConfigError(f"the forecast has {minutes} minutes, must be a number above 0")
    work = _prepare(base, clips, rules, plan, seed, tell or (lambda stage, done, total: None))
    name = fingerprint(base, work.ready.heard, plan or work.ready.plan, ADAPTATION, seed, words=work.ready.words)
    path = state / f"forecast-{name}.safetensors" if state else None
    return _fitted(work, _measure(work, began_s, limit_s, path))


class _Part(NamedTuple):
    """Clips that measure, and nested sizes of the others, by number."""

    held: Sequence[int]
    sizes: Sequence[Sequence[int]]


class _Chain(NamedTuple):
    """What one part measured: wrong characters of each held-out group of clips, before and after each size."""

    clips_S: Tensor
    seconds_S: Tensor
    before_C: Tensor
    errors_SC: Tensor
    lengths_C: Tensor


class _Work(NamedTuple):
    """All that the draws share; `plan_of` says how so many clips, by number, are adapted to."""

    base: Checkpoint
    ready: Prepared
    seconds: Sequence[float]
    parts: Sequence[_Part]
    plan_of: Callable[[Sequence[int]], Plan]
    seed: int
    tell: Progress


def _prepare(
    base: Checkpoint, clips: Manifest, rules: TextRules | None, plan: Plan | None, seed: int, tell: Progress
) -> _Work:
    """Hear and augment once what all draws share, and draw them. The smallest size wants the most copies."""
    fewest = plan or plan_from(base, len(clips) * (FOLDS - 1) // FOLDS // 2**HALVINGS, 0.0)
    ready = prepare(base, clips, rules=rules, plan=fewest, seed=seed, tell=tell)
    if (got := ready.apart.parts) < LEAST_CLIPS:
        raise AdaptationError(
            f"a forecast holds out some clips and adapts to parts of the others: it needs at least {LEAST_CLIPS} clips "
            f"that can be used and have nothing in common, got {got}; record more"
        )
    seconds = [len(each[0].frames_FM) * ready.config.features.hop_s for each in ready.copies]

    def plan_of(learn: Sequence[int]) -> Plan:
        return plan or plan_from(base, len(learn), sum(seconds[i] for i in learn))

    return _Work(base, ready, seconds, draw_parts(seconds, ready.apart.groups, seed), plan_of, seed, tell)


def draw_parts(seconds: Sequence[float], groups: Sequence[int], seed: int) -> list[_Part]:
    """Each clip is held out about equally often, with all of its group, and no clip twice before each has been once."""
    count = len(seconds)
    crossing = Plan(steps=1, folds=max(FOLDS, math.ceil(count / MOST_HELD)))
    held = [part for turn in range(CHAINS) for _, part in split_folds(groups, crossing, _random(seed, turn))][:CHAINS]
    halvings = min(HALVINGS, int(math.log2(count - max(map(len, held)))))
    parts = []
    for number, measuring in enumerate(held):
        others = sorted(set(range(count)) - set(measuring))
        order: list[int] = torch.randperm(len(others), generator=_random(seed, CHAINS + number)).tolist()
        drawn = [others[i] for i in order]
        parts.append(_Part(measuring, [drawn[:n] for n in nested([seconds[i] for i in drawn], halvings)]))
    return parts


def _random(seed: int, number: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed * 1_000_003 + number)


def nested(seconds: Sequence[float], halvings: int) -> list[int]:
    """How many of the first clips are nearest to 1 / 2^halvings, …, a quarter, half and all of the seconds; all differ.

    >>> nested([1.0, 1.0, 2.0, 4.0, 4.0, 4.0], 2)
    [3, 4, 6]
    """
    sums, counts = list(accumulate(seconds)), list[int]()
    for halving in range(halvings, -1, -1):
        nearest = min(range(len(sums)), key=lambda i: abs(sums[i] - sums[-1] / 2**halving)) + 1
        counts.append(min(max(nearest, 1 + (counts[-1] if counts else 0)), len(sums) - halving))
    return counts


def _measure(work: _Work, began_s: float, limit_s: float, path: Path | None) -> Sequence[_Chain]:
    """Part by part, those that were kept first, while the next will probably end in time."""
    chains, before_s = _kept(path)
    steps = [sum(steps_of(work.plan_of(learn)) for learn in part.sizes) for part in work.parts]
    held = accumulate(len(part.held) for part in work.parts)
    least = 1 + sum(count < min(LEAST_HELD, len(work.seconds)) for count in held)
    done = sum(steps[: len(chains)])

    def elapsed_s() -> float:
        return before_s + monotonic() - began_s

    def advance(step: int, total: int) -> None:
        nonlocal done
        done += 1
        share = max(done / sum(steps), min(elapsed_s() / limit_s, done / sum(steps[:least])))
        work.tell("measuring", min(1000, int(1000 * share)), 1000)

    for number in range(len(chains), len(work.parts)):
        if number >= least and elapsed_s() * (1 + 1 / number) > limit_s:
            break
        chains.append(_tried(work, number, advance))
        if path:
            _keep(path, chains, elapsed_s())
    return chains


def _tried(work: _Work, number: int, advance: Callable[[int, int], None]) -> _Chain:
    """Adapt to each size of one part, and count what is wrong in the clips that were held out."""
    part, alphabet = work.parts[number], work.ready.config.alphabet
    held = [[work.ready.copies[i][0] for i in group] for group in _by_group(part.held, work.ready.apart.groups)]
    lengths = [sum(len(clip.labels) for clip in group) for group in held]

    def wrong(model: AcousticModel, params: Params) -> Tensor:
        rates = (cer_of(model, params, group, alphabet) for group in held)
        return _numbers(rate * length for rate, length in zip(rates, lengths, strict=True))

    models = [_adapted(work, learn, work.seed + number, advance) for learn in part.sizes]
    return _Chain(
        clips_S=_numbers(len(learn) for learn in part.sizes),
        seconds_S=_numbers(sum(work.seconds[i] for i in learn) for learn in part.sizes),
        before_C=wrong(models[-1][0], work.ready.start(part.sizes[-1])),
        errors_SC=torch.stack([wrong(*adapted) for adapted in models]),
        lengths_C=_numbers(lengths),
    )


def _by_group(clips: Sequence[int], groups: Sequence[int]) -> list[list[int]]:
    """Clips by number, those of one group together: they are resampled as one."""
    found: dict[int, list[int]] = {}
    for i in clips:
        found.setdefault(groups[i], []).append(i)
    return list(found.values())


def _adapted(
    work: _Work, learn: Sequence[int], seed: int, advance: Callable[[int, int], None]
) -> tuple[AcousticModel, Params]:
    """The base after adaptation to these clips, by the plan for so many."""
    plan = work.plan_of(learn)
    model = AcousticModel(with_dropout(work.ready.config, plan.dropout)).to(work.ready.device)
    params, _ = finetune_in_stages(
        model,
        work.ready.start(learn),
        [work.ready.copies[i] for i in learn],
        work.ready.config.alphabet,
        plan,
        learned=work.base.inner.learned if work.base.inner else None,
        seed=seed,
        report=advance,
    )
    return model, params


def _numbers(values: Iterable[float]) -> Tensor:
    return torch.tensor(list(values), dtype=torch.float64)


def _keep(path: Path, chains: Sequence[_Chain], elapsed_s: float) -> None:
    tensors = {f"{number}.{name}": t for number, chain in enumerate(chains) for name, t in chain._asdict().items()}
    save_state(path, tensors, {"chains": len(chains), "elapsed_s": elapsed_s})


def _kept(path: Path | None) -> tuple[list[_Chain], float]:
    """What was measured before, and how long that took."""
    tensors, header = (load_state(path) if path else None) or ({}, {"chains": 0, "elapsed_s": 0.0})
    numbers = range(header["chains"])
    return [_Chain(*(tensors[f"{n}.{name}"] for name in _Chain._fields)) for n in numbers], header["elapsed_s"]


def _fitted(work: _Work, chains: Sequence[_Chain]) -> Forecast:
    """Points with their bootstrap, the curves, and what else is to be told."""
    generator = torch.Generator().manual_seed(work.seed)
    cer_S, cer_RS = pooled(chains, generator)
    clips_S = torch.stack([chain.clips_S for chain in chains]).mean(0)
    seconds_S = torch.stack([chain.seconds_S for chain in chains]).log().mean(0).exp()
    met = min(work.ready.apart.parts, sum(len(chain.lengths_C) for chain in chains))
    student = met / (met - 3)  # a bootstrap of few is (n − 1) / n too sure, and t's variance is (n − 1) / (n − 3)
    noise_SS = student * torch.cov(cer_RS.log().T) + RUN**2 / len(chains) * torch.eye(len(cer_S)).double()
    curve, curves = fit_curve(seconds_S, cer_S, noise_SS, generator)
    interval_S2 = torch.quantile(cer_RS, _numbers((LOW, 1 - LOW)), dim=0).T
    rows = zip(*(column.tolist() for column in (seconds_S / 60, cer_S, interval_S2, clips_S)), strict=True)
    characters = sum(float(chain.lengths_C.sum()) for chain in chains)
    return Forecast(
        cer_before=sum(float(chain.before_C.sum()) for chain in chains) / characters,
        clips=len(work.seconds),
        minutes=work.ready.speech_s / 60,
        draws=len(chains),
        points=tuple(Rate(minutes, cer, (low, high), clips) for minutes, cer, (low, high), clips in rows),
        curve=curve,
        curves=curves,
    )


def pooled(chains: Sequence[_Chain], generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """CER of each size `[S]`, and of resamples `[R, S]`: of the draws, and in each of the clips that measured.

    All sizes are resampled alike: what makes a clip hard for one makes it hard for the next, and differences are surer
    than rates. Without any error there is half a one, for logarithms' sake.
    """
    drawn_KR = _counts(len(chains), generator).T
    errors, lengths = [chain.errors_SC.T for chain in chains], [chain.lengths_C[:, None] for chain in chains]
    weights = [drawn_R[:, None] * _counts(len(each), generator) for drawn_R, each in zip(drawn_KR, errors, strict=True)]
    wrong_RS, length_R1 = (torch.cat(weights, 1) @ torch.cat(columns) for columns in (errors, lengths))
    return torch.cat(errors).sum(0).clamp(min=0.5) / torch.cat(lengths).sum(), wrong_RS.clamp(min=0.5) / length_R1


def _counts(count: int, generator: torch.Generator) -> Tensor:
    """How often each of so many is drawn in each resample `[R, count]`, with replacement."""
    drawn = torch.randint(count, (_RESAMPLES, count), generator=generator)
    return torch.zeros(_RESAMPLES, count, dtype=torch.float64).scatter_add_(1, drawn, torch.ones(drawn.shape).double())
