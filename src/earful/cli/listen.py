"""`earful listen`: words while they are being said."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from earful.cli.progress import warn
from earful.cli.screen import Screen, screen
from earful.cli.transcribe import HOT_HELP, boosts, transcriber, write

if TYPE_CHECKING:
    from earful.audio.capture import Capture
    from earful.live.live import Live
    from earful.transcript import Transcript

WAIT_S = 0.05
BEHIND_S = 5.0
"""Sound that has waited that long is told of."""


def listen(
    model: Annotated[str, typer.Argument(help="A model folder, or a shipped base.", metavar="MODEL")],
    source: Annotated[
        str | None,
        typer.Argument(help="- for a pipe: WAV, or raw samples of 16 bits.", metavar="[-]", show_default=False),
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="A microphone, by its name, a part of it, or its number.", metavar="NAME")
    ] = None,
    rate: Annotated[int, typer.Option(help="Of raw samples from a pipe (mono).", metavar="HZ")] = 16_000,
    out: Annotated[
        list[Path] | None,
        typer.Option(help="Write the transcript at the end; its suffix names the format.", metavar="FILE"),
    ] = None,
    greedy: Annotated[bool, typer.Option("--greedy", help="Leave out the language model.")] = False,
    hot: Annotated[str | None, typer.Option(help=HOT_HELP, metavar="WORD[:BOOST],…")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace FILE.")] = False,
    json: Annotated[
        bool, typer.Option("--json", help="A JSON object a change, and the transcript at the end.")
    ] = False,
) -> None:
    """Transcribe live speech.

    Words appear within a second. On a terminal those that may still change are dim; into a pipe or a file go settled
    words alone, a line for what is said between two pauses. Ctrl-C ends it, and the transcript is written whole (--out:
    .txt, .srt, .vtt, .tsv, .json, .TextGrid, .ctm; give it more than once for several).

    \b
    Examples:
        earful listen my-model --out talk.srt
        arecord -f S16_LE -r 16000 | earful listen my-model -
        ffmpeg -i https://example.org/live -f s16le -ar 16000 -ac 1 - | earful listen my-model -
    """
    from earful.live.live import Live, make_ready

    check_source(source, device)
    places = formats_of(out or [], overwrite)
    found = transcriber(model, greedy, boosts(hot), 1, False, "cpu")
    make_ready(found)
    with screen(json) as shown, asked_to_end() as ending:
        capture = opened(source, device, rate)
        try:
            transcript = follow(Live(found), capture, shown, ending)
        finally:
            capture.close()
        if transcript is not None:
            keep(transcript, places, found.writing.rules.language)
            shown.end(transcript)


def follow(live: "Live", capture: "Capture", shown: Screen, ending: list[int]) -> "Transcript | None":
    """Hear what comes until it ends, or somebody ends it; None where nothing came."""
    lost_s, told = 0.0, False
    while not ending:
        samples_T = capture.take(WAIT_S)
        if samples_T is None:
            break
        if not len(samples_T):
            continue
        shown.show(live.feed(samples_T))
        if capture.lost_s > lost_s and not told:
            warn("sound is lost: this computer is slower than speech; close other programs, or use a smaller model")
            told = True
        lost_s = capture.lost_s
    else:
        with suppress(Exception):  # what has come already was said; a pipe that broke is no reason to lose it
            if (samples_T := capture.take(0.0)) is not None and len(samples_T):
                shown.show(live.feed(samples_T))
    if not live.duration_s:
        return None
    shown.show(live.settle(last=True))
    return live.end()


def check_source(source: str | None, device: str | None) -> None:
    """Raises ConfigError for a source that is none."""
    from earful.errors import ConfigError

    if source not in (None, "-"):
        raise ConfigError(
            f"{source}: expected - for a pipe, or nothing for the microphone; earful transcribe reads files"
        )
    if source == "-" and device is not None:
        raise ConfigError("--device names a microphone, and - a pipe; leave one out")


def opened(source: str | None, device: str | None, rate_hz: int) -> "Capture":
    """The microphone or the pipe. Raises AudioError: there is none."""
    from earful.audio.capture import RATES_HZ, Microphone, Piped
    from earful.errors import AudioError, ConfigError

    if not RATES_HZ[0] <= rate_hz <= RATES_HZ[1]:
        raise ConfigError(f"--rate is {rate_hz} Hz, must be from {RATES_HZ[0]} to {RATES_HZ[1]}")
    if source is None:
        return Microphone(device)
    if sys.stdin is None or sys.stdin.isatty():
        raise AudioError("- stands for a pipe, but nothing is piped in; as with arecord -f S16_LE -r 16000 | earful …")
    # Without a buffer: what still reads from one as the program ends would bring it down.
    return Piped(getattr(sys.stdin.buffer, "raw", sys.stdin.buffer), rate_hz)


def formats_of(out: list[Path], overwrite: bool) -> dict[Path, str]:
    """What format each file is to have. Raises ConfigError for a suffix that names none, or a file that exists."""
    from earful.errors import ConfigError
    from earful.writers.formats import FORMATS

    linked = ("eaf", "flextext")  # they link a recording, and there is none
    names = {each.suffix.lower(): name for name, each in FORMATS.items() if name not in linked}
    found = dict[Path, str]()
    for place in out:
        if place.suffix.lower() not in names:
            raise ConfigError(f"{place}: the suffix must be one of {', '.join(names)}, and names the format")
        if place.exists() and not overwrite:
            raise ConfigError(f"{place}: exists already; name another file, or add --overwrite")
        found[place] = names[place.suffix.lower()]
    return found


def keep(transcript: "Transcript", places: dict[Path, str], language: str) -> None:
    """Write the transcript into each file."""
    from earful.writers.formats import render

    for place, format in places.items():
        write(place, render(transcript, format, place=place, language=language))


@contextmanager
def asked_to_end() -> Iterator[list[int]]:
    """Ctrl-C, and what else asks a program to end, is noted in this list; the second time it ends at once."""
    asked: list[int] = []
    before = dict[int, Any]()

    def note(number: int, _frame: Any) -> None:
        asked.append(number)
        if len(asked) > 1:
            raise KeyboardInterrupt

    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            with suppress(ValueError):  # outside the main thread nobody is asked
                before[number] = signal.signal(number, note)
        yield asked
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
