"""Marks that distinguish earful's drafts in an ELAN file from a person's corrections.

A property in the document's header, which ELAN keeps, has the span, confidence and text of each drafted annotation by
its id. ELAN keeps ids when it saves. An unchanged draft is untouched; one whose text or span differs was corrected; one
that is missing was deleted. An annotation without a mark is a person's.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from lxml import etree
from lxml.etree import _Element as Element

from earful.data.eaf import Annotation, annotations
from earful.errors import ManifestError

PHRASES, WORDS = "earful drafts", "earful draft words"
"""The properties: for phrases and segments, which a person corrects, and for the words below them."""


class Draft(NamedTuple):
    """An annotation as earful wrote it."""

    id: str
    start_ms: int
    end_ms: int
    confidence: float
    text: str


class Reviewed(NamedTuple):
    """A draft and the current annotation; None if it was deleted."""

    draft: Draft
    now: Annotation | None

    @property
    def untouched(self) -> bool:
        """Whether nobody changed it."""
        if self.now is None:
            return False
        same = " ".join(self.now.text.split()) == " ".join(self.draft.text.split())
        return same and (self.now.start_ms, self.now.end_ms) == (self.draft.start_ms, self.draft.end_ms)


def untouched(root: Element, path: Path) -> frozenset[Draft]:
    """The drafts of a document (phrases and words) that nobody has touched; they are not a person's transcripts.

    Raises ManifestError as `drafts`.

    >>> {draft.id for draft in untouched(parse_eaf(path), path)}  # doctest: +SKIP
    {'a17', 'a21'}
    """
    found = (*reviewed(root, PHRASES, path), *reviewed(root, WORDS, path))
    return frozenset(each.draft for each in found if each.untouched)


def reviewed(root: Element, kind: str, path: Path) -> list[Reviewed]:
    """The drafts of a document, PHRASES or WORDS, with their current annotations. Raises ManifestError as `drafts`."""
    written = drafts(root, kind, path)
    now = {each.id: each for each in annotations(root)} if written else {}
    return [Reviewed(draft, now.get(draft.id)) for draft in written]


def drafts(root: Element, kind: str, path: Path) -> list[Draft]:
    """The drafts in the marks of a document. Raises ManifestError (it names `path`) if the marks are malformed."""
    marks = _property(root, kind)
    if marks is None:
        return []
    try:
        return [
            Draft(name, int(start), int(end), float(confidence), str(text))
            for name, (start, end, confidence, text) in json.loads(marks.text or "{}").items()
        ]
    except (ValueError, TypeError, AttributeError) as error:
        raise ManifestError(
            f"{path}:{marks.sourceline}: the property {kind!r} is not as earful wrote it ({error}); remove it, and "
            "every draft counts as corrected"
        ) from None


def mark(root: Element, kind: str, new: Iterable[Draft], path: Path) -> None:
    """Add marks to those of a document. Raises ManifestError as `drafts`."""
    rows = {each.id: each[1:] for each in (*drafts(root, kind, path), *new)}
    marks, header = _property(root, kind), root.find("HEADER")
    assert header is not None, "parse_eaf has seen one"
    if marks is None:
        marks = etree.SubElement(header, "PROPERTY", NAME=kind)
    marks.text = json.dumps(rows, ensure_ascii=False, separators=(",", ":"))


def _property(root: Element, name: str) -> Element | None:
    return next((each for each in root.iterfind("HEADER/PROPERTY") if each.get("NAME") == name), None)
