"""`earful adapt`: from a base and some clips to a recogniser."""

import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from earful.cli.beside import Speak, Unlabelled, in_words
from earful.cli.device import Device
from earful.cli.effort import (
    WRITTEN,
    Budget,
    HowMuch,
    Made,
    Way,
    advice_for,
    checked,
    hasty,
    make,
    print_steps,
    steps_row,
    transcribed,
    unfinished,
)
from earful.cli.effort import in_words as next_in_words
from earful.cli.leftovers import Drop, SpeakerTier, TierName, clips_of
from earful.cli.numbers import MOST_COUNT, MOST_SEED
from earful.cli.progress import Tell, progress, warn
from earful.cli.tables import counted, interval, peak_memory_mb, percent, print_json
from earful.cli.tuning import Found, Minutes, doubts, print_trials, search, settings
from earful.errors import quoted
from earful.text.choices import Case, Punctuation, Writing

if TYPE_CHECKING:
    from earful.adapt.adapt import Reading
    from earful.adapt.finetune import Plan
    from earful.adapt.report import AdaptReport
    from earful.checkpoint import Checkpoint
    from earful.data.finding import Finding
    from earful.data.manifest import Manifest

DEFAULT_BASE = "earful-base"
NAMED = 10
LANGUAGE_HELP = "The language, by a code or its English name, such as cs."
STEPS_HELP = (
    "Number of steps; by default it depends on the clips. A meta-trained base takes its own first (0: only its own)."
)
KEEP_SOUND_HELP = (
    "Whether the model may keep some seconds of the clips, as its encoder hears them; they lower the error on new "
    "recordings."
)
USUAL_HELP = "Ignore the learned inner loop of a meta-trained base."
_MEASURED = {
    "held-out": "on held-out clips",
    "cross-validated": "cross-validated",
    "own clips": "on the clips it learned from",
}

_VOICES = {"new": "new sentences of new voices", "met": "new sentences of voices that it knows"}

Base = Annotated[
    str,
    typer.Option(
        help="The model to start from: a model folder, a shipped base, a pre-trained encoder from Hugging Face "
        "(hf:NAME or hf:FOLDER), a model on the hub (hf-model:NAME), or `none`.",
        metavar="NAME|DIR",
    ),
]

HowCased = Annotated[Case | None, typer.Option("--case", help="Case of the model's output.")]
HowPunctuated = Annotated[
    Punctuation | None, typer.Option("--punctuation", help="Whether the model writes punctuation.")
]
HowWritten = Annotated[
    Writing | None,
    typer.Option(
        help="How to write Mandarin. The model learns pinyin; for `characters`, the default if the transcripts are in "
        "characters, a lexicon converts it. `given` learns each character by itself."
    ),
]


