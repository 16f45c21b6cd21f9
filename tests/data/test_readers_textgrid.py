"""Praat's TextGrids. Those in textgrids/ were written by Praat 6.1.38 itself, in every form that it has."""

import math
import struct
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earful.data.readers import textgrid
from earful.data.tiers import Annotated
from earful.errors import ManifestError


def read(path: str | Path) -> Annotated:
    (file,) = textgrid.read(path)
    return file


FOLDER = Path(__file__).parent / "textgrids"
WORDS = [(0.0, 1.25, 'góðan "dag"'), (1.25, 2.5, ""), (2.5, 4.5, "bless þá")]
NOTES = [(0.0, 3.0, 'a "quoted" note'), (3.0, 4.5, "")]


@pytest.mark.parametrize("name", ["long-utf8", "short-utf8", "long-utf16", "short-utf16", "long-latin1", "binary"])
def test_every_form_that_praat_writes(name: str) -> None:
    file = read(FOLDER / f"{name}.TextGrid")
    assert [(tier.name, list(tier.spans)) for tier in file.tiers] == [("words", WORDS), ("notes", NOTES), ("marks", [])]
    assert file.recording == FOLDER / f"{name}.wav"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16-le", "utf-16-be"])
def test_marks_of_the_byte_order_that_others_write(tmp_path: Path, encoding: str) -> None:
    text = (FOLDER / "short-utf8.TextGrid").read_text("utf-8").replace("\n", "\r\n")
    mark = "" if encoding == "utf-8-sig" else "\ufeff"
    (tmp_path / "a.TextGrid").write_bytes((mark + text).encode(encoding))
    assert list(read(tmp_path / "a.TextGrid").tiers[0].spans) == WORDS


def test_words_of_the_form_inside_texts_are_texts(tmp_path: Path) -> None:
    said = 'item [9]: xmin = 7\nintervals: size = 2 ""IntervalTier"" <exists> ! 3'
    text = (FOLDER / "long-utf8.TextGrid").read_text("utf-8").replace("bless þá", said)
    (tmp_path / "a.TextGrid").write_text(text, "utf-8")
    assert read(tmp_path / "a.TextGrid").tiers[0].spans[2].text == said.replace('""', '"')


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "intervals: size = 3",
            "intervals: size = 2",
            r":24: expected the class of a tier, got '2\.5': .* than it says",
        ),
        ("intervals: size = 3", "intervals: size = 4", r":28: expected a time, got 'IntervalTier'"),
        ("intervals: size = 3", "intervals: size = 1e9", r":14: expected a count, got 1e9"),
        ("size = 3 \n", "size = 2 \n", r":42: expected the end of the file, got 'TextTier'"),
        ("size = 3 \n", "size = 4 \n", r":50: expected the class of a tier, got the end of the file"),
        ('mark = "click"', "", r":50: expected a text in quotes, got the end of the file"),
        (
            '"IntervalTier"',
            '"PitchTier"',
            r":10: expected the class of a tier, IntervalTier or TextTier, got 'PitchTier'",
        ),
        ("xmax = 1.25", "xmax = --undefined--", r":18: expected a time, got 'góðan"),
        ("ooTextFile", "Pitch", r":1: expected a TextGrid of Praat's, which begins File type"),
    ],
)
def test_counts_that_lie_and_files_of_another_kind_are_one_line(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    text = (FOLDER / "long-utf8.TextGrid").read_text("utf-8")
    assert old in text
    (tmp_path / "a.TextGrid").write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(ManifestError, match=rf"a\.TextGrid{message}") as caught:
        read(tmp_path / "a.TextGrid")
    assert "\n" not in str(caught.value)


def test_a_binary_file_cut_anywhere_or_with_more_is_one_line(tmp_path: Path) -> None:
    whole = (FOLDER / "binary.TextGrid").read_bytes()
    for end in range(1, len(whole)):
        (tmp_path / "a.TextGrid").write_bytes(whole[:end])
        with pytest.raises(ManifestError, match=r"a\.TextGrid"):
            read(tmp_path / "a.TextGrid")
    (tmp_path / "a.TextGrid").write_bytes(whole + b"\0")
    with pytest.raises(ManifestError, match="holds more than it says, from byte 320"):
        read(tmp_path / "a.TextGrid")
    first = whole.index(b"TextGrid") + len(b"TextGrid")  # the time at which all begins
    (tmp_path / "a.TextGrid").write_bytes(whole[:first] + struct.pack(">d", math.nan) + whole[first + 8 :])
    with pytest.raises(ManifestError, match=rf"the time at byte {first} is nan; save the file again"):
        read(tmp_path / "a.TextGrid")


def test_the_chronological_form_and_other_bytes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="got '\"Praat chronological TextGrid text file\"'; save it in Praat as a"):
        read(FOLDER / "chronological.TextGrid")
    for content in (b"", b"\xff\xfe\x00", b"\x00\x01\x02"):
        (tmp_path / "a.TextGrid").write_bytes(content)
        with pytest.raises(ManifestError, match=r"a\.TextGrid"):
            read(tmp_path / "a.TextGrid")


LABELS = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp", "Zs")), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 400), LABELS), min_size=1, max_size=8),
    st.sampled_from(["short_textgrid", "long_textgrid"]),
)
def test_what_praatio_writes_is_read_back(lasting: list[tuple[int, str]], form: str) -> None:
    praat = pytest.importorskip("praatio.textgrid")
    entries, at = [], 0
    for length, text in lasting:
        entries.append((at / 100, (at + length) / 100, text))
        at += length
    written = praat.Textgrid()
    written.addTier(praat.IntervalTier("said", entries, 0, at / 100))
    with tempfile.TemporaryDirectory() as folder:
        written.save(f"{folder}/a.TextGrid", form, includeBlankSpaces=True)
        (tier,) = read(f"{folder}/a.TextGrid").tiers
    assert [time for span in tier.spans for time in span[:2]] == pytest.approx([t for e in entries for t in e[:2]])
    assert [span.text for span in tier.spans] == [entry[2] for entry in entries]
