"""Listening to a recording for a command: window by window, with its progress and what is odd about it."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from earful.cli.progress import Tell, warn

if TYPE_CHECKING:
    from earful.audio.channels import Channel
    from earful.recognizer import Recognizer, Samples, Transcript


def listen(
    recognizer: "Recognizer", file: Path, channel: "Channel | Literal['each']", denoised: bool, tell: Tell
) -> "Transcript":
    """Transcribe one file in bounded memory, telling how far it is, and what is odd about it."""
    from earful.audio.channels import FLOATS, survey
    from earful.audio.files import probe
    from earful.writers.phrases import together

    info = probe(file)
    several = info.channels > 1
    found = survey(file).warnings if channel == "auto" and (several or info.subtype in FLOATS) else ()
    for warning in (*info.warnings, *found):
        warn(f"{file}: {warning}")

    def heard(channel: "Channel", name: str) -> "Transcript":
        return recognizer.transcribe_blocks(pieces(file, channel, info.duration_s, denoised, partial(tell, name)))

    if channel != "each":
        return heard(channel, file.name)
    numbers = range(1, info.channels + 1)
    return together({f"speaker {n}": heard(n, f"{file.name}, channel {n}") for n in numbers})


def pieces(
    file: Path, channel: "Channel", total_s: float, denoised: bool, tell: "Callable[[float, float], None]"
) -> "Iterator[Samples]":
    """The windows of a recording, as they are wanted; tells after each how much of all was heard."""
    from earful.audio.denoise import denoise
    from earful.audio.files import SAMPLE_RATE_HZ, blocks
    from earful.recognizer import WINDOW_S

    heard_s = 0.0
    for block_T in blocks(file, WINDOW_S, channel):
        yield denoise(block_T) if denoised else block_T
        heard_s += len(block_T) / SAMPLE_RATE_HZ
        tell(heard_s, total_s)
