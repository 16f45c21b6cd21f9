"""`earful adapt --effort` and `--minutes`: choose the way to adapt, and print its steps and their results."""

import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import typer

from earful.cli.leftovers import name_unread
from earful.cli.progress import Tell, clock, warn
from earful.cli.tables import percent, print_table
from earful.cli.tuning import ready

if TYPE_CHECKING:
    from earful.adapt.adapt import Adapted, Reading
    from earful.adapt.advice import Advice
    from earful.adapt.brought import Brought, Planned
    from earful.adapt.finetune import Plan
    from earful.adapt.report import AdaptReport
    from earful.adapt.self_train import Beside
    from earful.adapt.steps import Standing
    from earful.checkpoint import Checkpoint
    from earful.data.finding import Finding
    from earful.data.manifest import Manifest

EFFORT_HELP = (
    "quick: within seconds, somewhat worse. best: tries further steps for these clips and this language, and keeps "
    "those that help; Ctrl-C keeps the best so far."
)
Effort = Literal["quick", "usual", "best"]
HowMuch = Annotated[Effort, typer.Option(help=EFFORT_HELP)]
Budget = Annotated[
    float | None,
    typer.Option(help="With --effort best: a time limit in minutes; no step begins that would exceed it.", metavar="N"),
]
WRITTEN = "written"
"""The file in the state of an interrupted run which marks that the model at OUT was written by it."""


class Way(NamedTuple):
    """The options of effort, time limit and other speech; `folder` is that of the clips."""

    effort: Effort
    minutes: float | None
    speak: int | None
    unlabelled: Path | None
    folder: Path

    @property
    def beside(self) -> bool:
        """Whether other speech was requested."""
        return bool(self.speak or self.unlabelled)


class Made(NamedTuple):
    """The result: the adaptation, the other speech used, the result of each step, and the plan if it was changed."""

    found: "Adapted"
    beside: "Beside"
    steps: "Sequence[Brought]" = ()
    interrupted: bool = False
    plan: "Plan | None" = None


def checked(way: Way, tune: float | None) -> Way:
    """Check the options. Raises ConfigError if they do not go together, AdaptationError if Optuna is missing."""
    from earful.adapt.effort import check_effort

    check_effort(way.effort, way.minutes, beside=way.beside, tune=tune)
    ready(tune)
    return way


def unfinished(state: Path) -> bool:
    """Whether the model at OUT was written by an interrupted run, which this one continues."""
    return (state / WRITTEN).exists()


def transcribed(manifest: "Manifest", way: Way) -> "Manifest":
    """The clips to adapt to; with the best effort clips without a transcript count as recordings."""
    return manifest.filter(lambda u: bool((u.text or "").strip())) if way.effort == "best" else manifest


def make(
    way: Way,
    start: "Checkpoint",
    clips: "Manifest",
    plans: "tuple[Plan, Plan]",
    reading: "Reading",
    *,
    keep_sound: bool,
    seed: int,
    state: Path,
    tell: Tell,
) -> Made:
    """Adapt by the given options; `plans` are for the clips alone, and with other speech beside them."""
    from earful.adapt.effort import as_usual
    from earful.cli.pretrain import speech_in

    if way.unlabelled:
        name_unread(way.unlabelled)
    if way.effort == "best":
        return _best(way, start, clips, plans[0], reading, keep_sound=keep_sound, seed=seed, state=state, tell=tell)

    recordings = speech_in(way.unlabelled, tell) if way.unlabelled else None
    run = partial(as_usual, start, clips, plans, reading, speak=way.speak, recordings=recordings)
    return Made(*run(keep_sound=keep_sound, seed=seed, state=state, folder=state, tell=tell, warn=warn))


