"""Subtitles, SubRip's `.srt` and WebVTT's `.vtt`, of a recording beside them.

Format: W3C, "WebVTT: The Web Video Text Tracks Format", sections 4 and 6; SubRip has no standard, and is like it.
"""

import html
import re
from collections.abc import Iterator
from pathlib import Path

from earful.data.lines import Problem, raise_first, read_text
from earful.data.readers.recording import beside
from earful.data.tiers import Annotated, Span, by_speaker
from earful.errors import ManifestError

_TIME = r"(?:(\d+):)?(\d{1,2}):(\d{1,2}(?:[.,]\d{1,3})?)"
_TIMES = re.compile(rf"\s*{_TIME}\s*-->\s*{_TIME}(?:\s.*)?")
_VOICE = re.compile(r"<v(?:\.[^\s>]*)?\s+([^>]*)>")
_TAG = re.compile(r"</?[A-Za-z][^<>]*>|<\d[\d:.]*>|\{\\[^{}]*\}")  # of WebVTT, of its karaoke times, of SubStation
_ASIDE = ("NOTE", "STYLE", "REGION")

_Cue = tuple[str | None, Span]


def read(path: str | Path) -> tuple[Annotated, ...]:
    """Read subtitles; of WebVTT's voices each is a tier. Raises ManifestError that names the line that is wrong."""
    path = Path(path)
    cues: list[_Cue] = []
    problems: list[Problem] = []
    for number, block in _blocks(read_text(path, "subtitles")):
        try:
            cues += _cue(block)
        except ManifestError as error:
            problems.append((number, str(error)))
    raise_first(path, problems)
    if not cues:
        raise ManifestError(f"{path}: holds no subtitles; expected times such as 00:00:01,000 --> 00:00:02,500")
    return (Annotated(path, beside(path), by_speaker("subtitles", cues)),)


def _blocks(text: str) -> Iterator[tuple[int, list[str]]]:
    """(line, lines) of all that stands between empty lines, but for what is no subtitle in WebVTT."""
    block: list[str] = []
    for number, line in enumerate([*text.split("\n"), ""], start=1):
        if line.strip():
            block.append(line.strip())
        elif block:
            if not (block[0].startswith("WEBVTT") or block[0].split()[0] in _ASIDE):
                yield number - len(block), block
            block = []


def _cue(block: list[str]) -> Iterator[_Cue]:
    """The subtitle in a block: perhaps a number or name, the times, the text; a text that has an empty line is none."""
    timed = next((place for place, line in enumerate(block[:2]) if "-->" in line), None)
    times = _TIMES.fullmatch(block[timed]) if timed is not None else None
    if timed is None or times is None:
        raise ManifestError(
            f"expected times such as 00:00:01,000 --> 00:00:02,500, got {block[timed or 0][:60]!r}; correct the "
            "subtitle, or take an empty line out of the text before it"
        )
    begin, end = times.groups()[:3], times.groups()[3:]
    text = " ".join(block[timed + 1 :])
    voice = _VOICE.search(text)
    said = html.unescape(_TAG.sub("", text))
    yield (voice[1].strip() or None) if voice else None, Span(_seconds(*begin), _seconds(*end), said)


def _seconds(hours: str | None, minutes: str, seconds: str) -> float:
    return float(hours or 0) * 3600 + float(minutes) * 60 + float(seconds.replace(",", "."))
