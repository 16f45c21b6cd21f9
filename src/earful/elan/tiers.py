"""Tiers between ELAN and a recogniser: read leniently, since ELAN does not escape texts; written strictly."""

import math
import re
from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import unescape

from earful.errors import ManifestError
from earful.reading import read_whole
from earful.writing import replacing

_SPAN = re.compile(
    r"<span\b(?P<times>[^>]*?)/?>\s*(?:<v\s*/>|<v\b[^>]*>(?P<text>.*?)</v>)?(?=\s*(?:</span|<span|</TIER|$))", re.DOTALL
)
_TIME = {name: re.compile(rf"\b{name}\s*=\s*[\"']([^\"']*)[\"']") for name in ("start", "end")}
_QUOTES = {"&quot;": '"', "&apos;": "'"}


class Span(NamedTuple):
    """A stretch of a recording, and its text."""

    start_s: float
    end_s: float
    text: str


def read_spans(path: Path) -> list[Span]:
    """The spans of a tier that ELAN has written, in order, without empty ones.

    ELAN does not escape `&` and `<`, so the file may be no XML; the text is everything between `<v>` and `</v>`.

    Raises ManifestError if a time is no number; OSError.
    """
    content = read_whole(path).decode("utf-8-sig", "replace")
    spans = list[Span]()
    for found in _SPAN.finditer(content):
        line = content.count("\n", 0, found.start()) + 1
        start_s, end_s = (_seconds(found["times"], name, path, line) for name in ("start", "end"))
        if end_s > start_s >= 0:
            spans.append(Span(start_s, end_s, unescape(found["text"] or "", _QUOTES).strip()))
    return sorted(spans)


def _seconds(times: str, name: str, path: Path, line: int) -> float:
    found = _TIME[name].search(times)
    try:
        seconds = float(found[1]) if found else math.nan
    except ValueError:
        seconds = math.nan
    if not math.isfinite(seconds):
        raise ManifestError(f"{path}:{line}: {name} is {found[1] if found else 'missing'!r}, must be seconds")
    return seconds


def write_tiers(path: Path, tiers: Mapping[str, Iterable[tuple[int, int, str]]]) -> None:
    """Write tiers for ELAN, by names without spaces; spans are (start, end) in whole milliseconds. Whole or not at all.

    ELAN cuts decimal seconds to milliseconds in single precision, and so moves some of them; it takes whole numbers as
    milliseconds.
    """
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', "<TIERS>"]
    for name, spans in tiers.items():
        lines.append(f'<TIER columns="{escape(name)}">')
        lines += [f'<span start="{a}" end="{b}"><v>{escape(text, quote=False)}</v></span>' for a, b, text in spans]
        lines.append("</TIER>")
    with replacing(path) as beside:
        beside.write_text("\n".join((*lines, "</TIERS>", "")), "utf-8", newline="\n")
