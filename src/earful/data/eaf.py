"""ELAN's files (`.eaf`): the document, read safely and completely, its recording and its annotations.

Comments, attributes and elements that earful does not know stay in the tree, so that a document can be written back
without other changes. A file with a DOCTYPE is refused: ELAN writes none.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from lxml.etree import _Element as Element

from earful.data.markup import read_markup
from earful.data.readers.recording import beside, first_there, places
from earful.errors import ManifestError


class Annotation(NamedTuple):
    """An annotation; its span in milliseconds is its own or that of its parent, None if unknown."""

    id: str
    tier: str
    start_ms: int | None
    end_ms: int | None
    text: str
    value: Element
    """The element ANNOTATION_VALUE."""


def parse_eaf(path: Path, content: bytes | None = None, *, as_it_is: bool = True) -> Element:
    """The root of a document; `content` is the content of the file, if it has been read already.

    `as_it_is`: with its comments, to be written back.

    Raises ManifestError (with the line) for a file that is no XML or no ELAN document.
    """
    root = read_markup(path, content, as_it_is=as_it_is)
    if root.getroottree().docinfo.doctype:
        raise ManifestError(f"{path}: has a DOCTYPE, which ELAN never writes; save it in ELAN again")
    if root.tag != "ANNOTATION_DOCUMENT":
        raise ManifestError(
            f"{path}:{root.sourceline}: expected ELAN's <ANNOTATION_DOCUMENT>, got <{root.tag}>; give a file that "
            "ELAN saved (.eaf)"
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
    """The recording of the document at `path`: `given`, or as `linked_by`.

    Raises ManifestError if it does not exist.
    """
    links = _links(root)
    if given is not None:
        own = (link for link in links if given.name in {place.name for place in places(path.parent, *_written(link))})
        return Recording(given, _origin_ms(next(own, None), path))
    found = linked_by(root, path)
    if found.audio.is_file():
        return found
    named = ", ".join(link.get("MEDIA_URL", "") for link in links)
    there = f"no sound file is where it links ({named}) or beside it" if links else "it links no recording"
    raise ManifestError(f"{path}: {there}; name the recording: earful transcribe MODEL RECORDING --into …")


def linked_by(root: Element, path: Path) -> Recording:
    """The recording that a document links, sound before video, found as ELAN does.

    That is at its absolute place, at the place relative to the document, or of the same name beside the document. Else
    it is the recording of the document's own name. If that does not exist either, it is the expected place. Raises
    ManifestError if its origin is no time.
    """
    links = _links(root)
    for link in links:
        found = first_there(places(path.parent, *_written(link)))
        if found is not None:
            return Recording(found, _origin_ms(link, path))
    named = beside(path)
    expected = (place for link in links for place in places(path.parent, *_written(link)))
    return Recording(named if named.is_file() else next(expected, named))


def _links(root: Element) -> list[Element]:
    links = root.iterfind("HEADER/MEDIA_DESCRIPTOR")
    return sorted(links, key=lambda link: link.get("MIME_TYPE", "").startswith("video"))


def _written(link: Element) -> list[str]:
    return [written for name in ("MEDIA_URL", "RELATIVE_MEDIA_URL") if (written := link.get(name))]


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
    """The span of each annotation by its id, from its time slots, or from the annotation that it refers to."""
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
