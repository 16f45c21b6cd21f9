"""The search for settings: Optuna proposes plans, and cross-validation on the user's clips compares them."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from earful.adapt.adapt import ADAPTATION, prepare
from earful.adapt.clips import Progress
from earful.adapt.finetune import Plan
from earful.adapt.fingerprint import fingerprint
from earful.adapt.search import Material, Part, Search, Trial
from earful.adapt.select import FEW, split_folds
from earful.checkpoint import Checkpoint
from earful.data.manifest import Manifest
from earful.errors import AdaptationError, ConfigError, install
from earful.text.normalize import TextRules

LEAST_CLIPS = 4
MANY_CLIPS = 120
"""From this number of clips one held-out part of a fifth is enough."""


def tune(
    base: Checkpoint,
    clips: Manifest,
    *,
    minutes: float,
    rules: TextRules | None = None,
    plan: Plan | None = None,
    seed: int = 0,
    state: Path | None = None,
    progress: Progress | None = None,
    watch: Callable[[Trial], None] | None = None,
) -> tuple[Plan, tuple[Trial, ...]]:
    """Search for `minutes` around `plan` (default: `plan_for`), which is the first trial. TPE: Bergstra et al. 2011.

    With the folder `state` an interrupted search continues with its remaining time. `watch` is called with each trial.
    Returns the best plan, on the held-out parts never worse than the first, and all trials that ended in time. Clips
    that `adapt` will hold out are not used here.

    Raises:
        AdaptationError: fewer than 4 clips are usable, Optuna is not installed, or the base was meta-trained.
        AudioError: a recording cannot be read. CheckpointError: `state` is damaged or cannot be written. ConfigError:
        `minutes` is not above 0.
    """
    if not (math.isfinite(minutes) and minutes > 0):
        raise ConfigError(f"the search has {minutes} minutes, must be a number above 0")
    optuna = load_optuna()
    if base.inner:
        raise AdaptationError(
            "a meta-trained base takes its own steps first, and a search cannot change these; leave "
            "out --tune, or add --usual"
        )
    material, plan = _prepare(base, clips, rules, plan, seed, progress or (lambda stage, done, total: None))
    with _silent(optuna):
        search = Search(material, plan, optuna, 60 * minutes, state)
        for trial in search.run():
            if watch:
                watch(trial)
    return best_of(plan, search.trials), tuple(search.trials)


def best_of(plan: Plan, trials: Sequence[Trial]) -> Plan:
    """The plan with the lowest CER over all parts, the first of equals; `plan` if none was measured on all parts."""
    whole = [trial for trial in trials if trial.whole]
    return min(whole, key=lambda trial: trial.cer).plan if whole else plan


def load_optuna() -> Any:
    """The package Optuna. Raises AdaptationError if it is not installed."""
    try:
        return import_module("optuna")
    except ImportError as error:
        raise AdaptationError(f"searching for settings needs the optional package Optuna: {install('tune')}") from error


@contextmanager
def _silent(optuna: Any) -> Iterator[None]:
    """Silence Optuna on stderr, except for errors."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


def _prepare(
    base: Checkpoint, clips: Manifest, rules: TextRules | None, plan: Plan | None, seed: int, tell: Progress
) -> tuple[Material, Plan]:
    """Compute the frames that all trials share, as `adapt` does. The plan is that of the first trial."""
    ready = prepare(base, clips, rules=rules, plan=plan, seed=seed, tell=tell)
    count = ready.apart.parts
    if count < LEAST_CLIPS:
        raise AdaptationError(
            f"a search for settings measures on clips that it holds out, and needs at least {LEAST_CLIPS} that can be "
            f"used and have nothing in common, got {count}; record more, or adapt without the search"
        )
    parts = [Part(ready.start(learn), learn, held) for learn, held in folds_for(ready.apart.groups, ready.plan, seed)]
    name = fingerprint(base, ready.heard, ready.plan, ADAPTATION, seed, words=ready.words)
    return Material(ready.config, ready.copies, parts, seed, name, tell, ready.device), ready.plan


def folds_for(groups: Sequence[int], plan: Plan, seed: int) -> list[tuple[list[int], list[int]]]:
    """`(training clips, held-out clips)`: all of three parts of few clips, two of three, or a fifth of many.

    The parts differ from those of `adapt` and leave out the clips that it will hold out, so that its CER is not biased.
    `groups` has the group of each clip; no group is on both sides.
    """
    parts = split_folds(groups, plan, torch.Generator().manual_seed(seed))
    known = parts[0][0] if len(parts) == 1 else list(range(len(groups)))
    crossing = replace(plan, folds=3) if len(known) < MANY_CLIPS else replace(plan, folds=1, holdout=0.2)
    drawn = torch.Generator().manual_seed(seed + 1)
    folds = split_folds([groups[i] for i in known], crossing, drawn)[: 3 if len(known) < FEW else 2]
    return [([known[i] for i in learn], [known[i] for i in held]) for learn, held in folds]
