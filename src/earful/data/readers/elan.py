"""ELAN's annotations, `.eaf`, of the formats 2.x and 3.x.

Format: Max Planck Institute for Psycholinguistics, "EAF – ELAN Annotation Format", schemas 2.7, 2.8 and 3.0.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from lxml.etree import _Element as Element

from earful.data.drafts import untouched
from earful.data.eaf import linked_by, parse_eaf
from earful.data.tiers import Annotated, Lost, Span, Tier
from earful.errors import ManifestError


class _Annotation(NamedTuple):
    """An annotation: its own time slots, or what it refers to and what it follows there."""

    text: str
    slots: tuple[str, str] | None
    refers_to: str | None = None
    follows: str | None = None


_Tier = dict[str, _Annotation]
_Slots = dict[str, float | None]


def read(path: str | Path) -> tuple[Annotated, ...]:
    """Read an `.eaf` file.

    An annotation that refers to another has its span, through chains; several that share a span are one, in their
    order. A draft of earful's that nobody touched is no transcript, and lost. The recording is the one that the file
    links, where it says or beside the file, sound before video; or else the one of the file's name. Raises
    ManifestError for what is no such file.
    """
    path = Path(path)
    root = parse_eaf(path, as_it_is=False)
    units = root.find("HEADER").get("TIME_UNITS", "milliseconds")
    if units != "milliseconds":
        raise ManifestError(f"{path}: its times are in {units}, expected milliseconds; save it with a newer ELAN")
    recording, origin_ms = linked_by(root, path)
    slots = dict(_slots(path, root))
    owned = [(_need(path, each, "TIER_ID"), each, _annotations(path, each)) for each in root.iterfind("TIER")]
    everything = {id: annotation for _, _, own in owned for id, annotation in own.items()}
    drafts = frozenset(each.id for each in untouched(root, path))
    tiers = tuple(_tier(name, each, own, everything, slots, drafts) for name, each, own in owned)
    return (Annotated(path, recording, tiers, origin_ms / 1000),)


def _need(path: Path, element: Element, name: str) -> str:
    value: str | None = element.get(name)
    if value is None:
        line = element.sourceline
        raise ManifestError(f"{path}:{line}: a <{element.tag}> has no {name}; open the file in ELAN and save it again")
    return value


def _slots(path: Path, root: Element) -> Iterator[tuple[str, float | None]]:
    for slot in root.iterfind("TIME_ORDER/TIME_SLOT"):
        name, value = _need(path, slot, "TIME_SLOT_ID"), slot.get("TIME_VALUE")
        try:
            yield name, None if value is None else int(value) / 1000
        except ValueError:
            raise ManifestError(
                f"{path}:{slot.sourceline}: the time slot {name} is {value!r}, must be whole milliseconds; correct it"
            ) from None


def _annotations(path: Path, tier: Element) -> _Tier:
    found: _Tier = {}
    for each in (inner for outer in tier.iterfind("ANNOTATION") for inner in outer):
        text, name = each.findtext("ANNOTATION_VALUE", ""), _need(path, each, "ANNOTATION_ID")
        if each.tag == "ALIGNABLE_ANNOTATION":
            slots = (_need(path, each, "TIME_SLOT_REF1"), _need(path, each, "TIME_SLOT_REF2"))
            found[name] = _Annotation(text, slots)
        elif each.tag == "REF_ANNOTATION":
            refers_to, follows = _need(path, each, "ANNOTATION_REF"), each.get("PREVIOUS_ANNOTATION")
            found[name] = _Annotation(text, None, refers_to, follows)
    return found


def _tier(name: str, element: Element, own: _Tier, everything: _Tier, slots: _Slots, drafts: frozenset[str]) -> Tier:
    spans: dict[tuple[float, float, str], list[str]] = {}
    lost = []
    for id in _ordered(own):
        root = _root(id, everything)
        times = None if root is None else _times(everything[root], slots)
        if id in drafts:
            lost.append(Lost("draft", own[id].text))
        elif root is None or times is None:
            lost.append(Lost("dangling" if root is None else "untimed", own[id].text))
        else:
            spans.setdefault((*times, root), []).append(own[id].text.strip())
    return Tier(
        name=name,
        spans=tuple(
            Span(start_s, end_s, " ".join(filter(None, texts))) for (start_s, end_s, _), texts in spans.items()
        ),
        kind=element.get("LINGUISTIC_TYPE_REF") or None,
        speaker=element.get("PARTICIPANT", "").strip() or None,
        aligned=all(each.slots for each in own.values()),
        lost=tuple(lost),
    )


def _root(name: str, everything: _Tier) -> str | None:
    """The annotation with time slots that one refers to at the end; None where it refers to nothing, or to itself."""
    seen: set[str] = set()
    while name in everything and name not in seen:
        seen.add(name)
        if everything[name].slots:
            return name
        name = everything[name].refers_to or ""
    return None


def _times(annotation: _Annotation, slots: _Slots) -> tuple[float, float] | None:
    begin, end = (slots.get(slot) for slot in annotation.slots or ("", ""))
    return None if begin is None or end is None else (begin, end)


def _ordered(own: _Tier) -> Iterator[str]:
    """The annotations, each behind the one that it follows, whatever their order in the file."""
    after = {each.follows: name for name, each in own.items() if each.follows in own}
    given: set[str] = set()
    firsts = [name for name, each in own.items() if each.follows not in own]
    for first in (*firsts, *own):  # what follows itself, in a circle, comes last
        name: str | None = first
        while name is not None and name not in given:
            given.add(name)
            yield name
            name = after.get(name)
