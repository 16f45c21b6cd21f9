"""ELAN's files, as written by pympi, which many corpora are made with; and as ELAN 6 writes what pympi does not."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earful.data.readers import elan
from earful.data.tiers import Annotated, Lost, Span
from earful.errors import ManifestError


def read(path: str | Path) -> Annotated:
    (file,) = elan.read(path)
    return file


HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<ANNOTATION_DOCUMENT AUTHOR="" DATE="2024-01-01T00:00:00+00:00" '
    'FORMAT="3.0" VERSION="3.0">\n'
)


def aligned(id: str, begin: str, end: str, text: str) -> str:
    return (
        f'<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="{id}" TIME_SLOT_REF1="{begin}" TIME_SLOT_REF2="{end}">'
        f"<ANNOTATION_VALUE>{text}</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>"
    )


def referring(id: str, to: str, text: str, after: str = "") -> str:
    follows = f' PREVIOUS_ANNOTATION="{after}"' if after else ""
    return (
        f'<ANNOTATION><REF_ANNOTATION ANNOTATION_ID="{id}" ANNOTATION_REF="{to}"{follows}>'
        f"<ANNOTATION_VALUE>{text}</ANNOTATION_VALUE></REF_ANNOTATION></ANNOTATION>"
    )


def tier(name: str, *annotations: str, kind: str = "utterance", more: str = "") -> str:
    return f'<TIER LINGUISTIC_TYPE_REF="{kind}" TIER_ID="{name}"{more}>{"".join(annotations)}</TIER>'


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Path]:
    """Write an .eaf of these tiers, with time slots t1 … t4 at 1 to 4 s and t9 without a time."""

    def write(*tiers: str, media: str = "", units: str = "milliseconds") -> Path:
        slots = "".join(f'<TIME_SLOT TIME_SLOT_ID="t{n}" TIME_VALUE="{n * 1000}"/>' for n in range(1, 5))
        order = f'<TIME_ORDER>{slots}<TIME_SLOT TIME_SLOT_ID="t9"/></TIME_ORDER>'
        header = f'<HEADER MEDIA_FILE="" TIME_UNITS="{units}">{media}</HEADER>'
        (tmp_path / "a.eaf").write_text(HEAD + header + order + "".join(tiers) + "</ANNOTATION_DOCUMENT>", "utf-8")
        return tmp_path / "a.eaf"

    return write


def spans(file: Annotated) -> dict[str, list[tuple[float, float, str]]]:
    return {tier.name: [tuple(span) for span in tier.spans] for tier in file.tiers}


def test_tiers_their_types_and_speakers(written: Callable[..., Path]) -> None:
    file = read(written(tier("A", aligned("a1", "t1", "t2", "halló"), more=' PARTICIPANT="Anna"'), tier("n", kind="x")))
    first, second = file.tiers
    assert (first.name, first.kind, first.speaker, first.aligned) == ("A", "utterance", "Anna", True)
    assert first.spans == (Span(1.0, 2.0, "halló"),)
    assert (second.name, second.kind, second.speaker, second.spans) == ("n", "x", None, ())


def test_references_have_the_span_of_what_they_refer_to(written: Callable[..., Path]) -> None:
    file = read(
        written(
            tier("gloss", referring("a5", "a3", "good"), referring("a6", "a4", "day")),  # before what it refers to
            tier("u", aligned("a1", "t1", "t3", "góðan dag"), aligned("a2", "t3", "t4", "já")),
            # in another order than they are said
            tier("words", referring("a4", "a1", "dag", after="a3"), referring("a3", "a1", "góðan")),
        )
    )
    assert spans(file)["words"] == [(1.0, 3.0, "góðan dag")]
    assert spans(file)["gloss"] == [(1.0, 3.0, "good day")]
    assert [each.aligned for each in file.tiers] == [False, True, False]


def test_what_has_no_place_in_time_is_lost_by_name(written: Callable[..., Path]) -> None:
    file = read(
        written(
            tier("u", aligned("a1", "t1", "t9", "no end"), aligned("a2", "t1", "t7", "no slot")),
            tier("w", referring("a3", "nowhere", "dangling"), referring("a4", "a5", "x"), referring("a5", "a4", "y")),
            tier("v", referring("a6", "a1", "untimed, too")),
        )
    )
    assert [each.spans for each in file.tiers] == [(), (), ()]
    assert file.tiers[0].lost == (Lost("untimed", "no end"), Lost("untimed", "no slot"))
    assert {lost.reason for lost in file.tiers[1].lost} == {"dangling"} and len(file.tiers[1].lost) == 3
    assert file.tiers[2].lost == (Lost("untimed", "untimed, too"),)


def test_annotations_that_follow_each_other_in_a_circle_are_all_read(written: Callable[..., Path]) -> None:
    words = [referring("a3", "a1", "x", after="a4"), referring("a4", "a1", "y", after="a3")]
    file = read(written(tier("u", aligned("a1", "t1", "t2", "xy")), tier("w", *words)))
    assert spans(file)["w"] == [(1.0, 2.0, "x y")]


def media(url: str, relative: str = "", kind: str = "audio/x-wav", more: str = "") -> str:
    link = f' RELATIVE_MEDIA_URL="{relative}"' if relative else ""
    return f'<MEDIA_DESCRIPTOR MEDIA_URL="{url}"{link} MIME_TYPE="{kind}"{more}/>'


def test_the_recording_is_found_by_the_link_and_by_the_name(written: Callable[..., Path], tmp_path: Path) -> None:
    sound, elsewhere = tmp_path / "sound", tmp_path / "far away"
    sound.mkdir(), elsewhere.mkdir()

    def found(*linked: str) -> Path:
        return read(written(media="".join(linked))).recording

    assert found() == tmp_path / "a.wav"  # which is not there
    (tmp_path / "a.mp3").touch()
    assert found() == tmp_path / "a.mp3"
    (tmp_path / "tape 1.wav").touch()
    assert found(media("file:///C:/Users/x/tape%201.wav")) == tmp_path / "tape 1.wav"  # another's computer
    (sound / "b.wav").touch()
    assert found(media("file:///C:/b.wav", "./sound/b.wav")) == tmp_path / "./sound/b.wav"
    assert found(media("file:///C:/x/sound", "./sound")) == tmp_path / "a.mp3"  # a folder is no recording
    (elsewhere / "c.wav").touch()
    assert found(media(f"file://{elsewhere}/c.wav".replace(" ", "%20"), "./sound/b.wav")) == elsewhere / "c.wav"
    (tmp_path / "film.mpg").touch()
    film = media("file:///film.mpg", "./film.mpg", "video/mpeg")
    assert found(film, media("file:///C:/b.wav", "./sound/b.wav")) == tmp_path / "./sound/b.wav"  # sound before video
    assert found(film) == tmp_path / "film.mpg"
    (tmp_path / "a.mp3").unlink()
    assert found(media("file:///C:/lost.wav")).name == "lost.wav"


def test_times_begin_where_the_media_says(written: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "b.wav").touch()
    linked = media("file:///C:/b.wav", more=' TIME_ORIGIN="1500"')
    assert read(written(media=linked)).origin_s == 1.5
    assert read(written()).origin_s == 0, "of the recording of its name"
    with pytest.raises(ManifestError, match=r"a\.eaf:\d+: TIME_ORIGIN is 'x', must be milliseconds"):
        read(written(media=linked.replace("1500", "x")))


def test_what_is_no_file_of_elan_is_one_line(written: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"a\.eaf: its times are in PAL-frames, expected milliseconds"):
        read(written(units="PAL-frames"))
    for old, new, message in (
        ("ANNOTATION_DOCUMENT", "Trans", "expected ELAN's <ANNOTATION_DOCUMENT>, got <Trans>"),
        ('TIME_VALUE="1000"', 'TIME_VALUE="1.5"', "the time slot t1 is '1.5', must be whole milliseconds"),
        ('TIER_ID="u"', "", "a <TIER> has no TIER_ID"),
        ('ANNOTATION_ID="a1"', "", "a <ALIGNABLE_ANNOTATION> has no ANNOTATION_ID"),
        ("</TIER>", "", r"not XML \(Opening and ending tag mismatch"),
    ):
        path = written(tier("u", aligned("a1", "t1", "t2", "x")))
        text = path.read_text("utf-8")
        assert old in text
        path.write_text(text.replace(old, new), "utf-8")
        with pytest.raises(ManifestError, match=rf"a\.eaf:\d+: {message}"):
            read(path)


TEXTS = st.text(st.characters(exclude_categories=("Cs", "Cc", "Cn")), min_size=1, max_size=20).map(str.strip)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3000), st.integers(1, 5000), TEXTS), min_size=1, max_size=8))
def test_what_pympi_writes_is_read_back(made: list[tuple[int, int, str]]) -> None:
    pympi = pytest.importorskip("pympi.Elan", exc_type=ImportError)
    eaf, at, expected = pympi.Eaf(author="x"), 0, []
    eaf.add_tier("said")
    for pause, length, text in made:
        eaf.add_annotation("said", at + pause, at + pause + length, text)
        expected.append(((at + pause) / 1000, (at + pause + length) / 1000, text))
        at += pause + length
    with tempfile.TemporaryDirectory() as folder:
        eaf.to_file(f"{folder}/a.eaf")
        file = read(f"{folder}/a.eaf")
    assert spans(file)["said"] == expected
