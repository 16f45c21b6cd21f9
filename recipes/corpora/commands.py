"""`python -m recipes.corpora`: the commands that bring the corpora of the recipes."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from earful.cli.corpus import Clips, Hours, Json, Out, report, telling
from earful.cli.numbers import MOST_COUNT, MOST_SEED
from earful.cli.progress import Tell, progress, warn
from earful.cli.tables import counted
from recipes.corpora.demo import demo

if TYPE_CHECKING:
    from earful.data.manifest import Manifest

Source = Annotated[
    Path | None, typer.Option("--from", help="A folder with the Debian packages, packed or not.", metavar="FOLDER")
]
Pronounce = Annotated[
    bool, typer.Option("--pronounce", help="Add the phones of each transcript, by espeak-ng's rules.")
]
Wanted = Annotated[
    list[str] | None, typer.Option("--language", help="Only this language; may come again.", metavar="CODE")
]
Unwanted = Annotated[
    list[str] | None, typer.Option("--not-language", help="Not this language; may come again.", metavar="CODE")
]

corpora = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="""Make a corpus for a recipe: a folder with manifest.jsonl.

    \b
    Examples:
        python -m recipes.corpora fillets-ng --language nl --out dutch
        python -m recipes.corpora klettres --not-language cs --out letters
    """,
)
corpora.command(short_help="Adapt a base to people who speak Czech.")(demo)
RESUMABLE = ("invent",)


@corpora.callback()
def options(
    context: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", help="Show the whole trace of an error.")] = False,
) -> None:
    context.ensure_object(dict).update(debug=debug, command=context.invoked_subcommand)


@corpora.command("fillets-ng", short_help="Acted dialogue by people, Czech or Dutch.")
def fillets_ng(
    language: Annotated[str, typer.Option(help="cs (Czech) or nl (Dutch).", metavar="cs|nl")],
    out: Out,
    source: Source = None,
    pronounce: Pronounce = False,
    json: Json = False,
) -> None:
    """About 100 minutes of acted dialogue by people, from the game Fish Fillets NG.

    Without --from, the Debian packages (about 105 MB a language) are downloaded once by `apt-get download`. DIR gets
    manifest.jsonl with all clips, and its parts test.jsonl (every sixth level) and train.jsonl (the other levels).
    With --pronounce their lines have the key ipa, which a base learns from.

    \b
    Example:
        python -m recipes.corpora fillets-ng --language nl --out dutch
    """
    with progress() as tell:
        manifest, left_out = make_fillets(language, out, source, tell, pronounced=pronounce)
    report(out, manifest, left_out, json)


@corpora.command(short_help="Letters, syllables and short words by people, in some twenty languages.")
def klettres(
    out: Out,
    language: Wanted = None,
    not_language: Unwanted = None,
    source: Source = None,
    pronounce: Annotated[
        bool, typer.Option("--pronounce", help="Add phones, of letters' names too, by espeak-ng's rules.")
    ] = False,
    json: Json = False,
) -> None:
    """About 1,800 letters, syllables and short words by people, from KDE's KLettres; one voice a language.

    Without --from, the Debian package klettres-data (40 MB) is downloaded once by `apt-get download`. DIR gets
    manifest.jsonl. A letter is said by its name: such a clip has no text, but with --pronounce the key ipa, which
    a base learns from.

    \b
    Example:
        python -m recipes.corpora klettres --not-language cs --pronounce --out letters
    """
    from recipes.corpora.klettres import klettres, with_names

    make_sounds(klettres, with_names if pronounce else None, out, language, not_language, source, json)


@corpora.command(short_help="Words by people, in some twenty languages.")
def ktuberling(
    out: Out,
    language: Wanted = None,
    not_language: Unwanted = None,
    source: Source = None,
    pronounce: Pronounce = False,
    json: Json = False,
) -> None:
    """About 1,900 words by people, from KDE's KTuberling; mostly one voice a language.

    Without --from, the Debian package ktuberling-data (47 MB) is downloaded once by `apt-get download`. DIR gets
    manifest.jsonl. The package does not say how the words are written: a clip has text where the name of its file and
    a word list make it certain, which is so for about one in four. With --pronounce these have the key ipa, which a
    base learns from.

    \b
    Example:
        python -m recipes.corpora ktuberling --language sv --language nl --out words
    """
    from recipes.corpora.ktuberling import ktuberling, with_phones

    make_sounds(ktuberling, with_phones if pronounce else None, out, language, not_language, source, json)


def make_sounds(
    build: "Callable[..., tuple[Manifest, Mapping[str, Sequence[str]]]]",
    pronounced: "Callable[[Manifest, Callable[[], None]], Manifest] | None",
    out: Path,
    wanted: list[str] | None,
    unwanted: list[str] | None,
    source: Path | None,
    json: bool,
) -> None:
    """A corpus of sounds in many languages on disk, with phones where `pronounced` is given."""
    from earful.data.manifest import write_manifest

    if pronounced:
        require_speech()
    with progress() as tell:
        copying = partial(tell, "copying")
        manifest, left_out = build(
            out, languages=wanted or (), not_languages=unwanted or (), source=source, progress=copying
        )
        if pronounced:
            done, clips = itertools.count(1), len(manifest)
            manifest = pronounced(manifest, lambda: tell("pronouncing", next(done), clips))
            write_manifest(out / "manifest.jsonl", manifest)
    report(out, manifest, left_out, json)


def make_fillets(
    language: str, out: Path, source: Path | None, tell: Tell, *, pronounced: bool = False
) -> "tuple[Manifest, Mapping[str, Sequence[str]]]":
    """The corpus with its two parts on disk."""
    from earful.data.manifest import write_manifest
    from recipes.corpora.fillets import fillets, split_levels

    if pronounced:
        require_speech(language)
    manifest, left_out = fillets(language, out, source=source, progress=lambda n, total: tell("copying", n, total))
    if pronounced:
        manifest = with_phones(manifest, tell)
        write_manifest(out / "manifest.jsonl", manifest)
    for name, part in zip(("train", "test"), split_levels(manifest), strict=True):
        write_manifest(out / f"{name}.jsonl", part)
    return manifest, left_out


def require_speech(language: str | None = None) -> None:
    """Before any work is done: raises SynthesisError where espeak-ng is not installed, or lacks the language."""
    from earful.data.synthesis.languages import find_language, languages

    if language is None:
        languages()
    else:
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


@corpora.command(short_help="Telephone prompts by people, Italian and French, without transcripts.")
def prompts(
    out: Out,
    language: Annotated[
        list[str] | None,
        typer.Option(help="it (Italian) or fr (French); may come again. [default: both]", metavar="it|fr"),
    ] = None,
    source: Source = None,
    json: Json = False,
) -> None:
    """About 70 minutes of telephone prompts by three people, from Asterisk, without transcripts.

    Without --from, the Debian packages (11 MB for French, 29 MB for Italian) are downloaded once by `apt-get
    download`. Tones, silence, repetitions and clips under 0.4 s are left out. Needs the package G722.

    \b
    Example:
        python -m recipes.corpora prompts --out telephone
    """
    from recipes.corpora.prompts import LANGUAGES
    from recipes.corpora.prompts import prompts as build

    with progress() as tell:
        manifest, left_out = build(
            out, languages=language or LANGUAGES, source=source, progress=lambda n, total: tell("decoding", n, total)
        )
    report(out, manifest, left_out, json)


@corpora.command(short_help="Synthetic speech in languages that nobody speaks.")
def invent(
    count: Annotated[int, typer.Option(min=1, max=MOST_COUNT, help="How many languages.", metavar="N")],
    out: Out,
    hours: Hours = None,
    clips: Clips = None,
    not_host: Annotated[
        list[str] | None, typer.Option(help="No sounds of this language of espeak-ng; may come again.", metavar="CODE")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=MOST_SEED, help="Another seed, other languages.", metavar="N")] = 0,
    json: Json = False,
) -> None:
    """Synthetic speech in random languages that nobody speaks, with the time of every phone: tasks to meta-train on.

    Each has real phonemes, random words and a random alphabet whose rules of spelling are anything from simple to
    deep. Give --hours or --clips. DIR gets manifest.jsonl, and languages.jsonl, which describes each language. Czech
    and Slovak are never among the voices. Run again, it goes on where it was, or adds languages and clips.

    \b
    Example:
        python -m recipes.corpora invent --count 40 --hours 2 --out invented
    """
    from recipes.corpora.invented.corpus import invent_corpus

    with progress() as tell:
        manifest, left_out = invent_corpus(
            count,
            out,
            hours=hours,
            clips=clips,
            not_hosts=not_host or (),
            seed=seed,
            asking=lambda done, total: tell("asking for phonemes", done, total),
            progress=telling(tell),
        )
    report(out, manifest, left_out, json)
