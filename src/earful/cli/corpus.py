"""`earful corpus`: manifests of synthetic speech."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from earful.cli.numbers import MOST_COUNT, MOST_SEED, finite
from earful.cli.progress import Tell, progress, warn
from earful.cli.tables import counted, print_json

if TYPE_CHECKING:
    from earful.data.manifest import Manifest

Out = Annotated[Path, typer.Option(help="The folder for the corpus.", metavar="DIR")]
Hours = Annotated[float | None, typer.Option(min=0.0, callback=finite, help="Hours of speech in all.", metavar="H")]
Clips = Annotated[int | None, typer.Option(min=1, max=MOST_COUNT, help="Number of clips in all.", metavar="N")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]

corpus = typer.Typer(
    no_args_is_help=False,
    rich_markup_mode=None,
    help="""Make a corpus: a folder with manifest.jsonl, of synthetic speech.

    \b
    Example:
        earful corpus speak --language is --hours 0.5 --out icelandic
    """,
)


@corpus.command(short_help="Synthetic speech in random voices.")
def speak(
    language: Annotated[
        list[str], typer.Option(help="A language of espeak-ng, by code or name; may be repeated.", metavar="CODE")
    ],
    out: Out,
    hours: Hours = None,
    clips: Clips = None,
    text: Annotated[
        Path | None, typer.Option(help="Sentences to speak, instead of random words.", metavar="FILE")
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, max=MOST_SEED, help="Another seed, other sentences and voices.", metavar="N")
    ] = 0,
    json: Json = False,
) -> None:
    """Synthetic speech in random voices, with the time of every phone; needs no download.

    Give --hours or --clips; with --text neither is needed: each sentence is spoken once. Run again, the command
    continues where it stopped; with more hours it adds to the corpus.

    \b
    Example:
        earful corpus speak --language is --language nl --hours 2 --out spoken
    """
    from earful.data.synthesis.speak import speak_corpus

    with progress() as tell:
        manifest, left_out = speak_corpus(
            language, out, hours=hours, clips=clips, text=text, seed=seed, progress=telling(tell)
        )
    report(out, manifest, left_out, json)


def telling(tell: Tell) -> Callable[[float, float], None]:
    """A function that reports progress under the name of the current work."""
    return lambda done, total: tell("speaking", done, total)


def report(out: Path, manifest: "Manifest", left_out: Mapping[str, Sequence[str]], json: bool) -> None:
    """Print what the corpus holds, and what was left out and why."""
    for reason, ids in left_out.items():
        warn(f"left out {len(ids)}: {reason}, such as {', '.join(ids[:3])}")
    place, speakers = out / "manifest.jsonl", len({u.speaker for u in manifest if u.speaker})
    if json:
        seconds, counts = round(manifest.duration_s, 2), {reason: len(ids) for reason, ids in left_out.items()}
        found = {"manifest": str(place), "clips": len(manifest), "speech_seconds": seconds}
        print_json(found | {"speakers": speakers, "left_out": counts})
        return
    minutes = manifest.duration_s / 60
    print(f"{counted(len(manifest), 'clip')}, {minutes:.1f} minutes, {counted(speakers, 'speaker')}")
    print(f"The manifest is {place}")
