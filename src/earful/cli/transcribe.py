"""`earful transcribe`: recordings to text or subtitles."""

import math
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from earful.cli.device import Device
from earful.cli.into import recording_beside, transcribe_into
from earful.cli.leftovers import name_unread
from earful.cli.listening import listen
from earful.cli.progress import progress
from earful.cli.streams import plain
from earful.cli.tables import counted, print_json

if TYPE_CHECKING:
    from earful.audio.channels import Channel
    from earful.transcriber import Transcriber

CHANNEL_HELP = (
    "Which channel to transcribe: auto (those with speech), mix, left, right, a number from 1; or each, if every "
    "channel has its own speaker."
)

HOT_HELP = (
    "Words or phrases to make more likely, separated by commas; after a colon, the bonus of each letter in nats "
    "(by default 1.5)."
)
INTO_HELP = "Add tiers to an ELAN file; AUDIO defaults to the recording that it links."
FILL_HELP = "With --into: fill only the segments of this tier that have no text."
MOST_GUESSES = 20
Format = Literal["text", "json", "srt", "vtt", "lrc", "tsv", "eaf", "textgrid", "ctm", "stm", "flextext"]
As = Annotated[
    Format,
    typer.Option(
        help="tsv: a word per line, with times and confidence; json: a line per file; lrc: for players; eaf: for ELAN."
    ),
]
Out = Annotated[Path | None, typer.Option(help="Write a file for each recording into this folder.", metavar="DIR")]
Guesses = Annotated[
    int,
    typer.Option(min=1, max=MOST_GUESSES, help="Give the N most likely texts of each recording (json).", metavar="N"),
]


def transcribe(
    model: Annotated[str, typer.Argument(help="A model folder, or a shipped base.", metavar="MODEL")],
    audio: Annotated[
        list[Path] | None, typer.Argument(help="Sound files, or folders of them.", metavar="AUDIO", show_default=False)
    ] = None,
    format: As = "text",
    out: Out = None,
    into: Annotated[Path | None, typer.Option(help=INTO_HELP, metavar="FILE.eaf")] = None,
    fill: Annotated[str | None, typer.Option(help=FILL_HELP, metavar="TIER")] = None,
    greedy: Annotated[bool, typer.Option("--greedy", help="Leave out the language model.")] = False,
    hot: Annotated[str | None, typer.Option(help=HOT_HELP, metavar="WORD[:BOOST],…")] = None,
    guesses: Guesses = 1,
    self_adapt: Annotated[
        bool, typer.Option("--self-adapt", help="Experimental: fit the model to each recording, then forget.")
    ] = False,
    denoise: Annotated[bool, typer.Option("--denoise", help="Suppress steady noise first.")] = False,
    channel: Annotated[str, typer.Option(help=CHANNEL_HELP, metavar="CHANNEL")] = "auto",
    device: Device = "cpu",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace transcripts in DIR.")] = False,
    json: Annotated[
        bool, typer.Option("--json", help="The same as --format json; with --into, what was done.")
    ] = False,
) -> None:
    """Transcribe recordings.

    Recordings may have any length. If a file cannot be read, it is named on stderr, the others are transcribed, and the
    exit status is 2.

    With --into, an ELAN file gets new tiers of phrases, words and confidences, or texts in empty segments (--fill);
    everything else in it stays as it is.

    \b
    Examples:
        earful transcribe my-model new.wav
        earful transcribe my-model talks/ --format srt --out subtitles/
        earful transcribe my-model new.wav --hot "Wambui,Nyeri:3"
        earful transcribe my-model --into talk.eaf
    """
    from earful.audio.channels import channel_named

    heard = channel_named(channel)
    wanted = "json" if json else format

    def load() -> "Transcriber":
        return transcriber(model, greedy, boosts(hot), guesses, self_adapt, device)

    if into is not None:
        recording = recording_beside(
            into, audio or [], {"--out": out, "--format": format != "text", "--guesses": guesses > 1}
        )
        done = transcribe_into(load, into, recording, fill, heard, denoise)
        print_json(done.summary) if json else print(done.said)
    else:
        check_audio(model, audio or [], fill)
        transcribe_each(load, audio or [], wanted, out, overwrite, heard, denoise)


def transcriber(
    model: str, greedy: bool, hot: "dict[str, float]", guesses: int, self_adapt: bool, device: str
) -> "Transcriber":
    """The fastest transcriber: a runner, which needs no torch, or a recogniser if no runner supports the model."""
    from earful.runner import Runner, can_run

    if device == "cpu" and not self_adapt and can_run(model):
        return Runner.load(model, greedy=greedy, hot=hot, guesses=guesses)
    from earful.recognizer import Recognizer

    return Recognizer.load(model, greedy=greedy, self_adapt=self_adapt, hot=hot, guesses=guesses, device=device)