def adapt(
    clips: Annotated[Path, typer.Argument(help="A manifest, a table, or a folder of clips.", metavar="CLIPS")],
    out: Annotated[Path, typer.Option(help="The folder for the model.", metavar="MODEL")],
    base: Base = DEFAULT_BASE,
    language: Annotated[str | None, typer.Option(help=LANGUAGE_HELP, metavar="CODE")] = None,
    tier: TierName = None,
    speaker_tier: SpeakerTier = None,
    drop: Drop = None,
    case: HowCased = None,
    punctuation: HowPunctuated = None,
    writing: HowWritten = None,
    text: Annotated[Path | None, typer.Option(help="Other text in the language, UTF-8.", metavar="FILE")] = None,
    words: Annotated[bool, typer.Option(help="Whether the language model uses a word list.")] = True,
    greedy: Annotated[bool, typer.Option("--greedy", help="Train no language model.")] = False,
    steps: Annotated[int | None, typer.Option(min=0, max=MOST_COUNT, help=STEPS_HELP, metavar="N")] = None,
    tune: Minutes = None,
    speak: Speak = None,
    unlabelled: Unlabelled = None,
    effort: HowMuch = "usual",
    minutes: Budget = None,
    keep_sound: Annotated[bool, typer.Option(help=KEEP_SOUND_HELP)] = True,
    usual: Annotated[bool, typer.Option("--usual", help=USUAL_HELP)] = False,
    device: Device = "cpu",
    seed: Annotated[int, typer.Option(min=0, max=MOST_SEED, help="Random seed.", metavar="N")] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace MODEL where it exists.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Make a recogniser from transcribed clips.

    CLIPS is a JSONL manifest (keys audio_filepath, text), a table with a path and a text column, a folder of clips with
    a .txt of the same name beside each, annotations (ELAN, Praat …) or a folder of them, a Common Voice folder, or a
    Kaldi data folder. A language model is trained on the transcripts, on a word list (42 languages, from the package
    wordfreq; give --language) and on other text (--text). --effort best tries further steps and keeps those that help:
    it learns from that text, or random words, spoken by a synthesiser (--speak), and from recordings without
    transcripts (--unlabelled), which it transcribes itself. After Ctrl-C, run the same command again to continue.

    \b
    Examples:
        earful adapt my-clips --out my-model --language sw
        earful adapt my-clips --out my-model --text stories.txt --language sw --effort best --minutes 30
    """
    from earful.adapt.adapt import Reading
    from earful.adapt.effort import plan_of

    began, way = time.monotonic(), checked(Way(effort, minutes, speak, unlabelled, clips), tune)
    with state_for(out, overwrite=overwrite) as state:
        manifest = transcribed(clips_of(clips, tier, speaker_tier, drop, unlisted=effort != "best"), way)
        reading = Reading(texts_of(text), words, greedy)
        rules = written(language=language or language_of(manifest), case=case, punctuation=punctuation, writing=writing)
        start = started(base, manifest, rules, seed, usual, device)
        told = tell_missing(start, reading)
        with progress() as tell:
            used, findings = sift(manifest, start, tell)
            name_left_out(manifest, used, findings)
            plan = plan_of(start, used, effort, steps)
            found = search(start, used, plan, minutes=tune, seed=seed, state=state, tell=tell)
            plans = plans_of(found.plan, steps)
            made = make(way, start, used, plans, reading, keep_sound=keep_sound, seed=seed, state=state, tell=tell)
        write(out, made, used, state, replace=overwrite or unfinished(state))
        conclude(out, made, began, len(manifest), found, way, reading, findings, told, json)


@contextmanager
def state_for(out: Path, *, overwrite: bool) -> Iterator[Path]:
    """Lock the folder for the state of an adaptation to OUT. Raises an error if no model can be written to OUT."""
    from earful.alone import alone
    from earful.checkpoint import check_destination

    state = state_of(out)
    check_destination(out, replace=overwrite or unfinished(state))
    with alone(state, "name another folder (--out)"):
        yield state


def write(out: Path, made: Made, clips: "Manifest", state: Path, *, replace: bool) -> None:
    """Save the model, and measure whether int8 makes it worse on its clips.

    The state is removed. After an interruption it stays, with a mark that this run has written the model.
    """
    from earful.checkpoint import save_checkpoint

    save_checkpoint(out, made.found.checkpoint, replace=replace)
    if made.interrupted:
        state.mkdir(parents=True, exist_ok=True)
        (state / WRITTEN).touch()
    else:
        shutil.rmtree(state, ignore_errors=True)
    weigh_int8(out, clips)


def weigh_int8(out: Path, clips: "Manifest") -> None:
    """Measure whether the model may transcribe in int8, and write the answer into its folder.

    The model is complete without it: after Ctrl-C it stays at float32.
    """
    from earful.export.arithmetic import choose

    try:
        with progress() as tell:
            choose(out, clips, tell)
    except KeyboardInterrupt:
        warn(f"{out} transcribes in float32: whether int8 costs it anything was not measured to the end")


def conclude(
    out: Path,
    made: Made,
    began: float,
    given: int,
    found: Found,
    way: Way,
    reading: "Reading",
    findings: Sequence["Finding"],
    told: Sequence[str],
    json: bool,
) -> None:
    """Print warnings that were not `told` before, the summary and the advice.

    `began` is the start on the monotonic clock. An interrupted run ends with the exit status of Ctrl-C.
    """
    report, seconds = made.found.report, round(time.monotonic() - began, 2)
    found = found._replace(plan=made.plan or found.plan)
    report = replace(report, warnings=(*report.warnings, *doubts(found, report.measured), *hasty(way, report)))
    made = made._replace(found=made.found._replace(report=report))
    for warning in report.warnings:
        if warning not in told:
            warn(warning)
    advice, left_out = advice_for(way, made, reading, findings), given - report.clips
    if json:
        print_json(summary(out, made, seconds, left_out, found) | steps_row(way, made, advice))
    else:
        print_summary(out, made, seconds, left_out, found)
        for line in next_in_words(advice, made.interrupted, out):
            print(line)
    if made.interrupted:
        raise typer.Exit(130)


def started(
    base: str, manifest: "Manifest", rules: dict[str, str], seed: int, usual: bool, device: str
) -> "Checkpoint":
    """The checkpoint to adapt, on its device; `usual` removes the learned inner loop of a meta-trained base."""
    from earful.adapt.start import start_from
    from earful.device import device_of

    begun = start_from(base, (u.text or "" for u in manifest), rules, seed).on(device_of(device))
    return replace(begun, inner=None) if usual else begun


def tell_missing(start: "Checkpoint", reading: "Reading") -> tuple[str, ...]:
    """What the language lacks, such as one that was misspelt: told before the work."""
    from earful.adapt.resources import missing

    wanted = reading.words and not reading.greedy and not reading.texts
    told = tuple(missing(start.config.rules.language, wanted))
    for line in told:
        warn(line)
    return told


def written(**rules: str | None) -> dict[str, str]:
    """The text rules that the user gave; for the others the base's own apply."""
    return {name: value for name, value in rules.items() if value}


def state_of(out: Path) -> Path:
    """The folder for the state of an interrupted adaptation to OUT."""
    return out.absolute().parent / f".{out.absolute().name}.adapting"


def texts_of(path: Path | None) -> Sequence[str]:
    """The sentences of a text file; empty without a file. Raises SynthesisError if it cannot be read."""
    from earful.data.synthesis.sentences import read_sentences

    return read_sentences(path) if path else ()


def language_of(manifest: "Manifest") -> str | None:
    """The language of the clips if all name the same one, by any name; else None."""
    from earful.text.languages import canonical

    languages = {u.language and canonical(u.language) for u in manifest}
    return languages.pop() if len(languages) == 1 else None


def sift(manifest: "Manifest", start: "Checkpoint", tell: Tell) -> tuple["Manifest", Sequence["Finding"]]:
    """The usable clips, and all findings. Raises AdaptationError if no clip is usable."""
    from earful.data.check import inspect, usable
    from earful.errors import AdaptationError

    heard = 0

    def advance(count: int) -> None:
        nonlocal heard
        heard += count
        tell("checking the clips", heard, len(manifest))

    findings = inspect(manifest, start.config.rules, start.config.output_hop_s, progress=advance).findings
    used = usable(manifest, findings)
    if not len(used):
        errors = [finding for finding in findings if finding.severity == "error"]
        example = f", for example {errors[0].where}: {errors[0].message}" if errors else ""
        raise AdaptationError(
            f"of {counted(len(manifest), 'clip')} none can be used{example}; `earful check` lists them all"
        )
    return used, findings


def name_left_out(manifest: "Manifest", used: "Manifest", findings: Sequence["Finding"]) -> None:
    """Warn about the clips that are left out, the first ten by name."""
    errors = [finding for finding in findings if finding.severity == "error"]
    for finding in errors[:NAMED]:
        warn(f"left out {finding.where}: {finding.message}; {finding.remedy}")
    if len(errors) > NAMED:
        count = len(manifest) - len(used)
        warn(f"left out {count} of {counted(len(manifest), 'clip')}; `earful check` lists all reasons")


def plans_of(plan: "Plan", steps: int | None) -> tuple["Plan", "Plan"]:
    """The plan for the clips alone, and the plan with other speech beside them; a given number of `steps` stays."""
    from earful.adapt.beside import plan_beside

    return plan, plan_beside(plan) if steps is None else plan


def learned_steps(plan: "Plan") -> int:
    """The number of steps that use the learned inner loop of a meta-trained base."""
    from earful.adapt.finetune import stages

    return sum(part.steps for part in stages(plan) if part.inner)


def summary(out: Path, made: Made, seconds: float, left_out: int, found: Found) -> dict[str, Any]:
    """What `--json` prints. The keys stay."""
    from earful.config import to_mapping

    report = made.found.report
    row = {
        "model": str(out),
        "cer_before": report.cer_before,
        "cer_after": report.cer_after,
        "cer_with_language": report.cer_with_language,
        "clips": report.clips,
        "seconds": seconds,
        "peak_memory_mb": peak_memory_mb(),
        "speech_seconds": round(report.speech_s, 2),
        "measured": report.measured,
        "cer_interval_95": report.interval_95,
        "cer_with_language_interval_95": report.language_interval_95,
        "voices": report.voices,
        "improved": report.improved,
        "warnings": list(report.warnings),
        "left_out": left_out,
        "inner_loop": "learned" if learned_steps(found.plan) else "usual",
    }
    return row | settings(found) | dict(to_mapping(made.beside))


def within(bounds: Sequence[float] | None) -> str:
    """The interval of a rate in brackets; empty if there is none."""
    return f"({interval(bounds)})  " if bounds else ""


def measured_in_words(report: "AdaptReport") -> str:
    """The clips that the rates were measured on, and their voices, in words."""
    if report.measured == "own clips" or report.voices == "unknown":
        return _MEASURED[report.measured]
    return f"{_MEASURED[report.measured]}, {_VOICES[report.voices]}"


def print_summary(out: Path, made: Made, seconds: float, left_out: int, found: Found) -> None:
    """Print the summary as text."""
    report = made.found.report
    print_trials(found.trials)
    print_steps(made.steps)
    without = f", {left_out} left out" if left_out else ""
    print(f"CER before  {percent(report.cer_before):>7}")
    print(f"CER after   {percent(report.cer_after):>7}  {within(report.interval_95)}{measured_in_words(report)}")
    if report.cer_with_language is not None:
        bounds = within(report.language_interval_95)
        print(f"with a language model {percent(report.cer_with_language):>7}  {bounds}".rstrip())
    if count := learned_steps(found.plan):
        print(f"{counted(count, 'step')} in the way that the base has learned{' first' * (not found.plan.inner)}")
    print(f"{counted(report.clips, 'clip')}{without}, {report.speech_s:.0f} s of speech")
    for line in in_words(made.beside):
        print(line)
    print(f"{seconds:.0f} s{f', {memory_mb} MB at most' if (memory_mb := peak_memory_mb()) else ''}")
    if made.found.ready.config.rules.writing == "characters":
        print(f"The rates are of pinyin, which it hears; for those of characters: earful score {quoted(out)} NEW-CLIPS")
    print(f"The model is in {out}; try it: earful transcribe {quoted(out)} new.wav")
