"""One search for settings: Optuna proposes, cross-validation measures, a journal records."""

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from earful.adapt.adapt import with_dropout
from earful.adapt.clips import Progress
from earful.adapt.finetune import Plan, finetune
from earful.adapt.space import Settings, plan_with, settings_of, space_around
from earful.data.batch import Example
from earful.device import CPU
from earful.errors import CheckpointError
from earful.model import AcousticModel, ModelConfig, Params
from earful.train import append_log
from earful.writing import replacing

if TYPE_CHECKING:
    import optuna

STAGE = "searching for settings"
MOST_TRIALS = 200
"""The most trials of a search."""
RANDOM_TRIALS, PRUNE_AFTER = 6, 4
"""The number of random trials before TPE models the results, and of complete trials before the pruner compares."""


class Part(NamedTuple):
    """One fold: initial parameters, training clips and held-out clips, by number."""

    start: Params
    learn: Sequence[int]
    held: Sequence[int]


@dataclass(frozen=True)
class Trial:
    """A plan that was tried: its CER on each measured part, and on all of them together.

    `whole` is false if it was stopped before the last part; its `cer` is then not comparable with others.
    """

    plan: Plan
    cers: tuple[float, ...]
    cer: float
    whole: bool
    elapsed_s: float


@dataclass(frozen=True)
class Material:
    """The data that all trials share; `name` is its fingerprint."""

    config: ModelConfig
    copies: Sequence[Sequence[Example]]
    parts: Sequence[Part]
    seed: int
    name: str
    tell: Progress
    device: torch.device = CPU

    def mean(self, cers: Sequence[float]) -> float:
        """CER over the first parts together, weighted by the lengths of their transcripts."""
        lengths = [sum(len(self.copies[i][0].labels) for i in part.held) for part in self.parts[: len(cers)]]
        return sum(n * cer for n, cer in zip(lengths, cers, strict=True)) / sum(lengths)

    def measure(self, model: AcousticModel, plan: Plan, part: Part, report: Callable[[int, int], None]) -> float:
        """CER on the held-out clips after the last step of fine-tuning; the best step would give too low a rate."""
        tuned = finetune(
            model,
            part.start,
            [self.copies[i][: 1 + plan.copies] for i in part.learn],  # the same copies as `adapt` makes
            [self.copies[i][0] for i in part.held],
            self.config.alphabet,
            replace(plan, evaluations=1),
            seed=self.seed,
            report=report,
        )
        return tuned.curve[-1].cer


class _TimeIsOver(Exception):
    """Raised to end a trial before its end."""


