"""A person's own document of ELAN's: its recording, its empty segments, and saving it with nothing else changed."""

import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from urllib.parse import unquote

from lxml import etree
from lxml.etree import _Element as Element

from earful.data.drafts import PHRASES, Draft, mark
from earful.data.eaf import Annotation, annotations, parse_eaf
from earful.data.readers.sound import is_sound
from earful.errors import ManifestError
from earful.recognizer import Transcript
from earful.writers.eaf_tiers import add_tiers, confidence_of
from earful.writing import replacing


class Document(NamedTuple):
    """A document that is open: its place, what the file held when it was read, and the tree, which is changed."""

    path: Path
    content: bytes
    root: Element


class Recording(NamedTuple):
    """The recording of a document; its time `origin_ms` is the document's time 0 (ELAN's offset of a medium)."""

    audio: Path
    origin_ms: int = 0


def open_document(path: Path) -> Document:
    """Read a document. Raises ManifestError as `parse_eaf`; OSError."""
    content = path.read_bytes()
    return Document(path, content, parse_eaf(path, content))


def save(document: Document) -> None:
    """Write a document back, whole or not at all; comments and parts that earful does not know are as they were.

    Raises ManifestError, and leaves the file as it is, where another program has saved it since it was read; OSError.
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


def recording_of(document: Document, given: Path | None = None) -> Recording:
    """The recording that a document links: relative to it, absolute, or beside it; or `given`, with the offset it has.

    Raises ManifestError where none of the links leads to a sound file.
    """
    links = list(document.root.iterfind("HEADER/MEDIA_DESCRIPTOR"))
    if given is not None:
        own = (link for link in links if given.name in {place.name for place in _places(link, document.path)})
        return Recording(given, _origin_ms(next(own, None), document.path))
    for link in links:
        found = next((p for p in _places(link, document.path) if is_sound(p) and p.is_file()), None)
        if found is not None:
            return Recording(found, _origin_ms(link, document.path))
    named = ", ".join(link.get("MEDIA_URL", "") for link in links)
    there = f"no sound file is where it links ({named}) or beside it" if links else "it links no recording"
    raise ManifestError(f"{document.path}: {there}; name the recording: earful transcribe MODEL RECORDING --into …")


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


def add_transcript(document: Document, transcript: Transcript, origin_ms: int = 0) -> tuple[tuple[str, ...], int]:
    """Add a transcript as tiers of its own; answers their names, and how many words lie before the document's time 0.

    These have no place in it. Raises ManifestError as `add_tiers`.
    """
    origin_s = origin_ms / 1000
    within = [word for word in transcript.words if word.end_s > origin_s]
    words = [replace(w, start_s=max(w.start_s - origin_s, 0.0), end_s=w.end_s - origin_s) for w in within]
    moved = replace(transcript, words=tuple(words), duration_s=max(transcript.duration_s - origin_s, 0.0))
    return add_tiers(document.root, moved, document.path), len(transcript.words) - len(within)


def segments(document: Document, tier: str) -> tuple[list[Annotation], int]:
    """The annotations of a tier that have no text; and how many of these have no times, and so cannot be filled.

    Raises ManifestError: there is no such tier; its texts come from a controlled vocabulary; several of its annotations
    share one span, and nobody knows which has which part of it.
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
    """Start and end in milliseconds, where both are known and something lies between them."""
    start_ms, end_ms = annotation.start_ms, annotation.end_ms
    return (start_ms, end_ms) if start_ms is not None and end_ms is not None and start_ms < end_ms else None


def fill(document: Document, said: Sequence[tuple[Annotation, Transcript]]) -> int:
    """Write transcripts into empty annotations, and mark them as drafts; answers how many say something.

    One in which nothing is said stays as it is. Raises ManifestError as `mark`.
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
