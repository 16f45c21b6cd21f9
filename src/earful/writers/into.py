"""A person's own ELAN document: filling empty segments, adding tiers, and saving without other changes."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

from lxml import etree
from lxml.etree import _Element as Element

from earful.data.drafts import PHRASES, Draft, mark
from earful.data.eaf import Annotation, annotations, parse_eaf
from earful.errors import ManifestError
from earful.reading import read_whole
from earful.transcript import Transcript
from earful.writers.eaf_tiers import add_tiers, confidence_of
from earful.writing import replacing


class Document(NamedTuple):
    """An open document: its place, the content of the file when it was read, and the tree, which is changed."""

    path: Path
    content: bytes
    root: Element


def open_document(path: Path) -> Document:
    """Read a document. Raises ManifestError as `parse_eaf`; OSError."""
    content = read_whole(path)
    return Document(path, content, parse_eaf(path, content))


def save(document: Document) -> None:
    """Write a document back, whole or not at all; comments and unknown parts stay.

    Raises ManifestError, and leaves the file unchanged, if another program has saved it since it was read; OSError.
    """
    place = document.path.resolve()  # a link stays a link
    tree = document.root.getroottree()
    standalone = tree.docinfo.standalone
    data = etree.tostring(tree, xml_declaration=True, encoding="UTF-8", standalone=standalone)
    with replacing(place) as beside:
        beside.write_bytes(data + b"\n")
        shutil.copymode(place, beside)
        if place.read_bytes() != document.content:
            raise ManifestError(
                f"{document.path}: another program has saved it meanwhile; close it in ELAN, and run the command again"
            )


def add_transcript(document: Document, transcript: Transcript, origin_ms: int = 0) -> tuple[tuple[str, ...], int]:
    """Add a transcript as new tiers; returns their names, and the number of words before the document's time 0.

    These words are left out. Raises ManifestError as `add_tiers`.
    """
    origin_s = origin_ms / 1000
    within = [word for word in transcript.words if word.end_s > origin_s]
    words = [replace(w, start_s=max(w.start_s - origin_s, 0.0), end_s=w.end_s - origin_s) for w in within]
    moved = replace(transcript, words=tuple(words), duration_s=max(transcript.duration_s - origin_s, 0.0))
    return add_tiers(document.root, moved, document.path), len(transcript.words) - len(within)


def segments(document: Document, tier: str) -> tuple[list[Annotation], int]:
    """The annotations of a tier that have no text, and the number of those without times, which cannot be filled.

    Raises ManifestError: there is no such tier; its texts come from a controlled vocabulary; several of its annotations
    share one span, of which their parts are unknown.
    """
    names = [each.get("TIER_ID", "") for each in document.root.iterfind("TIER")]
    if tier not in names:
        near = get_close_matches(tier, names, 1)
        known = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(map(repr, names)) or 'none'}"
        raise ManifestError(f"{document.path}: has no tier {tier!r}; {known}")
    element = next(each for each in document.root.iterfind("TIER") if each.get("TIER_ID") == tier)
    types = document.root.iterfind("LINGUISTIC_TYPE")
    about = next((t for t in types if t.get("LINGUISTIC_TYPE_ID") == element.get("LINGUISTIC_TYPE_REF")), None)
    where = f"{document.path}:{element.sourceline}: tier {tier!r}"
    if about is not None and about.get("CONTROLLED_VOCABULARY_REF"):
        raise ManifestError(f"{where} takes its texts from a controlled vocabulary; name a tier of free text")
    if about is not None and about.get("CONSTRAINTS") == "Symbolic_Subdivision":
        raise ManifestError(
            f"{where} is a symbolic subdivision, whose annotations have no times; name the tier above it"
        )
    empty = [each for each in annotations(document.root) if each.tier == tier and not each.text.strip()]
    timed = [each for each in empty if span_of(each) is not None]
    return timed, len(empty) - len(timed)


def span_of(annotation: Annotation) -> tuple[int, int] | None:
    """Start and end in milliseconds, if both are known and the span is not empty."""
    start_ms, end_ms = annotation.start_ms, annotation.end_ms
    return (start_ms, end_ms) if start_ms is not None and end_ms is not None and start_ms < end_ms else None


def fill(document: Document, said: Sequence[tuple[Annotation, Transcript]]) -> int:
    """Write transcripts into empty annotations, and mark them as drafts; returns the number of filled ones.

    An annotation without speech stays unchanged. Raises ManifestError as `mark`.
    """
    written = list[Draft]()
    for segment, transcript in said:
        span, text = span_of(segment), transcript.text.strip()
        if text and span is not None:
            segment.value.text = text
            written.append(Draft(segment.id, *span, confidence_of(transcript.words), text))
    if written:
        mark(document.root, PHRASES, written, document.path)
    return len(written)
