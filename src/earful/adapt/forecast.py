"""The learning curve of a user's clips: the CER with more minutes of transcribed speech, with an interval.

The base is adapted to an eighth, a quarter, half and all of the clips, and measured on a held-out part. Power laws with
a floor are fitted to the results (`adapt/curve.py`); the intervals hold 95 % of their predictions.

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
"""The fewest clips of a forecast; the fewest held-out clips in all draws together (or all clips); the largest factor of
speech to extrapolate to."""
CHAINS, FOLDS, MOST_HELD, HALVINGS = 8, 4, 100, 3
"""The most draws; one in FOLDS clips is held out, but at most MOST_HELD; and how often the others are halved: the
smallest size is an eighth."""

_RESAMPLES = 400


@dataclass(frozen=True)
class Rate:
    """CER on new clips of the same kind after adaptation to `minutes` of speech (and `clips` clips, if measured)."""

    minutes: float
    cer: float
    interval_95: tuple[float, float]
    clips: float | None = None


@dataclass(frozen=True)
class Needed:
    """The additional minutes for a CER of `cer`; None if they are beyond the range of the forecast."""

    cer: float
    more_minutes: float | None
    interval_95: tuple[float | None, float | None]


@dataclass(frozen=True)
class Forecast:
    """The measured points and the fitted curves. All rates are of greedy decoding, without a language model.

    `clips` and `minutes` count all usable clips; `draws` is the number of measurements of each size. `curve` is the
    likeliest of `curves`; a forecast is the median of all.
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
        """The most minutes that the forecast covers."""
        return FARTHEST * self.minutes

    def predicted(self, minutes: float) -> Rate:
        """CER after adaptation to `minutes` of such clips, with its 95 % interval.

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
        """The additional minutes for a CER of `cer`; their interval is from that of `predicted`."""
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

    Without `plan` each size uses the plan of `plan_from`. After `minutes` no draw begins, once 30 clips, or all, have
    been held out. Measurements are kept in the folder `state`, and a further run continues from them. `tell(stage,
    done, total)` is called along the way.

    Raises:
        AdaptationError: fewer than 8 clips are usable. AudioError: a recording cannot be read. CheckpointError: `state`
        is damaged or cannot be written. ConfigError: `minutes` is not above 0.
    """
    began_s, limit_s = monotonic(), math.inf if minutes is None else 60 * minutes
    if not limit_s > 0:
        raise ConfigError(f"the forecast has {minutes} minutes, must be a number above 0")
    work = _prepare(base, clips, rules, plan, seed, tell or (lambda stage, done, total: None))
    name = fingerprint(base, work.ready.heard, plan or work.ready.plan, ADAPTATION, seed, words=work.ready.words)
    path = state / f"forecast-{name}.safetensors" if state else None
    return _fitted(work, _measure(work, began_s, limit_s, path))


class _Part(NamedTuple):
    """The held-out clips, and the nested training sets, by number."""

    held: Sequence[int]
    sizes: Sequence[Sequence[int]]


class _Chain(NamedTuple):
    """The result of one draw: wrong characters of each held-out group of clips, before and after each size."""

    clips_S: Tensor
    seconds_S: Tensor
    before_C: Tensor
    errors_SC: Tensor
    lengths_C: Tensor


class _Work(NamedTuple):
    """The data that all draws share; `plan_of` returns the plan for training clips, by number."""

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
    """Compute the frames that all draws share, and make the draws. The smallest size needs the most copies."""
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
    """Draw the held-out sets: whole groups, each clip about equally often, and none twice before each was once."""
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
    """The numbers of first clips nearest to 1 / 2^halvings, …, a quarter, half and all of the seconds; all differ.

    >>> nested([1.0, 1.0, 2.0, 4.0, 4.0, 4.0], 2)
    [3, 4, 6]
    """
    sums, counts = list(accumulate(seconds)), list[int]()
    for halving in range(halvings, -1, -1):
        nearest = min(range(len(sums)), key=lambda i: abs(sums[i] - sums[-1] / 2**halving)) + 1
        counts.append(min(max(nearest, 1 + (counts[-1] if counts else 0)), len(sums) - halving))
    return counts


def _measure(work: _Work, began_s: float, limit_s: float, path: Path | None) -> Sequence[_Chain]:
    """The results of the draws, saved ones first, as long as the next will probably end in time."""
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
    """Adapt to each size of one draw, and count the errors on the held-out clips."""
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
    """The clips of each group, by number: a group is resampled as one."""
    found: dict[int, list[int]] = {}
    for i in clips:
        found.setdefault(groups[i], []).append(i)
    return list(found.values())


def _adapted(
    work: _Work, learn: Sequence[int], seed: int, advance: Callable[[int, int], None]
) -> tuple[AcousticModel, Params]:
    """The base after adaptation to these clips, with the plan for their number."""
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
    """The saved measurements and their time in seconds."""
    tensors, header = (load_state(path) if path else None) or ({}, {"chains": 0, "elapsed_s": 0.0})
    numbers = range(header["chains"])
    return [_Chain(*(tensors[f"{n}.{name}"] for name in _Chain._fields)) for n in numbers], header["elapsed_s"]


def _fitted(work: _Work, chains: Sequence[_Chain]) -> Forecast:
    """The forecast: points with their bootstrap intervals, and the fitted curves."""
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
    """CER of each size `[S]`, and of resamples `[R, S]`: of the draws, and of the held-out clips in each draw.

    All sizes use the same resamples, since a clip that is hard for one is hard for the next: so differences have
    smaller intervals than rates. No error counts as half an error, because of the logarithm.
    """
    drawn_KR = _counts(len(chains), generator).T
    errors, lengths = [chain.errors_SC.T for chain in chains], [chain.lengths_C[:, None] for chain in chains]
    weights = [drawn_R[:, None] * _counts(len(each), generator) for drawn_R, each in zip(drawn_KR, errors, strict=True)]
    wrong_RS, length_R1 = (torch.cat(weights, 1) @ torch.cat(columns) for columns in (errors, lengths))
    return torch.cat(errors).sum(0).clamp(min=0.5) / torch.cat(lengths).sum(), wrong_RS.clamp(min=0.5) / length_R1


def _counts(count: int, generator: torch.Generator) -> Tensor:
    """The number of times each of `count` items is drawn in each resample `[R, count]`, with replacement."""
    drawn = torch.randint(count, (_RESAMPLES, count), generator=generator)
    return torch.zeros(_RESAMPLES, count, dtype=torch.float64).scatter_add_(1, drawn, torch.ones(drawn.shape).double())
