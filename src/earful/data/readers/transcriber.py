"""Transcriber's `.trs` (Barras et al. 2001), of the grammars trans-13 and trans-14."""

from collections.abc import Iterator
from pathlib import Path

from lxml.etree import _Element as Element

from earful.data.markup import read_markup
from earful.data.readers.recording import beside, named
from earful.data.tiers import Annotated, Span, by_speaker
from earful.errors import ManifestError


def read(path: str | Path) -> tuple[Annotated, ...]:
    """Read a `.trs` file: what each speaker says between two marks of time.

    Where two speak at once each has the span. Events, such as noises, are in brackets.
    Raises ManifestError for what is no such file, and a time that is no number.
    """
    path = Path(path)
    root = read_markup(path)
    if root.tag != "Trans":
        raise ManifestError(f"{path}: expected Transcriber's <Trans>, got <{root.tag}>; is it another program's?")
    speakers = [(each.get("id", ""), each.get("name", "")) for each in root.iterfind("Speakers/Speaker")]
    names = {id: name or id for id, name in speakers}
    said = (
        (names.get(speaker, speaker) or None, span)
        for turn in root.iter("Turn")
        for speaker, span in _spans(path, turn)
    )
    linked = root.get("audio_filename", "").strip()
    recording = named(path.parent, linked) if linked else None
    return (Annotated(path, recording or beside(path), by_speaker("speech", said)),)


def _spans(path: Path, turn: Element) -> Iterator[tuple[str, Span]]:
    """What is said in a turn, between its marks of time, by each of its speakers."""
    speakers = turn.get("speaker", "").split() or [""]
    begin_s, end_s = (_seconds(path, turn, name) for name in ("startTime", "endTime"))
    texts = {speakers[0]: [turn.text or ""]}
    who = speakers[0]
    for each in turn:
        if each.tag == "Sync":
            at_s = _seconds(path, each, "time")
            if at_s > begin_s:
                yield from _between(texts, begin_s, at_s)
            begin_s, texts, who = at_s, {}, speakers[0]
        elif each.tag == "Who":
            number = each.get("nb", "1")
            who = speakers[int(number) - 1] if number.isdigit() and 1 <= int(number) <= len(speakers) else who
        elif each.tag == "Event" and each.get("desc"):
            texts.setdefault(who, []).append(f"[{each.get('desc')}]")
        texts.setdefault(who, []).append(each.tail or "")
    yield from _between(texts, begin_s, end_s)


def _between(texts: dict[str, list[str]], begin_s: float, end_s: float) -> Iterator[tuple[str, Span]]:
    for speaker, parts in texts.items():
        text = " ".join(" ".join(parts).split())
        if text:
            yield speaker, Span(begin_s, end_s, text)


def _seconds(path: Path, element: Element, name: str) -> float:
    value = element.get(name)
    try:
        return float(value or "")
    except ValueError:
        raise ManifestError(
            f"{path}:{element.sourceline}: {name} is {value!r}, must be a number of seconds; correct it"
        ) from None
