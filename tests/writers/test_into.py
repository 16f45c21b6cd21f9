"""A person's own document: what earful adds is there, and all else is as it was, to the last comment."""

from collections.abc import Callable
from pathlib import Path

import pytest
from lxml import etree

from earful.data.eaf import annotations, recording_of
from earful.errors import ManifestError
from earful.transcript import Transcript, Word
from earful.writers.into import Document, add_transcript, fill, open_document, save, segments

EVERYTHING = (Path(__file__).parent / "everything.eaf").read_bytes()
SAID = Transcript("say", (Word("say", 0.5, 0.7, 0.75),), 0.75, 2.0)


@pytest.fixture
def document(tmp_path: Path) -> Document:
    (tmp_path / "talk.eaf").write_bytes(EVERYTHING)
    return open_document(tmp_path / "talk.eaf")


def reread(document: Document) -> etree._Element:
    return open_document(document.path).root


def canonical(root: etree._Element) -> bytes:
    return etree.tostring(root.getroottree(), method="c14n", with_comments=True)


def without_ours(root: etree._Element) -> bytes:
    """The document, canonical, without what earful adds; the last id as it was."""
    ours = [tier for tier in root.iterfind("TIER") if tier.get("ANNOTATOR") == "earful"]
    slots = {each.get(key) for tier in ours for each in tier.iter() for key in ("TIME_SLOT_REF1", "TIME_SLOT_REF2")}
    ours += [slot for slot in root.iterfind("TIME_ORDER/TIME_SLOT") if slot.get("TIME_SLOT_ID") in slots]
    ours += [each for each in root.iterfind("HEADER/PROPERTY") if each.get("NAME", "").startswith("earful draft")]
    types = {tier.get("LINGUISTIC_TYPE_REF") for tier in root.iterfind("TIER") if tier.get("ANNOTATOR") == "earful"}
    ours += [each for each in root.iterfind("LINGUISTIC_TYPE") if each.get("LINGUISTIC_TYPE_ID") in types]
    for each in ours:
        each.getparent().remove(each)
    root.find("HEADER/PROPERTY[@NAME='lastUsedAnnotationId']").text = "7"
    return canonical(root)


def test_all_else_is_as_it_was(
    document: Document, talk: Transcript, check_eaf: Callable[[etree._Element], None]
) -> None:
    before = canonical(etree.fromstring(EVERYTHING))
    names, dropped = add_transcript(document, talk)
    save(document)
    root = reread(document)
    assert dropped == 0 and len(names) == 6
    assert sum(tier.get("ANNOTATOR") == "earful" for tier in root.iterfind("TIER")) == 6
    own = [each for each in root.iterfind("TIER") if each.get("TIER_ID") in ("parts",)]
    for tier in own:  # its subdivision has no times, which the rules below do not judge
        root.remove(tier)
    check_eaf(root)
    assert without_ours(reread(document)) == before


def test_twice_makes_other_tiers(document: Document, check_eaf: Callable[[etree._Element], None]) -> None:
    before = canonical(etree.fromstring(EVERYTHING))
    first, _ = add_transcript(document, SAID)
    save(document)
    again = open_document(document.path)
    second, _ = add_transcript(again, SAID)
    save(again)
    assert first == ("earful phrases 2", "earful words 2", "earful confidences 2"), "words was there"
    assert second == ("earful phrases 3", "earful words 3", "earful confidences 3")
    types = [each.get("LINGUISTIC_TYPE_ID") for each in reread(document).iterfind("LINGUISTIC_TYPE")]
    assert types[-3:] == ["earful phrases", "earful words 2", "earful confidences"], "another of that name was there"
    assert without_ours(reread(document)) == before


def test_new_ids_never_meet_old_ones(document: Document) -> None:
    add_transcript(document, SAID)
    found = {each.id for each in annotations(document.root)}
    assert {"a22", "ann5", "a23", "a24", "a25"} <= found
    assert document.root.findtext("HEADER/PROPERTY[@NAME='lastUsedAnnotationId']") == "25"


def test_the_last_id_that_elan_used_is_not_used_again(document: Document) -> None:
    document.root.find("HEADER/PROPERTY[@NAME='lastUsedAnnotationId']").text = "40"
    add_transcript(document, SAID)
    assert {"a41", "a42", "a43"} <= {each.id for each in annotations(document.root)}


