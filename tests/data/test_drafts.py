"""Drafts that nobody touched are told from those that a person corrected, moved, deleted, and from his own."""

from collections.abc import Callable
from pathlib import Path

import pytest
from lxml import etree
from lxml.etree import _Element as Element

from earful.data.drafts import PHRASES, Draft, reviewed, untouched
from earful.data.eaf import parse_eaf
from earful.data.readers.elan import read
from earful.data.tiers import Choice, take
from earful.errors import ManifestError
from earful.transcript import Transcript, Word
from earful.writers.formats import render

WORDS = tuple(Word(text, start, start + 0.4, 0.5) for text, start in (("one", 0.0), ("two", 2.0), ("three", 4.0)))


@pytest.fixture
def talk(tmp_path: Path) -> Path:
    place = tmp_path / "talk.eaf"
    place.write_text(render(Transcript("one two three", WORDS, 0.5, 5.0), "eaf", "talk.wav", place=place), "utf-8")
    return place


def drafts_in(path: Path) -> frozenset[Draft]:
    return untouched(parse_eaf(path), path)


def edited(place: Path, edit: Callable[[Element], None]) -> set[str]:
    """The texts of untouched phrases and words after an edit."""
    root = parse_eaf(place)
    edit(root)
    place.write_bytes(etree.tostring(root))
    return {f"{'word' if each.id in words_of(root) else 'phrase'} {each.text}" for each in untouched(root, place)}


def words_of(root: Element) -> set[str]:
    return {each.get("ANNOTATION_ID") for each in root.iterfind("TIER[@TIER_ID='earful words']/ANNOTATION/*")}


def phrase(root: Element, number: int) -> Element:
    return root.findall("TIER[@TIER_ID='earful phrases']/ANNOTATION/*")[number]


ALL = {f"{kind} {word.text}" for kind in ("phrase", "word") for word in WORDS}


def test_all_are_untouched_at_first(talk: Path) -> None:
    assert edited(talk, lambda root: None) == ALL


def test_white_space_is_no_correction(talk: Path) -> None:
    def edit(root: Element) -> None:
        phrase(root, 0).find("ANNOTATION_VALUE").text = " one\n"

    assert edited(talk, edit) == ALL


def test_a_text_edited(talk: Path) -> None:
    def edit(root: Element) -> None:
        phrase(root, 1).find("ANNOTATION_VALUE").text = "too"

    assert edited(talk, edit) == ALL - {"phrase two"}
    (second,) = [each for each in reviewed(parse_eaf(talk), PHRASES, talk) if not each.untouched]
    assert second.draft.text == "two" and second.now is not None and second.now.text == "too"


def test_a_span_moved(talk: Path) -> None:
    def edit(root: Element) -> None:
        slot = phrase(root, 2).get("TIME_SLOT_REF2")
        root.find(f"TIME_ORDER/TIME_SLOT[@TIME_SLOT_ID='{slot}']").set("TIME_VALUE", "4444")

    assert edited(talk, edit) == ALL - {"phrase three", "word three"}, "the word ends where the phrase does"


def test_time_slots_get_other_names_when_elan_saves(talk: Path) -> None:
    def edit(root: Element) -> None:
        for each in root.iter(etree.Element):
            for key in ("TIME_SLOT_ID", "TIME_SLOT_REF1", "TIME_SLOT_REF2"):
                if key in each.attrib:
                    each.set(key, f"ts9{each.get(key)[2:]}")

    assert edited(talk, edit) == ALL


def test_an_annotation_deleted_and_one_added_by_hand(talk: Path) -> None:
    def edit(root: Element) -> None:
        old = phrase(root, 0).getparent()
        tier = old.getparent()
        tier.remove(old)
        slots = {key: phrase(root, 1).get(key) for key in ("TIME_SLOT_REF1", "TIME_SLOT_REF2")}
        new = etree.SubElement(etree.SubElement(tier, "ANNOTATION"), "ALIGNABLE_ANNOTATION", slots, ANNOTATION_ID="a99")
        etree.SubElement(new, "ANNOTATION_VALUE").text = "two"

    assert edited(talk, edit) == ALL - {"phrase one"} and "a99" not in {each.id for each in drafts_in(talk)}


def test_marks_that_earful_did_not_write(talk: Path) -> None:
    root = parse_eaf(talk)
    root.find(f"HEADER/PROPERTY[@NAME='{PHRASES}']").text = '{"a1": 5}'
    talk.write_bytes(etree.tostring(root))
    with pytest.raises(ManifestError, match=r"talk.eaf:\d+: the property 'earful drafts' is not as earful wrote it"):
        drafts_in(talk)


def test_a_file_without_marks(talk: Path) -> None:
    root = parse_eaf(talk)
    for each in root.findall("HEADER/PROPERTY"):
        each.getparent().remove(each)
    talk.write_bytes(etree.tostring(root))
    assert drafts_in(talk) == frozenset()


def test_readers_of_clips_take_what_was_corrected_alone(talk: Path) -> None:
    """Who adapts again must not learn what the recogniser guessed itself."""

    def edit(root: Element) -> None:
        phrase(root, 1).find("ANNOTATION_VALUE").text = "too"

    edited(talk, edit)
    (file,) = read(talk)
    phrases = next(tier for tier in file.tiers if tier.name == "earful phrases")
    assert [span.text for span in phrases.spans] == ["too"]
    assert [(lost.reason, lost.text) for lost in phrases.lost] == [("draft", "one"), ("draft", "three")]


def test_a_file_of_nothing_but_drafts_says_so(talk: Path) -> None:
    (message,) = (each.message for each in take(read(talk), Choice())[1])
    assert message == "all its texts are drafts that nobody touched, 6 annotations"
