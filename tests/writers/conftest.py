"""A transcript of two speakers, and the rules of ELAN's schema (EAFv3.0) and of its tiers, one by one."""

import itertools
from collections.abc import Callable, Iterator

import pytest
from lxml import etree
from lxml.etree import _Element as Element

from earful.transcript import Transcript, Word, together
from earful.writers.eaf_tiers import ORDER

IDS = ("ANNOTATION_ID", "TIME_SLOT_ID")
UNDER = ("TIME_SLOT_REF1", "TIME_SLOT_REF2")


@pytest.fixture
def talk() -> Transcript:
    """Two speakers; a word of no length, words that would overlap when rounded, a pause, and odd characters."""
    first = [
        Word("how", 0.1, 0.3004, 0.8),
        Word('a<&"', 0.3, 0.3, 0.25),
        Word("fine", 0.3004, 0.7, 0.875),
        Word("day", 2.0, 2.4, 0.5),
    ]
    second = [Word("þú", 1.0, 1.5, 0.6)]
    return together({
        "speaker 1": Transcript("", tuple(first), 0.8, 3.0),
        "speaker 2": Transcript("", tuple(second), 0.6, 3.0),
    })  # fmt: skip


@pytest.fixture
def check_eaf() -> Callable[[Element], None]:
    """`check_eaf(root)` fails where a document breaks a rule."""
    return check


def check(root: Element) -> None:
    parts = [each.tag for each in root if isinstance(each.tag, str)]
    assert parts == sorted(parts, key=ORDER.index) and {"HEADER", "TIME_ORDER", "TIER"} <= set(parts)
    assert {"DATE", "AUTHOR", "VERSION"} <= set(root.keys()) and root.find("HEADER").get("TIME_UNITS") == "milliseconds"
    ids = [each.get(key) for each in root.iter(etree.Element) for key in IDS if each.get(key)]
    assert len(ids) == len(set(ids))
    highest = max((int(name[1:]) for name in ids if name[0] == "a" and name[1:].isdigit()), default=0)
    assert int(root.findtext("HEADER/PROPERTY[@NAME='lastUsedAnnotationId']")) >= highest
    types = {each.get("LINGUISTIC_TYPE_ID"): each for each in root.iterfind("LINGUISTIC_TYPE")}
    constraints = {each.get("STEREOTYPE") for each in root.iterfind("CONSTRAINT")}
    tiers = {each.get("TIER_ID"): each for each in root.iterfind("TIER")}
    assert len(tiers) == len(root.findall("TIER"))
    for tier in tiers.values():
        constraint = types[tier.get("LINGUISTIC_TYPE_REF")].get("CONSTRAINTS")
        assert (constraint in constraints) if tier.get("PARENT_REF") else constraint is None
        check_tier(root, tier, tiers.get(tier.get("PARENT_REF")), constraint)


def check_tier(root: Element, tier: Element, parent: Element | None, constraint: str | None) -> None:
    own = list(tier.iterfind("ANNOTATION/*"))
    assert all(each.find("ANNOTATION_VALUE") is not None for each in own)
    above = {each.get("ANNOTATION_ID") for each in parent.iterfind("ANNOTATION/*")} if parent is not None else set()
    if constraint in ("Symbolic_Association", "Symbolic_Subdivision"):
        refers = [each.get("ANNOTATION_REF") for each in own]
        assert {each.tag for each in own} <= {"REF_ANNOTATION"} and set(refers) <= above
        assert constraint != "Symbolic_Association" or len(refers) == len(set(refers))
        return
    assert {each.tag for each in own} <= {"ALIGNABLE_ANNOTATION"}
    spans = list(times(root, tier))
    assert all(start < end for start, end in spans), "an annotation lasts at least 1 ms"
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(spans)), "none overlap"
    if constraint == "Time_Subdivision" and own:
        slots = [tuple(each.get(key) for key in UNDER) for each in own]
        for parent_slots in (tuple(each.get(key) for key in UNDER) for each in parent.iterfind("ANNOTATION/*")):
            begin = next((n for n, pair in enumerate(slots) if pair[0] == parent_slots[0]), None)
            if begin is not None:
                end = next(n for n, pair in enumerate(slots) if pair[1] == parent_slots[1])
                inside = slots[begin : end + 1]
                assert all(a[1] == b[0] for a, b in itertools.pairwise(inside)), "no gaps"


def times(root: Element, tier: Element) -> Iterator[tuple[int, int]]:
    slots = {each.get("TIME_SLOT_ID"): each.get("TIME_VALUE") for each in root.iterfind("TIME_ORDER/TIME_SLOT")}
    pairs = ([slots[each.get(key)] for key in UNDER] for each in tier.iterfind("ANNOTATION/ALIGNABLE_ANNOTATION"))
    yield from sorted((int(start), int(end)) for start, end in pairs if start and end)
