"""The formats of transcripts: the functions in `FORMATS`, and `render`, which takes one by name."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from earful.errors import AudioError, ConfigError
from earful.transcript import Transcript
from earful.writers.ctm import ctm, stm
from earful.writers.eaf import eaf
from earful.writers.flextext import flextext
from earful.writers.json_lines import json_lines
from earful.writers.lrc import lrc
from earful.writers.phrases import Source
from earful.writers.plain import plain
from earful.writers.subtitles import srt, vtt
from earful.writers.textgrid import textgrid
from earful.writers.tsv import tsv


class Format(NamedTuple):
    """A format: its function, and the suffix of its files."""

    write: Callable[[Transcript, Source], str]
    suffix: str


FORMATS: dict[str, Format] = {
    "text": Format(plain, ".txt"),
    "json": Format(json_lines, ".json"),
    "srt": Format(srt, ".srt"),
    "vtt": Format(vtt, ".vtt"),
    "lrc": Format(lrc, ".lrc"),
    "tsv": Format(tsv, ".tsv"),
    "eaf": Format(eaf, ".eaf"),
    "textgrid": Format(textgrid, ".TextGrid"),
    "ctm": Format(ctm, ".ctm"),
    "stm": Format(stm, ".stm"),
    "flextext": Format(flextext, ".flextext"),
}
IN_XML = ("eaf", "flextext")


def render(
    transcript: Transcript, format: str, audio: str = "", *, place: Path | None = None, language: str = ""
) -> str:
    """The transcript in one of `FORMATS`, with a line end at the end.

    `audio` is the recording, named in JSON and linked in ELAN's and FLEx's files, relative to `place`, the written
    file. `language` is a tag such as "is".

    Raises ConfigError for an unknown format, AudioError for a recording whose name XML cannot hold.

    >>> render(Transcript("hi", (Word("hi", 0.5, 0.75, 0.9),), 0.9, 1.0), "tsv").splitlines()[1]
    '0.500\\t0.750\\t0.900\\thi'
    """
    if format not in FORMATS:
        raise ConfigError(f"format is {format!r}, must be one of {', '.join(FORMATS)}")
    if format in IN_XML and not is_in_xml(audio):
        raise AudioError(
            f"{audio!r}: the name has characters that XML cannot hold; rename the recording for --format {format}"
        )
    return FORMATS[format].write(transcript, Source(audio, place, language))


def is_in_xml(name: str) -> bool:
    """Whether XML can hold a name: no control characters, no bytes that are not Unicode."""
    return not any(c < " " or "\ud800" <= c <= "\udfff" or c in "\ufffe\uffff" for c in name)
