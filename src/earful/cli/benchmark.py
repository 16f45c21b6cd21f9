"""`earful benchmark`: compare bases, and ways to adapt them, on K clips of one's own data."""

import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from earful.cli.adapt import DEFAULT_BASE, name_left_out, sift
from earful.cli.device import Device
from earful.cli.leftovers import clips_of
from earful.cli.numbers import MOST_COUNT, finite
from earful.cli.progress import progress, warn
from earful.cli.tables import counted, interval, percent, print_json, print_table
from earful.text.choices import Case, Punctuation

if TYPE_CHECKING:
    import torch

    from earful.data.manifest import Manifest
    from earful.kshot.interval import Summary
    from earful.kshot.protocol import Protocol, Steps
    from earful.kshot.results import Row

RESULTS, PICTURE = "results.json", "plots.svg"
By = Literal[
    "language", "speaker", "condition", "language+speaker", "language+condition", "speaker+condition", "all"
]  # fmt: skip


Clips = Annotated[Path, typer.Argument(help="A manifest, a table, or a folder of clips.", metavar="CLIPS")]
Out = Annotated[Path, typer.Option(help="The folder for the results.", metavar="DIR")]
Bases = Annotated[
    list[str] | None,
    typer.Option(
        "--base",
        help="A model folder, a shipped base, hf:NAME, hf:FOLDER or `none`; may be repeated. The others are compared "
        f"with the first.  [default: {DEFAULT_BASE}]",
        metavar="NAME|DIR",
    ),
]
Task = Annotated[By, typer.Option(help="How to group clips into tasks; `all`: one task of all clips.")]
Shots = Annotated[str, typer.Option(help="Numbers of clips to adapt to.", metavar="K,K,…")]
Taken = Annotated[str, typer.Option(help="Numbers of steps; `usual`: as many as `adapt` takes.", metavar="N,N,…")]
TestClips = Annotated[
    int | None,
    typer.Option(min=1, max=MOST_COUNT, help="Clips in the test set of each task.  [default: 30]", metavar="N"),
]
TestSeconds = Annotated[
    float | None,
    typer.Option(
        min=0.0, callback=finite, help="Seconds of speech in the test set of each task, instead.", metavar="S"
    ),
]
Usual = Annotated[bool, typer.Option(help="Whether to adapt a meta-trained base also without its learned inner loop.")]