class Search:
    """One search, with its trials in memory, in Optuna's study and in the journal."""

    def __init__(self, material: Material, plan: Plan, optuna: Any, limit_s: float, state: Path | None) -> None:
        self.trials: list[Trial] = []
        self._material, self._plan, self._optuna, self._limit_s = material, plan, optuna, limit_s
        dropout = material.config.encoder.dropout
        self._space = space_around(plan, dropout, optuna.distributions)
        self._journal = state / f"tuning-{self._fingerprint()}.jsonl" if state else None
        pruner = optuna.pruners.MedianPruner(n_startup_trials=PRUNE_AFTER)
        self._study: optuna.Study = optuna.create_study(pruner=pruner)  # minimises; in memory
        self._noted_s = 0.0
        self._resume()
        if not self.trials:
            self._study.enqueue_trial(settings_of(plan, dropout))
        self._began = monotonic() - self._noted_s

    def run(self) -> Iterator[Trial]:
        """All trials, those of an interrupted search first, until the time is over or CER is 0."""
        yield from tuple(self.trials)
        with suppress(_TimeIsOver):
            while self._elapsed_s() < self._limit_s and len(self.trials) < MOST_TRIALS and self._lowest() > 0:
                yield self._try_next()
        # What was dropped took its time, too: run again after its end, the search does not go on.
        self._note({"elapsed_s": self._elapsed_s() - self._noted_s})

    def _try_next(self) -> Trial:
        """Ask Optuna for settings, measure them part by part, and record the result."""
        began, number = monotonic(), len(self.trials)
        # A sampler a trial: what it draws follows from seed, number and results, interrupted or not.
        seed = (self._material.seed * 1_000_003 + number) % 2**32
        self._study.sampler = self._optuna.samplers.TPESampler(n_startup_trials=RANDOM_TRIALS, seed=seed)
        asked = self._study.ask(dict(self._space))
        cers = self._measure(asked, plan_with(self._plan, asked.params) if number else self._plan)
        trial = self._kept(asked.params, cers, monotonic() - began)
        state = self._optuna.trial.TrialState
        self._study.tell(asked, trial.cer if trial.whole else None, state.COMPLETE if trial.whole else state.PRUNED)
        self._note({"settings": asked.params, "cers": cers, "elapsed_s": trial.elapsed_s})
        return trial

    def _measure(self, asked: "optuna.Trial", plan: Plan) -> list[float]:
        """CER of each part, until the pruner stops the trial."""
        cers: list[float] = []
        model = AcousticModel(with_dropout(self._material.config, plan.dropout)).to(self._material.device)
        for part in self._material.parts:
            cers.append(self._material.measure(model, plan, part, self._tick))
            asked.report(self._against_first(cers), len(cers))
            if asked.should_prune():
                break
        return cers

    def _against_first(self, cers: Sequence[float]) -> float:
        """The difference to the first trial on the same parts, so that an easy part does not look like a good plan."""
        first = self.trials[0].cers if self.trials else cers
        return self._material.mean(cers) - self._material.mean(first[: len(cers)])

    def _kept(self, settings: Settings, cers: Sequence[float], elapsed_s: float) -> Trial:
        plan = plan_with(self._plan, settings) if self.trials else self._plan
        whole = len(cers) == len(self._material.parts)
        self.trials.append(Trial(plan, tuple(cers), self._material.mean(cers), whole, elapsed_s))
        return self.trials[-1]

    def _resume(self) -> None:
        """Restore the trials of the journal. Raises CheckpointError if it is damaged."""
        try:
            for row in map(json.loads, _lines(self._journal)):
                if not isinstance(row, dict):
                    raise ValueError("a line is no object")
                self._noted_s += row["elapsed_s"]
                if "settings" in row:
                    self._restore(row)
        except (ArithmeticError, KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise CheckpointError(f"{self._journal}: damaged ({error}); delete it to start the search again") from error

    def _restore(self, row: Mapping[str, Any]) -> None:
        """Restore one trial of an interrupted search."""
        cers, state = row["cers"], self._optuna.trial.TrialState
        between = {count: self._against_first(cers[:count]) for count in range(1, len(cers) + 1)}
        trial = self._kept(row["settings"], cers, row["elapsed_s"])
        self._study.add_trial(
            self._optuna.trial.create_trial(
                state=state.COMPLETE if trial.whole else state.PRUNED,
                value=trial.cer if trial.whole else None,
                params=row["settings"],
                distributions=self._space,
                intermediate_values=between,
            )
        )

    def _tick(self, done: int, total: int) -> None:
        elapsed_s = self._elapsed_s()
        self._material.tell(STAGE, int(min(elapsed_s, self._limit_s)), max(1, round(self._limit_s)))
        if elapsed_s >= self._limit_s:
            raise _TimeIsOver

    def _elapsed_s(self) -> float:
        return monotonic() - self._began

    def _lowest(self) -> float:
        return min((trial.cer for trial in self.trials if trial.whole), default=math.inf)

    def _fingerprint(self) -> str:
        """The name of the journal; other clips, another base, other parts or another space give another name."""
        space = {n: self._optuna.distributions.distribution_to_json(found) for n, found in self._space.items()}
        parts = [[list(part.learn), list(part.held)] for part in self._material.parts]
        what = [self._material.name, parts, space]
        return hashlib.sha256(json.dumps(what).encode()).hexdigest()[:16]

    def _note(self, row: Mapping[str, Any]) -> None:
        self._noted_s += row["elapsed_s"]
        if self._journal:
            append_log(self._journal, row)


def _lines(journal: Path | None) -> list[bytes]:
    """The lines of a journal, without the last one if an interruption has cut it."""
    if journal is None or not journal.exists():
        return []
    *whole, cut = journal.read_bytes().split(b"\n")
    if cut:  # a cut line must not merge with the next one
        with replacing(journal) as beside:
            beside.write_bytes(b"".join(line + b"\n" for line in whole))
    return whole
