"""ELAN's files (`.eaf`): the document, read guardedly and as it is, and the annotations in it.

Comments, attributes and elements that earful does not know stay in the tree, so that a document can be written back
with nothing else changed. A file with a DOCTYPE is refused: ELAN writes none, and entities are how XML reaches for
other files and for all memory.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from lxml import etree
from lxml.etree import _Element as Element

from earful.errors import ManifestError


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
    data = path.read_bytes() if content is None else content
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
