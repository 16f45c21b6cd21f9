"""`earful score`: the error rates of a model."""

import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from earful.cli.device import Device
from earful.cli.leftovers import Drop, SpeakerTier, TierName, clips_of
from earful.cli.numbers import MOST_COUNT
from earful.cli.progress import progress, warn
from earful.cli.tables import counted, interval, percent, print_json, print_table

if TYPE_CHECKING:
    from earful.data.manifest import Manifest
    from earful.data.utterance import Utterance
    from earful.errors import AudioError
    from earful.evaluate import Report
    from earful.text.score import Score


By = Literal["speaker", "language"]
NAMED = 10


def score(
    model: Annotated[str, typer.Argument(help="A model folder, or a shipped base.", metavar="MODEL")],
    manifest: Annotated[
        Path, typer.Argument(help="Transcribed clips: a manifest, a table, a folder.", metavar="MANIFEST")
    ],
    by: Annotated[By | None, typer.Option(help="Also score each speaker or language.")] = None,
    tier: TierName = None,
    speaker_tier: SpeakerTier = None,
    drop: Drop = None,
    greedy: Annotated[bool, typer.Option("--greedy", help="Leave out the language model.")] = False,
    self_adapt: Annotated[
        bool, typer.Option("--self-adapt", help="Experimental: fit the model to each recording, then forget.")
    ] = False,
    device: Device = "cpu",
    errors: Annotated[
        int, typer.Option(min=0, max=MOST_COUNT, help="Show the N clips with the most errors.", metavar="N")
    ] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Measure the error rates of a model on transcribed clips.

    CER and WER are errors divided by all characters and words. Each has a 95 % interval for other clips of the same
    kind; it covers other speakers if at least four speakers are named. Transcripts are first converted to the model's
    case and punctuation. Errors are counted as by NIST sclite. A clip that cannot be read is named on stderr and left
    out.

    \b
    Example:
        earful score my-model test.jsonl --errors 5
    """
    from earful.recognizer import Recognizer

    clips = clips_of(manifest, tier, speaker_tier, drop)
    recognizer = Recognizer.load(model, greedy=greedy, self_adapt=self_adapt, device=device)
    began = time.monotonic()
    report, left_out = measure(recognizer, clips, by)
    seconds = time.monotonic() - began
    worst = most_wrong(report, errors)
    if json:
        print_json(summary(report, seconds, left_out) | ({"worst": worst} if errors else {}))
        return
    print_scores({"all": report.score, **report.groups}, by)
    print(counts_in_words(report.score))
    if worst:
        rows = [(row["clip"], percent(row["cer"]), row["reference"], row["hypothesis"]) for row in worst]
        print_table(("clip", ">CER", "said", "written"), rows, title="\nMost errors")


def measure(recognizer: Any, clips: "Manifest", by: By | None = None) -> "tuple[Report, int]":
    """Evaluate with progress: the report, and the number of unreadable clips. The first ten are named on stderr."""
    from earful.evaluate import evaluate

    spoken = clips.filter(lambda u: bool(u.text))
    done, left_out = 0, 0
    with progress() as tell:

        def advance(count: int) -> None:
            nonlocal done
            done += count
            tell("transcribing", done, len(spoken))

        def skip(clip: "Utterance", error: "AudioError") -> None:
            nonlocal left_out
            left_out += 1
            if left_out <= NAMED:
                warn(f"left out {error}")

        report = evaluate(recognizer, clips, by=by, advance=advance, skip=skip)
    if left_out > NAMED:
        warn(f"left out {left_out} of {counted(len(spoken), 'clip')}; `earful check` names each")
    return report, left_out


def summary(report: "Report", seconds: float, left_out: int) -> dict[str, Any]:
    """What `--json` prints. The keys stay; counts without a prefix are of characters."""
    groups = {name: asdict(group) for name, group in report.groups.items()}
    more = {"left_out": left_out, "seconds": round(seconds, 2)}
    return asdict(report.score) | more | ({"groups": groups} if groups else {})


def most_wrong(report: "Report", count: int) -> list[dict[str, Any]]:
    """The `count` clips with the most character errors, the worst first."""
    from earful.text.score import errors_of_each

    each = [errors.characters for errors in errors_of_each(report.references, report.hypotheses)]
    order = sorted(range(len(each)), key=lambda i: (-each[i].errors, -each[i].rate))[:count]
    return [
        {
            "clip": report.clips[i].id,
            "errors": each[i].errors,
            "cer": each[i].rate,
            "reference": report.references[i],
            "hypothesis": report.hypotheses[i],
        }
        for i in order
        if each[i].errors
    ]


def print_scores(scores: "dict[str, Score]", by: By | None) -> None:
    """Print one line per group."""
    rows = (
        (name, percent(s.cer), interval(s.interval_95), percent(s.wer), interval(s.wer_interval_95), s.utterances)
        for name, s in scores.items()
    )
    print_table((by or "", ">CER", "95 %", ">WER", "95 %", ">clips"), rows)


def counts_in_words(score: "Score") -> str:
    """The counts of errors, in words."""
    return (
        f"{score.characters} characters: {score.substitutions} substituted, {score.deletions} deleted, "
        f"{score.insertions} inserted\n{score.words} words: {score.word_substitutions} substituted, "
        f"{score.word_deletions} deleted, {score.word_insertions} inserted"
    )
