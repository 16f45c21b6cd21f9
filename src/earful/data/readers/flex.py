"""FLEx's interlinear texts, `.flextext` (SIL FieldWorks), whose phrases have times where the text was made in ELAN."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from lxml.etree import _Element as Element

from earful.data.markup import read_markup
from earful.data.readers.recording import beside, named
from earful.data.tiers import Annotated, Lost, Span, Tier
from earful.errors import ManifestError


class _Line(NamedTuple):
    """One line of a phrase: its type (txt, gls, note …) with the language, who says it, its span if it has one."""

    kind: str
    speaker: str | None
    span: Span | None
    text: str
    media: str


def read(path: str | Path) -> tuple[Annotated, ...]:
    """Read a `.flextext` file; each type of lines is a tier of a speaker: `txt is`, `gls en`.

    A phrase without a line of text has its words. Raises ManifestError for what is no such file.
    """
    path = Path(path)
    root = read_markup(path)
    if root.tag != "document" or root.find("interlinear-text") is None:
        raise ManifestError(
            f"{path}: expected FLEx's <document> with an <interlinear-text>, got <{root.tag}>; export it again"
        )
    media = {each.get("guid", ""): each.get("location", "") for each in root.iter("media")}
    lines = [line for phrase in root.iter("phrase") for line in _lines(path, phrase)]
    used = list(dict.fromkeys(line.media for line in lines if line.media in media)) or list(media)[:1] or [""]
    return tuple(_annotated(path, guid, media.get(guid, ""), lines) for guid in used)


def _annotated(path: Path, guid: str, location: str, lines: list[_Line]) -> Annotated:
    recording = (named(path.parent, location) if location else None) or beside(path)
    return Annotated(path, recording, _tiers(line for line in lines if line.media in (guid, "")))


def _lines(path: Path, phrase: Element) -> Iterator[_Line]:
    begin, end = (_seconds(path, phrase, name) for name in ("begin-time-offset", "end-time-offset"))
    items = {(each.get("type", ""), each.get("lang", "")): each.text or "" for each in phrase.iterfind("item")}
    words = _words(phrase)
    items |= {name: text for name, text in words.items() if not any(kind == "txt" for kind, _ in items)}
    for (kind, language), text in items.items():
        span = None if begin is None or end is None else Span(begin, end, text)
        yield _Line(
            f"{kind} {language}".strip(),
            phrase.get("speaker") or None,
            span,
            text,
            phrase.get("media-file", ""),
        )


def _words(phrase: Element) -> dict[tuple[str, str], str]:
    """The words of a phrase as a line of text, in each language that they are written in; punctuation stays apart."""
    lines: dict[tuple[str, str], list[str]] = {}
    for item in (item for word in phrase.iterfind("words/word") for item in word.iterfind("item")):
        if item.get("type") in ("txt", "punct"):
            lines.setdefault(("txt", item.get("lang", "")), []).append((item.text or "").strip())
    return {name: " ".join(texts) for name, texts in lines.items()}


def _seconds(path: Path, phrase: Element, name: str) -> float | None:
    value = phrase.get(name)
    if not value:
        return None
    try:
        return int(value) / 1000
    except ValueError:
        raise ManifestError(
            f"{path}:{phrase.sourceline}: {name} is {value!r}, must be whole milliseconds; correct it"
        ) from None


def _tiers(lines: Iterator[_Line]) -> tuple[Tier, ...]:
    grouped: dict[tuple[str, str | None], list[_Line]] = {}
    for line in lines:
        grouped.setdefault((line.kind, line.speaker), []).append(line)
    return tuple(
        Tier(
            name=f"{kind}@{speaker}" if speaker else kind,
            spans=tuple(line.span for line in some if line.span),
            kind=kind,
            speaker=speaker,
            lost=tuple(Lost("untimed", line.text) for line in some if line.span is None),
        )
        for (kind, speaker), some in grouped.items()
    )
