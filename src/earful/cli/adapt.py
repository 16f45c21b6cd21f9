"""`earful adapt`: from a base and some clips to a recogniser."""

import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from earful.cli.beside import Beside, Speak, Unlabelled, can_speak, in_words, self_trained, spoken
from earful.cli.leftovers import clips_of
from earful.cli.progress import Tell, progress, warn
from earful.cli.tables import counted, peak_memory_mb, percent, print_json
from earful.cli.tuning import Found, Minutes, doubts, print_trials, ready, search, settings
from earful.text.normalize import Case, Punctuation, Writing

if TYPE_CHECKING:
    from earful.adapt.adapt import AdaptReport
    from earful.adapt.finetune import Plan
    from earful.checkpoint import Checkpoint
    from earful.data.finding import Finding
    from earful.data.manifest import Manifest
    from earful.text.normalize import TextRules

DEFAULT_BASE = "earful-base"
NAMED = 10
STEPS_HELP = "Steps, if not as many as suit; after its own where a base was meta-trained (0: these alone)."
KEEP_SOUND_HELP = (
    "Whether the model may keep some seconds of the clips, as its encoder has heard them: amid these it hears new "
    "recordings better."
)
_MEASURED = {
    "held-out": "on clips that were held out",
    "cross-validated": "cross-validated",
    "own clips": "on the clips it learned from",
}

Base = Annotated[
    str,
    typer.Option(
        help="What to start from: a model folder, a shipped base, a pre-trained encoder of Hugging Face's "
        "(hf:NAME or hf:FOLDER), or `none`.",
        metavar="NAME|DIR",
    ),
]

HowWritten = Annotated[
    Writing | None,
    typer.Option(
        help="Mandarin, by default in characters where the transcripts are: it learns pinyin, and a lexicon turns that "
        "into characters. `given` learns each character by itself."
    ),
]


class Reading(NamedTuple):
    """What there is to read beside the clips, and whether a language model is learned from it."""

    texts: Sequence[str] = ()
    words: bool = True
    greedy: bool = False


