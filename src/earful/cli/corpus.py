"""`earful corpus`: manifests of real and of synthetic speech."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from earful.cli.progress import Tell, progress, warn
from earful.cli.tables import counted, print_json

if TYPE_CHECKING:
    from earful.data.manifest import Manifest

corpus = typer.Typer(
    no_args_is_help=False,
    rich_markup_mode=None,
    help="""Make a corpus: a folder with manifest.jsonl, of real or of synthetic speech.

    \b
    Examples:
        earful corpus fillets-ng --language nl --out dutch
        earful corpus speak --language is --hours 0.5 --out icelandic
    """,
)


@corpus.command("fillets-ng", short_help="Acted dialogue by people, Czech or Dutch.")
def fillets_ng(
    language: Annotated[str, typer.Option(help="cs (Czech) or nl (Dutch).", metavar="cs|nl")],
    out: Annotated[Path, typer.Option(help="The folder for the corpus.", metavar="DIR")],
    source: Annotated[
        Path | None,
        typer.Option("--from", help="A folder with the Debian packages, packed or not.", metavar="FOLDER"),
    ] = None,
    pronounce: Annotated[
        bool, typer.Option("--pronounce", help="Add the phones of each transcript, by espeak-ng's rules.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """About 100 minutes of acted dialogue by people, from the game Fish Fillets NG.

    Without --from, the Debian packages (about 105 MB a language) are downloaded once by `apt-get download`. DIR gets
    manifest.jsonl with all clips, and its parts test.jsonl (every sixth level) and train.jsonl (the other levels).
    With --pronounce their lines have the key ipa, which a base learns from.

    \b
    Example:
        earful corpus fillets-ng --language nl --out dutch
    """
    with progress() as tell:
        manifest, left_out = make_fillets(language, out, source, tell, pronounced=pronounce)
    report(out, manifest, left_out, json)


def make_fillets(
    language: str, out: Path, source: Path | None, tell: Tell, *, pronounced: bool = False
) -> "tuple[Manifest, Mapping[str, Sequence[str]]]":
    """The corpus with its two parts on disk."""
    from earful.data.corpora.fillets import fillets, split_levels
    from earful.data.manifest import write_manifest

    if pronounced:
        require_speech(language)
    manifest, left_out = fillets(language, out, source=source, progress=lambda n, total: tell("copying", n, total))
    if pronounced:
        manifest = with_phones(manifest, tell)
        write_manifest(out / "manifest.jsonl", manifest)
    for name, part in zip(("train", "test"), split_levels(manifest), strict=True):
        write_manifest(out / f"{name}.jsonl", part)
    return manifest, left_out


def require_speech(language: str) -> None:
    """Before any work is done: raises SynthesisError where espeak-ng is not installed, or lacks the language."""
    from earful.data.synthesis.languages import find_language

    find_language(language)


def with_phones(manifest: "Manifest", tell: Tell) -> "Manifest":
    """The manifest with `ipa` in `extra`; warns of the transcripts that espeak-ng cannot say in their language."""
    from earful.data.synthesis.pronounce import PHONES, pronounce

    done = itertools.count(1)
    told = pronounce(manifest, advance=lambda: tell("pronouncing", next(done), len(manifest)))
    if without := [u.id for u in told if PHONES not in u.extra]:
        warn(
            f"no phones for {counted(len(without), 'clip')} that espeak-ng cannot say, such as {', '.join(without[:3])}"
        )
    return told


@corpus.command(short_help="Synthetic speech in random voices.")
def speak(
    language: Annotated[list[str], typer.Option(help="A language of espeak-ng; may come again.", metavar="CODE")],
    out: Annotated[Path, typer.Option(help="The folder for the corpus.", metavar="DIR")],
    hours: Annotated[float | None, typer.Option(help="How much speech in all.", metavar="H")] = None,
    clips: Annotated[int | None, typer.Option(help="How many clips in all.", metavar="N")] = None,
    text: Annotated[
        Path | None, typer.Option(help="Sentences to say, instead of random words.", metavar="FILE")
    ] = None,
    seed: Annotated[int, typer.Option(help="Another seed, other sentences and voices.", metavar="N")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Synthetic speech in random voices, with the time of every phone; needs no download.

    Give --hours or --clips; with --text neither is needed: each sentence is said once. Run again, it goes on where it
    was, and with more hours it adds to what is there.

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
    """Progress under the name of what is done."""
    return lambda done, total: tell("speaking", done, total)


def report(out: Path, manifest: "Manifest", left_out: Mapping[str, Sequence[str]], json: bool) -> None:
    """Say what there is, and what was left out and why."""
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
