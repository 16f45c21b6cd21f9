"""`earful listen`: live transcription."""

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


def listen(
    model: Annotated[str, typer.Argument(help="A model folder, or a shipped base.", metavar="MODEL")],
    source: Annotated[
        str | None,
        typer.Argument(help="- reads a pipe: WAV, or raw 16-bit samples.", metavar="[-]", show_default=False),
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="A microphone: its name, a part of its name, or its number.", metavar="NAME")
    ] = None,
    rate: Annotated[
        int, typer.Option(help="The sampling rate of raw samples from a pipe (mono).", metavar="HZ")
    ] = 16_000,
    out: Annotated[
        list[Path] | None,
        typer.Option(help="Write the transcript at the end; its suffix names the format.", metavar="FILE"),
    ] = None,
    greedy: Annotated[bool, typer.Option("--greedy", help="Leave out the language model.")] = False,
    hot: Annotated[str | None, typer.Option(help=HOT_HELP, metavar="WORD[:BOOST],…")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace FILE.")] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print a JSON object per change, and the transcript at the end.")
    ] = False,
) -> None:
    """Transcribe live speech.

    Words appear within a second. On a terminal, words that may still change are dim. A pipe or a file gets final words
    only, one line per phrase between two pauses. Ctrl-C ends the command, which then writes the whole transcript
    (--out: .txt, .srt, .vtt, .tsv, .json, .TextGrid, .ctm; repeat it for several files).

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
    """Transcribe until the sound ends or the user ends it; None if there was no sound."""
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
        with suppress(Exception):  # the sound so far was said: a broken pipe must not lose it
            if (samples_T := capture.take(0.0)) is not None and len(samples_T):
                shown.show(live.feed(samples_T))
    if not live.duration_s:
        return None
    shown.show(live.settle(last=True))
    return live.end()


def check_source(source: str | None, device: str | None) -> None:
    """Raise ConfigError if the source is neither a pipe nor the microphone."""
    from earful.errors import ConfigError

    if source not in (None, "-"):
        raise ConfigError(
            f"{source}: expected - for a pipe, or nothing for the microphone; earful transcribe reads files"
        )
    if source == "-" and device is not None:
        raise ConfigError("--device names a microphone, and - a pipe; leave one out")


def opened(source: str | None, device: str | None, rate_hz: int) -> "Capture":
    """Open the microphone or the pipe. Raises AudioError: there is none; ConfigError: the rate is out of range."""
    from earful.audio.capture import RATES_HZ, Microphone, Piped
    from earful.errors import AudioError, ConfigError

    if not RATES_HZ[0] <= rate_hz <= RATES_HZ[1]:
        raise ConfigError(f"--rate is {rate_hz} Hz, must be from {RATES_HZ[0]} to {RATES_HZ[1]}")
    if source is None:
        return Microphone(device)
    if sys.stdin is None or sys.stdin.isatty():
        raise AudioError("- stands for a pipe, but nothing is piped in; as with arecord -f S16_LE -r 16000 | earful …")
    # Without a buffer: a thread that still reads from one at exit would crash the program.
    return Piped(getattr(sys.stdin.buffer, "raw", sys.stdin.buffer), rate_hz)


def formats_of(out: list[Path], overwrite: bool) -> dict[Path, str]:
    """The format of each file, by its suffix. Raises ConfigError: an unknown suffix, or the file exists."""
    from earful.errors import ConfigError
    from earful.writers.formats import FORMATS

    linked = ("eaf", "flextext")  # these formats link a recording, and live sound has none
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
    """Note Ctrl-C and SIGTERM in the list that this yields; the second signal ends the program at once."""
    asked: list[int] = []
    before = dict[int, Any]()

    def note(number: int, _frame: Any) -> None:
        asked.append(number)
        if len(asked) > 1:
            raise KeyboardInterrupt

    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            with suppress(ValueError):  # signals reach the main thread only
                before[number] = signal.signal(number, note)
        yield asked
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
