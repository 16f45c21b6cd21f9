"""Tiers of a transcript in an ELAN document, new or a person's own; nothing else in it changes.

Below the phrases are the words, a time subdivision: it has no gaps, so a word lasts until the next one of its phrase
begins. Below the words are their confidences, a symbolic association. All are marked as drafts (`data.drafts`).
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from lxml import etree
from lxml.etree import _Element as Element

from earful.data.drafts import PHRASES, WORDS, Draft, mark
from earful.transcript import Transcript, Word
from earful.writers.phrases import Phrase, by_speaker, in_milliseconds, milliseconds, phrases

CONSTRAINTS = {
    "Time_Subdivision": "Time subdivision of parent annotation's time interval, no time gaps allowed within this "
    "interval",
    "Symbolic_Subdivision": "Symbolic subdivision of a parent annotation. Annotations refering to the same parent are "
    "ordered",
    "Symbolic_Association": "1-1 association with a parent annotation",
    "Included_In": "Time alignable annotations within the parent annotation's time interval, gaps are allowed",
}
"""ELAN's stereotypes of dependent tiers, with its exact descriptions."""
ORDER = (
    "LICENSE",
    "HEADER",
    "TIME_ORDER",
    "TIER",
    "LINGUISTIC_TYPE",
    "LOCALE",
    "LANGUAGE",
    "CONSTRAINT",
    "CONTROLLED_VOCABULARY",
    "LEXICON_REF",
    "REF_LINK_SET",
    "EXTERNAL_REF",
)
"""The parts of a document in the order of the schema (EAFv3.0)."""
LAST_ID = "lastUsedAnnotationId"
TYPES: Mapping[str, Mapping[str, str]] = {
    "earful phrases": {"TIME_ALIGNABLE": "true"},
    "earful words": {"TIME_ALIGNABLE": "true", "CONSTRAINTS": "Time_Subdivision"},
    "earful confidences": {"TIME_ALIGNABLE": "false", "CONSTRAINTS": "Symbolic_Association"},
}
"""The linguistic types, from the top tier down; tiers are called like them."""


class Tiers(NamedTuple):
    """The three tiers of one speaker."""

    phrases: Element
    words: Element
    confidences: Element


def add_tiers(root: Element, transcript: Transcript, path: Path) -> tuple[str, ...]:
    """Add a transcript to a document, three tiers per speaker; returns the names of the tiers.

    Names and ids are new ones. Raises ManifestError if the marks of drafts in it (`path` names it) are malformed.
    """
    ids, types = Ids(root), [_type(root, name) for name in TYPES]
    spoken, said, names = list[Draft](), list[Draft](), list[str]()
    for speaker, words in (by_speaker(transcript.words) or {None: []}).items():
        tiers = _tiers(root, types, speaker)
        names += [tier.attrib["TIER_ID"] for tier in tiers]
        for phrase in phrases(in_milliseconds(words, transcript.duration_s)):
            own, below = _annotate(root, tiers, phrase, ids)
            spoken.append(own)
            said += below
    mark(root, PHRASES, spoken, path)
    mark(root, WORDS, said, path)
    ids.note(root)
    return tuple(names)


class Ids:
    """New ids for annotations (a17) and time slots (ts40), which share one space of names with all other ids."""

    def __init__(self, root: Element) -> None:
        self._taken = {value for each in root.iter(etree.Element) for key, value in each.items() if key.endswith("_ID")}
        self._last = {kind: _highest(self._taken, kind) for kind in ("a", "ts")}
        noted = root.findtext(f"HEADER/PROPERTY[@NAME='{LAST_ID}']", "")
        self._last["a"] = max(self._last["a"], int(noted) if noted.isdecimal() else 0)

    def new(self, kind: str) -> str:
        """The next id of a kind, "a" or "ts"."""
        self._last[kind] += 1
        return f"{kind}{self._last[kind]}"

    def note(self, root: Element) -> None:
        """Write the highest id of an annotation, from which ELAN continues."""
        header = root.find("HEADER")
        assert header is not None, "every document has one"
        noted = header.find(f"PROPERTY[@NAME='{LAST_ID}']")
        if noted is None:
            noted = append(header, "PROPERTY", {"NAME": LAST_ID})
        noted.text = str(self._last["a"])


def append(parent: Element, tag: str, attributes: Mapping[str, str], text: str | None = None) -> Element:
    """Append a child. White space around the others stays, and the new child gets that of its neighbour."""
    child = etree.Element(tag, dict(attributes))
    child.text = text
    before = next(parent.iterchildren(reversed=True), None)  # len() would count them all, each time
    child.tail = None if before is None else before.tail
    parent.append(child)
    return child


def _highest(taken: set[str], kind: str) -> int:
    return max((int(n) for each in taken if each.startswith(kind) and (n := each[len(kind) :]).isdecimal()), default=0)