def test_a_document_that_begins_later_than_its_recording(document: Document) -> None:
    words = (Word("before", 0.1, 0.4, 0.5), Word("on", 0.9, 1.2, 0.5), Word("it", 1.5, 1.7, 0.5))
    names, dropped = add_transcript(document, Transcript("", words, 0.5, 2.0), 1000)
    found = [(each.start_ms, each.end_ms, each.text) for each in annotations(document.root) if each.tier == names[1]]
    assert dropped == 1 and found == [(0, 500, "on"), (500, 700, "it")]


def test_the_recording_that_is_linked(document: Document, tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"no sound file is where it links .*film.mp4.*name the recording"):
        recording_of(document.root, document.path)
    (tmp_path / "a talk.wav").touch()
    assert recording_of(document.root, document.path).audio == tmp_path / "a talk.wav", "beside the document"
    (tmp_path / "sound").mkdir()
    (tmp_path / "sound" / "a talk.wav").touch()
    assert recording_of(document.root, document.path).audio == tmp_path / "sound" / "a talk.wav", (
        "its relative link, with an escape"
    )
    link = document.root.findall("HEADER/MEDIA_DESCRIPTOR")[1]
    link.set("TIME_ORIGIN", "1500")
    link.set("MEDIA_URL", f"file://{(tmp_path / 'b.wav').as_posix()}")
    link.set("RELATIVE_MEDIA_URL", "")
    (tmp_path / "b.wav").touch()
    assert recording_of(document.root, document.path) == (tmp_path / "b.wav", 1500), "its absolute link"
    assert recording_of(document.root, document.path, Path("elsewhere") / "b.wav") == (
        Path("elsewhere") / "b.wav",
        1500,
    )
    assert recording_of(document.root, document.path, Path("other.wav")).origin_ms == 0
    link.set("MEDIA_URL", "file:///gone/b%20c.wav")
    assert recording_of(document.root, document.path, Path("b c.wav")).origin_ms == 1500, "its name has an escape"
    link.set("MEDIA_URL", f"file://{(tmp_path / 'b.wav').as_posix()}")
    link.set("TIME_ORIGIN", "soon")
    with pytest.raises(ManifestError, match=r"talk.eaf:\d+: TIME_ORIGIN is 'soon'"):
        recording_of(document.root, document.path)


def test_empty_segments_are_filled_and_nothing_else(document: Document) -> None:
    before = canonical(etree.fromstring(EVERYTHING))
    empty, timeless = segments(document, "said")
    assert ([each.id for each in empty], timeless) == (["a2"], 0)
    assert fill(document, [(empty[0], SAID)]) == 1
    save(document)
    root = reread(document)
    value = root.find(".//*[@ANNOTATION_ID='a2']/ANNOTATION_VALUE")
    assert value.text == "say"
    value.text = None
    assert without_ours(root) == before


def test_a_segment_in_which_nothing_is_said_stays_as_it_is(document: Document) -> None:
    before = canonical(etree.fromstring(EVERYTHING))
    empty, _ = segments(document, "notes")
    assert [(each.id, each.start_ms, each.end_ms) for each in empty] == [("a8", 1300, 1900)], "by what it hangs on"
    assert fill(document, [(empty[0], Transcript("", (), 0.0, 1.0))]) == 0 and canonical(document.root) == before


def test_tiers_that_cannot_be_filled(document: Document) -> None:
    assert segments(document, "parts") == ([], 1), "no time is known of it"
    with pytest.raises(ManifestError, match="no tier 'sayd'; did you mean 'said'"):
        segments(document, "sayd")
    with pytest.raises(ManifestError, match=r"talk.eaf:\d+: tier 'translation' takes its texts from a controlled"):
        segments(document, "translation")
    with pytest.raises(ManifestError, match="'morphemes' is a symbolic subdivision"):
        segments(document, "morphemes")


def test_what_another_program_has_saved_meanwhile_stays(document: Document, tmp_path: Path) -> None:
    add_transcript(document, SAID)
    other = EVERYTHING.replace(b"two   words", b"corrected")
    document.path.write_bytes(other)
    with pytest.raises(ManifestError, match="another program has saved it meanwhile"):
        save(document)
    assert document.path.read_bytes() == other and list(tmp_path.iterdir()) == [document.path]


def test_a_link_stays_a_link(document: Document, tmp_path: Path) -> None:
    (tmp_path / "link.eaf").symlink_to(document.path)
    document.path.chmod(0o640)
    opened = open_document(tmp_path / "link.eaf")
    add_transcript(opened, SAID)
    save(opened)
    assert (tmp_path / "link.eaf").is_symlink() and b"earful" in document.path.read_bytes()
    assert document.path.stat().st_mode & 0o777 == 0o640
