"""Drafts that were corrected: how many, how far they were wrong; and which of the others come first."""

from pathlib import Path

import pytest
from lxml import etree

from earful.adapt.review import review
from earful.checkpoint import load_checkpoint
from earful.data.eaf import annotations, parse_eaf
from earful.errors import ManifestError
from earful.transcript import Transcript, Word
from earful.writers.formats import render
from earful.writers.into import add_transcript, open_document, save

TEXTS = ("abba", "cab", "acca", "baba")


@pytest.fixture
def talk(tmp_path: Path, tones) -> Path:
    """Four drafts of 1.2 s in a recording of tones."""
    import numpy as np

    from earful.audio.files import write

    said = [np.pad(tones(text), (0, 32_000))[:32_000] for text in TEXTS]
    write(tmp_path / "talk.wav", np.concatenate(said))
    words = tuple(Word(text, 2.0 * n, 2.0 * n + 1.2, 0.5) for n, text in enumerate(TEXTS))
    place = tmp_path / "talk.eaf"
    made = render(Transcript("", words, 0.5, 8.0), "eaf", str(tmp_path / "talk.wav"), place=place)
    place.write_text(made, "utf-8")
    return place


def correct(place: Path, texts: dict[str, str | None]) -> None:
    """Give phrases other texts; None deletes one."""
    root = parse_eaf(place)
    for each in [each for each in annotations(root) if each.tier == "earful phrases" and each.text in texts]:
        new = texts[each.text]
        holder = each.value.getparent().getparent()
        if new is None:
            holder.getparent().remove(holder)
        else:
            each.value.text = new
    place.write_bytes(etree.tostring(root))


def test_changes(talk: Path) -> None:
    correct(talk, {"abba": "abbabb", "cab": None})
    found = review(load_checkpoint("earful-tiny"), [talk], 5)
    (changes,) = found.changes
    assert (changes.drafts, changes.untouched, changes.corrected, changes.deleted) == (4, 2, 1, 1)
    assert changes.score is not None and changes.score.cer == 5 / 6, "two missing of six, three too many"
    assert found.suggested is not None and found.suggested.candidates + len(found.suggested.left_out) == 2
    assert {each.clip.text for each in found.suggested.suggestions} <= {"acca", "baba"}
    assert all(each.clip.extra["file"] == str(talk) for each in found.suggested.suggestions)


def test_the_order_is_that_of_suggest(talk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {}

    def suggest(checkpoint, clips, *, count, known, tell) -> None:
        asked.update(clips=[(c.text, c.start_s, c.duration_s) for c in clips], known=[c.text for c in known], n=count)

    monkeypatch.setattr("earful.adapt.review.suggest", suggest)
    correct(talk, {"abba": "ab"})
    root = parse_eaf(talk)
    root.find("HEADER/MEDIA_DESCRIPTOR").set("TIME_ORIGIN", "500")
    talk.write_bytes(etree.tostring(root))
    review(load_checkpoint("earful-tiny"), [talk], 3)
    assert asked == {"clips": [("cab", 2.5, 1.2), ("acca", 4.5, 1.2), ("baba", 6.5, 1.2)], "known": ["ab"], "n": 3}


def test_all_corrected(talk: Path) -> None:
    correct(talk, {text: text[::-1] + "c" for text in TEXTS})
    found = review(load_checkpoint("earful-tiny"), [talk], 3)
    assert found.suggested is None and found.changes[0].untouched == 0


def test_what_was_corrected_in_another_tier_is_not_asked_for_again(talk: Path) -> None:
    twice = open_document(talk)
    words = tuple(Word(text, 2.0 * n, 2.0 * n + 1.2, 0.5) for n, text in enumerate(TEXTS))
    add_transcript(twice, Transcript("", words, 0.5, 8.0))
    save(twice)
    correct(talk, {text: f"{text}a" for text in TEXTS})
    found = review(load_checkpoint("earful-tiny"), [talk], 5)
    assert found.suggested is None and found.changes[0].untouched == 4, "of the second tier"


def test_a_file_without_drafts(talk: Path) -> None:
    root = parse_eaf(talk)
    for each in root.findall("HEADER/PROPERTY"):
        each.getparent().remove(each)
    talk.write_bytes(etree.tostring(root))
    with pytest.raises(ManifestError, match=r"talk.eaf: no drafts of earful in it; `earful transcribe"):
        review(load_checkpoint("earful-tiny"), [talk], 3)


def test_a_broken_file_among_others_is_named_and_alone_it_is_an_error(talk: Path) -> None:
    broken = talk.with_name("broken.eaf")
    broken.write_text("<ANNOTATION_DOCUMENT>\n<", "utf-8")
    paths = [broken, talk]
    with pytest.raises(ManifestError, match=r"broken\.eaf:2: not XML"):
        review(load_checkpoint("earful-tiny"), paths, 3, among=[talk])
    found = review(load_checkpoint("earful-tiny"), paths, 3, among=paths)
    assert [each.path for each in found.changes] == [talk]
    assert [each.where for each in found.broken] == [f"{broken}:2"] and "not XML" in found.broken[0].message
    with pytest.raises(ManifestError, match=r"no drafts of earful in it; .*broken\.eaf:2: left out: not XML"):
        review(load_checkpoint("earful-tiny"), [broken], 3, among=[broken])


def test_drafts_that_are_too_short_do_not_hide_what_was_corrected(talk: Path) -> None:
    root = parse_eaf(talk)
    for slot in root.iterfind("TIME_ORDER/TIME_SLOT"):
        number, within_ms = divmod(int(slot.get("TIME_VALUE")), 2000)
        slot.set("TIME_VALUE", str(number * 2000 + min(within_ms, 800)))
    text = etree.tostring(root, encoding="unicode")
    for start_ms in (0, 2000, 4000, 6000):
        text = text.replace(f"[{start_ms},{start_ms + 1200},", f"[{start_ms},{start_ms + 800},")
    talk.write_text(text, "utf-8")
    correct(talk, {"abba": "abbabb"})
    found = review(load_checkpoint("earful-tiny"), [talk], 5)
    assert found.suggested is None and found.changes[0].corrected == 1 and found.changes[0].untouched == 3
    assert "none of the 3 clips can be suggested: 3 shorter than 1 s" in found.why_none