def adapt(
    clips: Annotated[Path, typer.Argument(help="A manifest, a table, or a folder of clips.", metavar="CLIPS")],
    out: Annotated[Path, typer.Option(help="The folder for the model.", metavar="MODEL")],
    base: Base = DEFAULT_BASE,
    language: Annotated[str | None, typer.Option(help="Code of the language, such as cs.", metavar="CODE")] = None,
    case: Annotated[Case | None, typer.Option(help="Case of the letters that it writes.")] = None,
    punctuation: Annotated[Punctuation | None, typer.Option(help="Whether it writes punctuation.")] = None,
    writing: HowWritten = None,
    text: Annotated[Path | None, typer.Option(help="Other text in the language, UTF-8.", metavar="FILE")] = None,
    words: Annotated[bool, typer.Option(help="Whether the language model knows the language's word list.")] = True,
    greedy: Annotated[bool, typer.Option("--greedy", help="Learn no language model.")] = False,
    steps: Annotated[int | None, typer.Option(min=0, help=STEPS_HELP, metavar="N")] = None,
    tune: Minutes = None,
    speak: Speak = None,
    unlabelled: Unlabelled = None,
    keep_sound: Annotated[bool, typer.Option(help=KEEP_SOUND_HELP)] = True,
    usual: Annotated[bool, typer.Option("--usual", help="Do not adapt as a meta-trained base has learned.")] = False,
    seed: Annotated[int, typer.Option(help="Another seed, another run.", metavar="N")] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace MODEL where it exists.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Make a recogniser from transcribed clips.

    CLIPS is a JSONL manifest (keys audio_filepath, text), a CSV or TSV table with a path and a text column, a folder of
    clips with a .txt of the same name beside each, a Common Voice folder, or a Kaldi data folder. A model of the
    language, its characters, is learned from the transcripts, a list of its words (there is one for 42 languages, in
    the package wordfreq; give --language) and all text that you have (--text).
    With --speak a synthesiser says that text, or random words, in many voices; with --unlabelled the recogniser writes
    your other recordings down, and learns again with what it is sure of. Both take several times as long.
    Interrupted by Ctrl-C, the same command goes on where it was.

    \b
    Examples:
        earful adapt my-clips --out my-model --language sw
        earful adapt my-clips --out my-model --text stories.txt --language sw --speak 400
    """
    from earful.adapt.start import start_from
    from earful.checkpoint import check_destination, save_checkpoint

    began = time.monotonic()
    check_destination(out, replace=overwrite)
    ready(tune)
    manifest, sentences = clips_of(clips), texts_of(text)
    rules = asked_for(language=language or language_of(manifest), case=case, punctuation=punctuation, writing=writing)
    start = start_from(base, (u.text or "" for u in manifest), rules, seed)
    start, state = replace(start, inner=None) if usual else start, state_of(out)
    with progress() as tell:
        used, findings = sift(manifest, start, tell)
        name_left_out(manifest, used, findings)
        found = search(start, used, plan_of(used, steps, start), minutes=tune, seed=seed, state=state, tell=tell)
        said = spoken(start, speak, sentences, used, folder=state / "spoken", seed=seed, tell=tell) if speak else None
        plans, reading = plans_of(found.plan, steps), Reading(sentences, words, greedy)
        learn = partial(run, start, used, plans, reading, keep_sound=keep_sound, seed=seed, state=state, tell=tell)
        checkpoint, report, beside = self_trained(learn, said, unlabelled, tell)
    save_checkpoint(out, checkpoint, replace=overwrite)
    shutil.rmtree(state, ignore_errors=True)
    conclude(out, report, round(time.monotonic() - began, 2), len(manifest) - report.clips, found, beside, json)
    if not json:
        advise(start.config.rules, out, voices=not (speak or found.plan.inner))


def conclude(
    out: Path, report: "AdaptReport", seconds: float, left_out: int, found: Found, beside: Beside, json: bool
) -> None:
    """Warnings, then the summary."""
    report = replace(report, warnings=(*report.warnings, *doubts(found, report.measured)))
    for warning in report.warnings:
        warn(warning)
    show = print_json_summary if json else print_summary
    show(out, report, seconds, left_out, found, beside)


def advise(rules: "TextRules", out: Path, voices: bool) -> None:
    """What else to know of the model, and what may help, where it can be had."""
    if rules.writing == "characters":
        print(f"The rates are of pinyin, which it hears; for those of characters: earful score {out} NEW-CLIPS")
    if voices and can_speak(rules.language):
        print(
            f"espeak-ng speaks {rules.language}: --speak 400 learns from sentences that it says, too, "
            "and often helps much"
        )


def asked_for(**rules: str | None) -> dict[str, str]:
    """The text rules that were given; the base's own stay for the others."""
    return {name: value for name, value in rules.items() if value}


def state_of(out: Path) -> Path:
    """Where an interrupted adaptation to OUT keeps what it needs to go on."""
    return out.absolute().parent / f".{out.absolute().name}.adapting"


def texts_of(path: Path | None) -> Sequence[str]:
    """The sentences of a text file; none without one. Raises SynthesisError where it cannot be read."""
    from earful.data.synthesis.sentences import read_sentences

    return read_sentences(path) if path else ()


def language_of(manifest: "Manifest") -> str | None:
    """The language that all clips say they are in."""
    languages = {u.language for u in manifest}
    return languages.pop() if len(languages) == 1 else None


def sift(manifest: "Manifest", start: "Checkpoint", tell: Tell) -> tuple["Manifest", Sequence["Finding"]]:
    """The clips that can be used, and what is wrong with the others. Raises AdaptationError if none is left."""
    from earful.data.check import inspect, usable
    from earful.errors import AdaptationError

    heard = 0

    def advance(count: int) -> None:
        nonlocal heard
        heard += count
        tell("checking the clips", heard, len(manifest))

    inspection = inspect(manifest, start.config.rules, start.config.output_hop_s, progress=advance)
    errors = [finding for finding in inspection.findings if finding.severity == "error"]
    used = usable(manifest, errors)
    if not len(used):
        example = f", for example {errors[0].where}: {errors[0].message}" if errors else ""
        raise AdaptationError(
            f"of {counted(len(manifest), 'clip')} none can be used{example}; `earful check` lists them all"
        )
    return used, errors


def name_left_out(manifest: "Manifest", used: "Manifest", errors: Sequence["Finding"]) -> None:
    """Warn of the clips that are left out, the first ten by name."""
    for finding in errors[:NAMED]:
        warn(f"left out {finding.where}: {finding.message}; {finding.remedy}")
    if len(errors) > NAMED:
        count = len(manifest) - len(used)
        warn(f"left out {count} of {counted(len(manifest), 'clip')}; `earful check` lists all reasons")


def run(
    start: "Checkpoint",
    manifest: "Manifest",
    plans: tuple["Plan", "Plan"],
    reading: Reading,
    beside: "Manifest | None" = None,
    *,
    keep_sound: bool,
    seed: int,
    state: Path | None,
    tell: Tell,
) -> tuple["Checkpoint", "AdaptReport"]:
    """Adapt by one of `plans`, for the clips alone and for those with other speech beside; the progress is shown."""
    from earful.adapt.adapt import adapt as adapt_base

    return adapt_base(
        start,
        manifest,
        plan=plans[bool(beside)],
        beside=beside,
        keep_sound=keep_sound,
        seed=seed,
        state=state,
        progress=tell,
        **reading._asdict(),
    )


def plans_of(plan: "Plan", steps: int | None) -> tuple["Plan", "Plan"]:
    """The plan for the clips alone, and that with other speech beside them; `steps` that are given stay."""
    from earful.adapt.beside import plan_beside

    return plan, plan_beside(plan) if steps is None else plan


def plan_of(manifest: "Manifest", steps: int | None, start: "Checkpoint") -> "Plan":
    """The settings that suit the amount of data, with so many steps if they are given; 0 leaves a base's own."""
    from earful.adapt.adapt import plan_from

    plan = plan_from(start, len(manifest), manifest.duration_s)
    if steps == 0 and plan.first:
        return plan.first
    return plan if steps is None else replace(plan, steps=steps)


def learned_steps(plan: "Plan") -> int:
    """How many steps are taken in the way that a meta-trained base has learned."""
    from earful.adapt.finetune import stages

    return sum(part.steps for part in stages(plan) if part.inner)


def print_json_summary(
    out: Path, report: "AdaptReport", seconds: float, left_out: int, found: Found, beside: Beside
) -> None:
    """One JSON object. The keys stay."""
    from earful.config import to_mapping

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
        "improved": report.improved,
        "warnings": list(report.warnings),
        "left_out": left_out,
        "inner_loop": "learned" if learned_steps(found.plan) else "usual",
    }
    print_json(row | settings(found) | to_mapping(beside))


def print_summary(
    out: Path, report: "AdaptReport", seconds: float, left_out: int, found: Found, beside: Beside
) -> None:
    """The same for people."""
    print_trials(found.trials)
    without = f", {left_out} left out" if left_out else ""
    print(f"CER before  {percent(report.cer_before):>7}")
    print(f"CER after   {percent(report.cer_after):>7}  {_MEASURED[report.measured]}")
    if report.cer_with_language is not None:
        print(f"with a language model {percent(report.cer_with_language):>7}")
    if count := learned_steps(found.plan):
        print(f"{counted(count, 'step')} in the way that the base has learned{' first' * (not found.plan.inner)}")
    print(f"{counted(report.clips, 'clip')}{without}, {report.speech_s:.0f} s of speech")
    for line in in_words(beside):
        print(line)
    print(f"{seconds:.0f} s{f', {memory_mb} MB at most' if (memory_mb := peak_memory_mb()) else ''}")
    print(f"The model is in {out}; try it: earful transcribe {out} new.wav")