def benchmark(
    clips: Clips,
    out: Out,
    base: Bases = None,
    by: Task = "language",
    shots: Shots = "1,5,10",
    steps: Taken = "0,usual",
    seeds: Annotated[
        int, typer.Option(min=1, max=MOST_COUNT, help="Number of random draws of clips.", metavar="N")
    ] = 5,
    test_clips: TestClips = None,
    test_seconds: TestSeconds = None,
    usual: Usual = True,
    case: Annotated[Case, typer.Option(help="Case of the output of all models.")] = "lower",
    punctuation: Annotated[Punctuation, typer.Option(help="Whether all models write punctuation.")] = "remove",
    skip_small: Annotated[bool, typer.Option("--skip-small", help="Leave out tasks with too few clips.")] = False,
    device: Device = "cpu",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the results in DIR.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Compare bases, and ways to adapt them, on your own transcribed clips.

    Each task (a language, a speaker, a condition) has its own test set. From the other clips each seed draws K clips to
    adapt to. All bases get the same clips, and smaller sets are part of larger ones. No sentence of the test set is
    among them. Each base is adapted as by `earful adapt`, with the given numbers of steps, and tested with greedy
    decoding. A meta-trained base takes the steps that it has learned, and with `usual` as many more as any base takes;
    it is also measured without its learned inner loop. Processor time is measured, since equal steps are not always
    equal compute. DIR gets results.json with every adaptation, and plots.svg (package matplotlib). After an
    interruption the same command continues; with another base, more steps or more seeds it adds what is new.

    \b
    Examples:
        earful benchmark clips.jsonl --out compared --base earful-base --base none
        earful benchmark clips.jsonl --out compared --base my-base --by speaker --shots 1,5,10 --steps 0,1,5,20,usual
    """
    from earful.device import device_of
    from earful.kshot.protocol import Protocol
    from earful.text.normalize import TextRules

    began, where = time.monotonic(), device_of(device)
    protocol = Protocol(
        bases=tuple(base or [DEFAULT_BASE]),
        by=by,
        shots=tuple(int(each) for each in numbers_in(shots, "--shots")),
        steps=numbers_in(steps, "--steps", "usual"),
        seeds=seeds,
        usual=usual,
        rules=TextRules(case, punctuation),
        skip_small=skip_small,
        **test_of(test_clips, test_seconds),
    )
    rows, left_out = run(clips_of(clips), protocol, out / RESULTS, overwrite, where)
    conclude(rows, out, left_out, round(time.monotonic() - began, 2), json)


def numbers_in(text: str, option: str, *words: str) -> "tuple[Steps, ...]":
    """Parse whole numbers, or some of `words`, separated by commas. Raises ConfigError for anything else."""
    from earful.errors import ConfigError

    parts = [part.strip() for part in text.split(",")]
    if odd := [part for part in parts if not (part.isdecimal() and len(part) < 10) and part not in words]:
        also = "".join(f", or {word}" for word in words)
        raise ConfigError(f"{option}: expected whole numbers with commas between, such as 1,5,10{also}, got {odd[0]!r}")
    return tuple(int(part) if part.isdecimal() else part for part in parts)  # type: ignore[misc]


def test_of(clips: int | None, seconds: float | None) -> dict[str, Any]:
    """The size of the test sets. Raises ConfigError if both options are given."""
    from earful.errors import ConfigError

    if clips is not None and seconds is not None:
        raise ConfigError("--test-clips and --test-seconds both say how much to test on; give one of them")
    return {"test_clips": clips} if clips is not None else {"test_s": seconds}


def run(
    manifest: "Manifest", protocol: "Protocol", results: Path, overwrite: bool, device: "torch.device"
) -> "tuple[list[Row], int]":
    """The rows, and the number of unusable clips. Tasks with too few clips are reported before any audio is read."""
    from earful.kshot.benchmark import benchmark as benchmark_bases
    from earful.kshot.benchmark import entrants_of
    from earful.kshot.protocol import left_out_in_words, tasks_of

    tasks_of(manifest.filter(lambda u: bool(u.text)), protocol)
    entrants = entrants_of(protocol, manifest)
    coarsest = max((each.checkpoint for each in entrants), key=lambda checkpoint: checkpoint.config.output_hop_s)
    with progress() as tell:
        used, findings = sift(manifest, coarsest, tell)
        name_left_out(manifest, used, findings)
        if small := tasks_of(used, protocol)[1]:
            warn(left_out_in_words(small))
        if overwrite:
            results.unlink(missing_ok=True)
        rows = benchmark_bases(protocol, used, results=results, tell=tell, device=device)
        return rows, len(manifest) - len(used)


def conclude(rows: "Sequence[Row]", out: Path, left_out: int, seconds: float, json: bool) -> None:
    """Print the table and the notes, and draw the picture."""
    from earful.kshot.interval import notes_on, summarise

    summaries, notes = summarise(rows), notes_on(rows)
    picture = picture_of(summaries, out / PICTURE)
    if json:
        found = {
            "results": str(out / RESULTS),
            "picture": str(picture) if picture else None,
            "tasks": list(dict.fromkeys(row.task for row in rows)),
            "seeds": len({row.seed for row in rows}),
            "left_out": left_out,
            "seconds": seconds,
            "summary": [asdict(each) for each in summaries],
            "notes": notes,
        }
        print_json(found)
        return
    print_summaries(summaries)
    tasks, seeds = (len({getattr(row, name) for row in rows}) for name in ("task", "seed"))
    print(f"Medians over {counted(tasks, 'task')} × {counted(seeds, 'seed')}; 95 % intervals by bootstrap.")
    for note in notes:
        print(f"Note: {note}.")
    print(f"All {len(rows)} adaptations are in {out / RESULTS}{f', the picture in {picture}' if picture else ''}")


def picture_of(summaries: "Sequence[Summary]", path: Path) -> Path | None:
    """The path of the picture; None, and a warning, if it cannot be drawn."""
    from earful.errors import ConfigError
    from earful.kshot.plots import draw

    try:
        draw(summaries, path)
    except ConfigError as error:
        warn(f"no picture: {error}, and run the same command again")
        return None
    return path


def print_summaries(summaries: "Sequence[Summary]") -> None:
    """Print one line per number of clips, number of steps and base."""
    first = summaries[0].entrant
    compared = any(each.difference is not None for each in summaries)
    columns = [
        ">clips",
        ">steps",
        "base",
        ">CER",
        "95 %",
        *([f">against {first}", "95 %"] if compared else []),
        ">time",
    ]
    rows = []
    for each in summaries:
        row = [each.shots, steps_of(each), each.entrant, percent(each.cer), bounds(each.interval_95)]
        if compared:
            row += ["" if each.difference is None else f"{100 * each.difference:+.1f}", bounds(each.difference_95)]
        rows.append([*row, f"{each.cpu_s:.1f} s"])
    print_table(columns, rows)


def steps_of(summary: "Summary") -> str:
    """The steps in words; for `usual` with the number that the plan has."""
    return f"usual: {summary.taken:g}" if summary.steps == "usual" else str(summary.steps)


def bounds(found: tuple[float, float] | None) -> str:
    return interval(found) if found else ""