def _best(
    way: Way,
    start: "Checkpoint",
    clips: "Manifest",
    plan: "Plan",
    reading: "Reading",
    *,
    keep_sound: bool,
    seed: int,
    state: Path,
    tell: Tell,
) -> Made:
    """Adapt with the best effort; print the result of each step on stderr."""
    from earful.adapt.best import best
    from earful.adapt.effort import job_for, with_steps

    recordings = recordings_for(way, clips)
    job = job_for(start, clips, reading, plan, recordings, state, way.speak, keep_sound=keep_sound, seed=seed)
    done = best(job, minutes=way.minutes, tell=tell, announce=print_planned, watch=print_standing)
    checkpoint, report = with_steps(start, done)
    found = done.found._replace(checkpoint=checkpoint, report=report)
    return Made(found, done.beside, done.brought, done.interrupted, done.plan)


def recordings_for(way: Way, clips: "Manifest") -> "Manifest":
    """The recordings without transcripts: those in the folder of clips, and those of --unlabelled."""
    from earful.adapt.effort import recordings_of

    return recordings_of(way.folder, clips, way.unlabelled)


def print_planned(planned: "Sequence[Planned]") -> None:
    """Print the planned steps and their times on stderr."""
    total_s = sum(step.seconds for step in planned if not step.left_out)
    print(f"earful: the steps, each measured on the same clips; about {clock(total_s)} in all:", file=sys.stderr)
    for step in planned:
        how = f"skipped: {step.left_out}" if step.left_out else f"{step.does}, about {clock(step.seconds)}"
        print(f"earful:   {step.name}: {how}", file=sys.stderr)


def print_standing(brought: "Brought", at: "Standing") -> None:
    """Print the result of a step, and the best CER so far, on stderr."""
    came = percent(brought.rate) if brought.rate is not None else ""
    said = ", ".join(part for part in (came and f"CER {came}", brought.note, clock(brought.seconds)) if part)
    print(f"earful: {brought.name}: {said}; so far CER {percent(at.found.report.rate)}", file=sys.stderr, flush=True)


def print_steps(steps: "Sequence[Brought]") -> None:
    """Print a table of the results of all steps."""
    if not steps:
        return
    rows = [
        (
            each.name,
            "–" if each.cer is None else percent(each.cer),
            "–" if each.cer_with_language is None else percent(each.cer_with_language),
            f"{each.seconds:.0f}",
            "kept" if each.kept else each.note,
        )
        for each in steps
    ]
    print_table(("step", ">CER", ">with a language model", ">seconds", ""), rows)


def steps_row(way: Way, made: Made, advice: "Advice | None") -> dict[str, Any]:
    """The part of `--json` about the effort. The keys stay."""
    from earful.config import to_mapping

    said = None if advice is None else to_mapping(advice)
    return {
        "effort": way.effort,
        "steps": to_mapping(tuple(made.steps)),
        "interrupted": made.interrupted,
        "advice": said,
    }


def hasty(way: Way, report: "AdaptReport") -> Iterator[str]:
    """What to do where the quick effort kept the base."""
    if way.effort == "quick" and not report.improved:
        yield "--effort quick takes few steps; without it, adaptation may still improve on the base"


def advice_for(way: Way, made: Made, reading: "Reading", findings: "Sequence[Finding]") -> "Advice | None":
    """The most helpful next step, by the measurements of this run."""
    from earful.adapt.advice import Facts, advise
    from earful.adapt.spoken import can_speak
    from earful.data.synthesis.words import has_list

    clips, rules = made.found.ready.heard.clips, made.found.ready.config.rules
    best = way.effort == "best"
    facts = Facts(
        text=bool(reading.texts) or (reading.words and has_list(rules.language)),
        speaks=can_speak(rules.language),
        recordings=not best and len(recordings_for(way, clips)) > 0,
        best=best,
        beside=way.beside,
        speakers={u.speaker for u in clips if u.speaker},
        flagged={each.utterance_id for each in findings if each.kind == "clipping" and each.utterance_id},
        named=bool(rules.language),
    )
    return advise(made.found, facts)


def in_words(advice: "Advice | None", interrupted: bool, out: Path) -> Iterator[str]:
    """The advice, and a note after an interruption, as lines of text."""
    if advice is not None:
        yield f"The best next step, by estimate, is {advice.says}"
    if interrupted:
        yield f"Interrupted: {out} is the best so far; run the same command again to continue"
