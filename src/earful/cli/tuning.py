"""The search for settings in `earful adapt --tune`: its progress, its table, its part of the JSON."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from earful.cli.progress import Tell
from earful.cli.tables import counted, percent, print_table

if TYPE_CHECKING:
    from earful.adapt.finetune import Plan
    from earful.adapt.search import Trial
    from earful.checkpoint import Checkpoint
    from earful.data.manifest import Manifest

SHOWN, MOST_MINUTES = 5, 366 * 24 * 60


def above_zero(minutes: float | None) -> float | None:
    """Check the value of --tune before any work."""
    if minutes is not None and not 0 < minutes <= MOST_MINUTES:  # NaN, too
        raise typer.BadParameter(f"{minutes} is not a number of minutes above 0 and up to a year.")
    return minutes


Minutes = Annotated[
    float | None,
    typer.Option(
        callback=above_zero,
        help="First search this many minutes for the best settings for these clips (needs Optuna).",
        metavar="MINUTES",
    ),
]


class Found(NamedTuple):
    """The settings to use, and, after a search, its time limit and its trials."""

    plan: "Plan"
    minutes: float | None = None
    trials: Sequence["Trial"] = ()


def ready(minutes: float | None) -> None:
    """Raise AdaptationError, before any work, if a search is requested and Optuna is not installed."""
    if minutes is not None:
        from earful.adapt.tune import load_optuna

        load_optuna()


def search(
    start: "Checkpoint",
    manifest: "Manifest",
    plan: "Plan",
    *,
    minutes: float | None,
    seed: int,
    state: Path,
    tell: Tell,
) -> Found:
    """The best settings of a search around `plan` for this many `minutes`; `plan` itself for None."""
    if minutes is None:
        return Found(plan)
    from earful.adapt.tune import tune

    tried: list[Trial] = []

    def advance(stage: str, done: int, total: int) -> None:
        tell(stage, done, total, f"CER {standing(tried)}" if tried else "")

    plan, trials = tune(
        start, manifest, minutes=minutes, plan=plan, seed=seed, state=state, progress=advance, watch=tried.append
    )
    return Found(plan, minutes, trials)


def standing(tried: Sequence["Trial"]) -> str:
    """The progress of a search: CER of the first settings, and the lowest CER."""
    return f"{percent(tried[0].cer)} → {percent(ranked(tried)[0].cer)} in {counted(len(tried), 'trial')}"


def ranked(tried: Sequence["Trial"]) -> list["Trial"]:
    """The trials that were measured on all parts, the best first."""
    return sorted((trial for trial in tried if trial.whole), key=lambda trial: trial.cer)


def doubts(found: Found, measured: str) -> list[str]:
    """Warnings about a search; `measured` says on which clips the adaptation was measured."""
    if found.minutes is None:
        return []
    tried = found.trials
    if len(tried) < 2 and not (tried and tried[0].cer == 0):  # without errors there is nothing to search for
        return [f"{found.minutes:g} min are too short for a search, so the usual settings were used; give --tune more"]
    if measured == "cross-validated":
        return [
            "the settings were chosen on the clips that CER is measured on, so CER after adaptation is a little too low"
        ]
    return []


def settings(found: Found) -> dict[str, Any]:
    """The part of `--json` about the settings, and about the search if there was one. The keys stay."""
    from earful.config import to_mapping

    tried = found.trials
    first, best = (tried[0].cer, ranked(tried)[0].cer) if tried else (None, None)
    tuned = {"trials": len(tried), "cer_default": first, "cer_best": best, "minutes": found.minutes}
    return {"plan": to_mapping(found.plan), "tuned": None if found.minutes is None else tuned}


def print_trials(tried: Sequence["Trial"]) -> None:
    """Print the best trials of a search, and the first, which has the usual settings."""
    best = ranked(tried)
    rows = [
        (
            "usual" if trial is tried[0] else f"{rank}.",
            f"{100 * trial.cer:.1f}",
            f"{trial.plan.rate:.1e}",
            f"{trial.plan.head_factor:.2g}",
            f"{trial.plan.decay:.2g}{'→0' if trial.plan.towards == 'zero' and trial.plan.decay else ''}",
            "base" if trial.plan.dropout is None else f"{trial.plan.dropout:.2f}",
            trial.plan.steps,
            f"{trial.plan.batch_s:.0f} s",
            f"{trial.plan.masks.time_masks}×{trial.plan.masks.time_frames}",
            trial.plan.copies,
        )
        for rank, trial in enumerate(best, 1)
        if rank <= SHOWN or trial is tried[0]
    ]
    if rows:
        title = f"{counted(len(tried), 'trial')}, {len(tried) - len(best)} of them stopped early"
        columns = ("", ">CER %", ">rate", ">head", ">decay", ">dropout", ">steps", ">batch", ">masks", ">copies")
        print_table(columns, rows, title=title, narrow=True)
