"""`earful score`: how wrong a model is."""

import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from earful.cli.leftovers import clips_of
from earful.cli.progress import progress
from earful.cli.tables import percent, print_json, print_table

if TYPE_CHECKING:
    from earful.data.manifest import Manifest
    from earful.evaluate import Report
    from earful.text.score import Score


By = Literal["speaker", "language"]


def score(
    model: Annotated[str, typer.Argument(help="A model folder, or a shipped base.", metavar="MODEL")],
    manifest: Annotated[
        Path, typer.Argument(help="Transcribed clips: a manifest, a table, a folder.", metavar="MANIFEST")
    ],
    by: Annotated[By | None, typer.Option(help="A score for each speaker or language, too.")] = None,
    greedy: Annotated[bool, typer.Option("--greedy", help="Without the language model.")] = False,
    self_adapt: Annotated[
        bool, typer.Option("--self-adapt", help="Fit the model to each recording as it is heard, then forget.")
    ] = False,
    errors: Annotated[int, typer.Option(min=0, help="Show the N clips with the most errors.", metavar="N")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Measure the error rates of a model on transcribed clips.

    CER and WER are errors over all characters and words, with 95 % bootstrap intervals. The transcripts are put into
    the model's own case and punctuation first. Errors are counted as NIST sclite counts them.

    \b
    Example:
        earful score my-model test.jsonl --errors 5
    """
    from earful.recognizer import Recognizer

    clips = clips_of(manifest)
    recognizer = Recognizer.load(model, greedy=greedy, self_adapt=self_adapt)
    began = time.monotonic()
    report, spoken = measure(recognizer, clips, by)
    seconds = time.monotonic() - began
    worst = most_wrong(report, spoken, errors)
    if json:
        print_json(summary(report, seconds) | ({"worst": worst} if errors else {}))
        return
    print_scores({"all": report.score, **report.groups}, by)
    print(counts_in_words(report.score))
    if worst:
        rows = [(row["clip"], percent(row["cer"]), row["reference"], row["hypothesis"]) for row in worst]
        print_table(("clip", ">CER", "said", "written"), rows, title="\nMost errors")


def measure(recognizer: Any, clips: "Manifest", by: By | None = None) -> "tuple[Report, Manifest]":
    """Evaluate with progress; the report, and the clips that it is of."""
    from earful.evaluate import evaluate

    spoken = clips.filter(lambda u: bool(u.text))
    done = 0
    with progress() as tell:

        def advance(count: int) -> None:
            nonlocal done
            done += count
            tell("transcribing", done, len(spoken))

        return evaluate(recognizer, clips, by=by, advance=advance), spoken


def summary(report: "Report", seconds: float) -> dict[str, Any]:
    """What `--json` prints. The keys stay; counts without a prefix are of characters."""
    groups = {name: asdict(group) for name, group in report.groups.items()}
    return asdict(report.score) | {"seconds": round(seconds, 2)} | ({"groups": groups} if groups else {})


def most_wrong(report: "Report", clips: "Manifest", count: int) -> list[dict[str, Any]]:
    """The clips with the most wrong characters, the worst first."""
    from earful.text.score import errors_of_each

    each = [errors.characters for errors in errors_of_each(report.references, report.hypotheses)]
    order = sorted(range(len(each)), key=lambda i: (-each[i].errors, -each[i].rate))[:count]
    return [
        {
            "clip": clips[i].id,
            "errors": each[i].errors,
            "cer": each[i].rate,
            "reference": report.references[i],
            "hypothesis": report.hypotheses[i],
        }
        for i in order
        if each[i].errors
    ]


def print_scores(scores: "dict[str, Score]", by: By | None) -> None:
    """A line a group."""
    rows = (
        (name, percent(s.cer), interval(s.interval_95), percent(s.wer), interval(s.wer_interval_95), s.utterances)
        for name, s in scores.items()
    )
    print_table((by or "", ">CER", "95 %", ">WER", "95 %", ">clips"), rows)


def interval(bounds: Sequence[float]) -> str:
    """An interval of two rates, in per cent."""
    return " – ".join(f"{100 * bound:.1f}" for bound in bounds)


def counts_in_words(score: "Score") -> str:
    """What the rates are made of."""
    return (
        f"{score.characters} characters: {score.substitutions} substituted, {score.deletions} deleted, "
        f"{score.insertions} inserted\n{score.words} words: {score.word_substitutions} substituted, "
        f"{score.word_deletions} deleted, {score.word_insertions} inserted"
    )