def _in_place(root: Element, tag: str, attributes: Mapping[str, str]) -> Element:
    """A new part of the document, at its place in the schema's order."""
    before = [n for n, each in enumerate(root) if each.tag in ORDER and ORDER.index(str(each.tag)) <= ORDER.index(tag)]
    place = before[-1] + 1 if before else 0
    part = etree.Element(tag, dict(attributes))
    part.tail = root[place - 1].tail if place else root.text
    root.insert(place, part)
    return part


def _type(root: Element, name: str) -> str:
    """The name of a linguistic type; it is made if missing, with another name if a different type has that name."""
    wanted = {**TYPES[name], "GRAPHIC_REFERENCES": "false"}
    there = {each.get("LINGUISTIC_TYPE_ID", ""): dict(each.attrib) for each in root.iterfind("LINGUISTIC_TYPE")}
    for other in _names(name):
        if other not in there:
            _in_place(root, "LINGUISTIC_TYPE", {"LINGUISTIC_TYPE_ID": other, **wanted})
            constraint = wanted.get("CONSTRAINTS")
            if constraint and root.find(f"CONSTRAINT[@STEREOTYPE='{constraint}']") is None:
                _in_place(root, "CONSTRAINT", {"STEREOTYPE": constraint, "DESCRIPTION": CONSTRAINTS[constraint]})
            return other
        if {**there[other], "LINGUISTIC_TYPE_ID": other} == {**wanted, "LINGUISTIC_TYPE_ID": other}:
            return other
    raise AssertionError("there is always one more name")


def _names(name: str, of: str = "") -> Iterator[str]:
    """A name, and alternatives if it is taken: `earful words`, `earful words 2` …"""
    yield f"{name}{of}"
    number = 1
    while number := number + 1:
        yield f"{name} {number}{of}"


def _tiers(root: Element, types: list[str], speaker: str | None) -> Tiers:
    """The tiers of a speaker, each below the one before; the name follows an `@`, as is usual in ELAN."""
    there = {tier.get("TIER_ID") for tier in root.iterfind("TIER")}
    of = f"@{speaker}" if speaker else ""
    each = zip(*(_names(name, of) for name in TYPES), strict=True)
    names = next(trio for trio in each if there.isdisjoint(trio))
    made = list[Element]()
    for name, type_, above in zip(names, types, ("", *names), strict=False):
        about = {"LINGUISTIC_TYPE_REF": type_, "TIER_ID": name, "ANNOTATOR": "earful"}
        about |= {"PARENT_REF": above} if above else {}
        about |= {"PARTICIPANT": speaker} if speaker else {}
        made.append(_in_place(root, "TIER", about))
    return Tiers(*made)


def _annotate(root: Element, tiers: Tiers, phrase: Phrase, ids: Ids) -> tuple[Draft, list[Draft]]:
    """Write a phrase, its words and their confidences; returns the phrase as a draft, and the words."""
    times = [milliseconds(word.start_s) for word in phrase.words] + [milliseconds(phrase.words[-1].end_s)]
    slots = [_slot(root, ids.new("ts"), time) for time in times]
    own = _aligned(tiers.phrases, ids.new("a"), slots[0], slots[-1], phrase.text)
    said = list[Draft]()
    for place, word in enumerate(phrase.words):
        name = _aligned(tiers.words, ids.new("a"), slots[place], slots[place + 1], word.text)
        holder = append(tiers.confidences, "ANNOTATION", {})
        about = {"ANNOTATION_ID": ids.new("a"), "ANNOTATION_REF": name}
        append(append(holder, "REF_ANNOTATION", about), "ANNOTATION_VALUE", {}, f"{word.confidence:.2f}")
        said.append(Draft(name, times[place], times[place + 1], round(word.confidence, 3), word.text))
    return Draft(own, times[0], times[-1], confidence_of(phrase.words), phrase.text), said


def confidence_of(words: tuple[Word, ...]) -> float:
    """The mean confidence of words, as drafts are marked with it; 0 where nothing is said."""
    return round(sum(word.confidence for word in words) / len(words), 3) if words else 0.0


def _slot(root: Element, name: str, time: int) -> str:
    order = root.find("TIME_ORDER")
    assert order is not None, "every document has one"
    append(order, "TIME_SLOT", {"TIME_SLOT_ID": name, "TIME_VALUE": str(time)})
    return name


def _aligned(tier: Element, name: str, start: str, end: str, text: str) -> str:
    about = {"ANNOTATION_ID": name, "TIME_SLOT_REF1": start, "TIME_SLOT_REF2": end}
    annotation = append(append(tier, "ANNOTATION", {}), "ALIGNABLE_ANNOTATION", about)
    append(annotation, "ANNOTATION_VALUE", {}, text)
    return name
