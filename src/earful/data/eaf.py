"""ELAN's files (`.eaf`): the document, read guardedly and as it is, its recording and its annotations.

Comments, attributes and elements that earful does not know stay in the tree, so that a document can be written back
with nothing else changed. A file with a DOCTYPE is refused: ELAN writes none, and entities are how XML reaches for
other files and for all memory.
"""

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from urllib.parse import unquote

from lxml import etree
from lxml.etree import _Element as Element

from earful.data.readers.sound import is_sound
from earful.errors import ManifestError
from earful.reading import read_whole


class Annotation(NamedTuple):
    """An annotation; its span in milliseconds is its own or that of the one it hangs on, None where none is known."""

    id: str
    tier: str
    start_ms: int | None
    end_ms: int | None
    text: str
    value: Element
    """The element ANNOTATION_VALUE."""


def parse_eaf(path: Path, content: bytes | None = None) -> Element:
    """The root of a document; `content` is what the file holds, where it has been read already.

    Raises ManifestError (with the line) for what is no XML or no document of ELAN's; OSError.
    """
    data = read_whole(path) if content is None else content
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, remove_blank_text=False)
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        problem = " ".join(str(error.msg or "nothing in it").split())
        raise ManifestError(f"{path}:{error.lineno or 1}: no XML ({problem}); export it from ELAN again") from None
    if root.getroottree().docinfo.doctype:
        raise ManifestError(f"{path}: has a DOCTYPE, which ELAN never writes; save it in ELAN again")
    if root.tag != "ANNOTATION_DOCUMENT":
        raise ManifestError(
            f"{path}:1: expected ANNOTATION_DOCUMENT, got {root.tag}; give a file that ELAN saved (.eaf)"
        )
    for part in ("HEADER", "TIME_ORDER"):
        if root.find(part) is None:
            raise ManifestError(f"{path}: has no {part}, which every document of ELAN has; save it in ELAN again")
    return root


class Recording(NamedTuple):
    """The recording of a document; its time `origin_ms` is the document's time 0 (ELAN's offset of a medium)."""

    audio: Path
    origin_ms: int = 0


def recording_of(root: Element, path: Path, given: Path | None = None) -> Recording:
    """The recording that the document at `path` links: relative to it, absolute, or beside it.

    Or the one that is `given`, with the offset that the document has for it, if it links it.

    Raises ManifestError where none of the links leads to a sound file.
    """
    links = list(root.iterfind("HEADER/MEDIA_DESCRIPTOR"))
    if given is not None:
        own = (link for link in links if given.name in {place.name for place in _places(link, path)})
        return Recording(given, _origin_ms(next(own, None), path))
    for link in links:
        found = next((p for p in _places(link, path) if is_sound(p) and p.is_file()), None)
        if found is not None:
            return Recording(found, _origin_ms(link, path))
    named = ", ".join(link.get("MEDIA_URL", "") for link in links)
    there = f"no sound file is where it links ({named}) or beside it" if links else "it links no recording"
    raise ManifestError(f"{path}: {there}; name the recording: earful transcribe MODEL RECORDING --into …")


def _places(link: Element, path: Path) -> Iterator[Path]:
    """Where a link may lead: ELAN writes no escapes in it, other programs do."""
    folder = path.absolute().parent
    for raw in (link.get("RELATIVE_MEDIA_URL", ""), link.get("MEDIA_URL", "")):
        for url in dict.fromkeys((raw, unquote(raw))):
            plain = re.sub(r"^file:(?://(?=/))?", "", url)
            plain = re.sub(r"^/(?=[A-Za-z]:)", "", plain)
            if plain and "\0" not in plain:
                yield folder / plain
                yield folder / PurePosixPath(plain.replace("\\", "/")).name


def _origin_ms(link: Element | None, path: Path) -> int:
    written = "0" if link is None else link.get("TIME_ORIGIN", "0")
    try:
        return int(written)
    except ValueError:
        line = link.sourceline if link is not None else 1
        raise ManifestError(f"{path}:{line}: TIME_ORIGIN is {written!r}, must be milliseconds; correct it") from None


def annotations(root: Element) -> Iterator[Annotation]:
    """All annotations, tier by tier."""
    spans = _spans(root)
    for tier in root.iterfind("TIER"):
        for annotation in tier.iterfind("ANNOTATION/*"):
            value = annotation.find("ANNOTATION_VALUE")
            if value is not None:
                name = annotation.get("ANNOTATION_ID", "")
                start_ms, end_ms = spans.get(name, (None, None))
                yield Annotation(name, tier.get("TIER_ID", ""), start_ms, end_ms, value.text or "", value)


def _spans(root: Element) -> dict[str, tuple[int | None, int | None]]:
    """The span of each annotation by its id: by its time slots, or by the annotation that it refers to."""
    times = {
        slot.get("TIME_SLOT_ID"): int(value) if (value := slot.get("TIME_VALUE", "")).isdecimal() else None
        for slot in root.iterfind("TIME_ORDER/TIME_SLOT")
    }
    spans, refers = dict[str, tuple[int | None, int | None]](), dict[str, str]()
    for annotation in root.iterfind("TIER/ANNOTATION/*"):
        name = annotation.get("ANNOTATION_ID", "")
        if annotation.tag == "REF_ANNOTATION":
            refers[name] = annotation.get("ANNOTATION_REF", "")
        else:
            start, end = annotation.get("TIME_SLOT_REF1"), annotation.get("TIME_SLOT_REF2")
            spans[name] = times.get(start), times.get(end)
    for name in refers:
        above, seen = name, set[str]()
        while above in refers and above not in seen:  # a file damaged by hand may refer in a circle
            seen.add(above)
            above = refers[above]
        spans[name] = spans.get(above, (None, None))
    return spans