def check_audio(model: str, audio: Sequence[Path], fill: str | None) -> None:
    """Raise ConfigError if there is nothing to transcribe, or if --fill has no file."""
    from earful.errors import ConfigError, quoted

    if fill is not None:
        raise ConfigError("--fill TIER needs --into FILE.eaf, the file that has the tier")
    if not audio:
        taken = f"no AUDIO to transcribe: {model} is taken for the model, which comes first; give recordings or folders"
        if Path(model).is_file():
            raise ConfigError(f"{taken} after it: earful transcribe MODEL {quoted(model)}")
        raise ConfigError(f"{taken} after it: earful transcribe {quoted(model)} new.wav")
    if Path(model).is_file():
        from earful.folders import locate

        locate(model)  # says so, before the folders of AUDIO are looked into: one of them may be the model


def transcribe_each(
    load: "Callable[[], Transcriber]",
    audio: Sequence[Path],
    wanted: str,
    out: Path | None,
    overwrite: bool,
    channel: "Channel | Literal['each']",
    denoised: bool,
) -> None:
    """Transcribe recordings one after another, to stdout or into a folder. Raises typer.Exit(2) if some fail."""
    from earful.errors import AudioError
    from earful.writers.formats import FORMATS, render

    files = list(sound_files(audio))
    places = destinations(files, out, FORMATS[wanted].suffix, overwrite) if out else []
    recognizer, failed = load(), 0
    language = recognizer.writing.rules.language
    with progress() as tell:
        for number, (file, _) in enumerate(files):
            place = places[number] if out else None
            try:
                transcript = listen(recognizer, file, channel, denoised, tell)
                rendered = render(transcript, wanted, str(file), place=place, language=language)
            except (AudioError, OSError) as error:
                print(f"earful: {plain(str(error))}", file=sys.stderr)
                failed += 1
                continue
            if place:
                write(place, rendered)
            else:
                show(rendered, str(file) if len(files) > 1 and wanted != "json" else None)
    if out and len(files) > failed:
        print(f"earful: {counted(len(files) - failed, 'transcript')} in {plain(str(out))}", file=sys.stderr)
    if failed:
        print(f"earful: {failed} of {counted(len(files), 'file')} could not be transcribed", file=sys.stderr)
        raise typer.Exit(2)


def boosts(hot: str | None) -> dict[str, float]:
    """Parse hot words with their bonus per letter: `name,name:2`. Raises ConfigError for another form."""
    if hot is None:
        return {}
    from earful.ctc.hot import BOOST
    from earful.errors import ConfigError

    found = dict[str, float]()
    for each in hot.split(","):
        word, colon, boost = each.rpartition(":") if ":" in each else (each, "", "")
        if not word.strip():
            raise ConfigError(f"--hot {hot!r}: expected words parted by commas, got nothing in one place; name a word")
        try:
            found[word.strip()] = float(boost) if colon else BOOST
        except ValueError:
            found[word.strip()] = math.nan
        if not math.isfinite(found[word.strip()]):
            raise ConfigError(f"--hot {each.strip()!r}: expected a number after the colon, such as {word}:2")
    return found


def sound_files(audio: Sequence[Path]) -> Iterator[tuple[Path, Path]]:
    """Every recording with its name relative to the given folder; unreadable files are named on stderr.

    Raises AudioError for a folder without recordings.
    """
    from earful.data.readers.sound import is_sound, one_a_name
    from earful.errors import AudioError

    for place in audio:
        if not place.is_dir():
            yield place, Path(place.name)
            continue
        name_unread(place)
        found = sorted(one_a_name(path for path in place.rglob("*") if is_sound(path) and path.is_file()))
        if not found:
            raise AudioError(f"{place}: the folder holds no sound files; give recordings or a folder of them")
        yield from ((path, path.relative_to(place)) for path in found)


def destinations(files: Sequence[tuple[Path, Path]], out: Path, suffix: str, overwrite: bool) -> list[Path]:
    """The file of each transcript. Raises AudioError if two would be the same file, or if one exists already."""
    from earful.errors import AudioError
    from earful.writing import one_file

    if out.exists() and not out.is_dir():
        raise AudioError(f"{out}: is a file; name a folder for the transcripts")
    taken: dict[str, Path] = {}
    places = [out / name.with_suffix(suffix) for _, name in files]
    for place, (file, _) in zip(places, files, strict=True):
        key = one_file(place)
        if key in taken:
            raise AudioError(f"{taken[key]} and {file} would both go to {place}; transcribe them one by one")
        if place.exists() and not overwrite:
            raise AudioError(
                f"{place}: exists already, perhaps corrected; give recordings that have none, name another "
                "folder, or add --overwrite, which replaces it"
            )
        taken[key] = file
    return places


def write(place: Path, text: str) -> None:
    """Write a text file, whole or not at all."""
    from earful.writing import replacing

    place.parent.mkdir(parents=True, exist_ok=True)
    with replacing(place) as beside:
        beside.write_text(text, "utf-8", newline="\n")


def show(text: str, name: str | None) -> None:
    """Print a transcript, with its file's name if there are several."""
    if name is not None:
        print(f"==> {name} <==")
    print(text, end="" if name is None else "\n", flush=True)
