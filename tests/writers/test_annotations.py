"""TextGrid (read by Praat itself), CTM and STM (as sclite wants them) and FLEx's interlinear text."""

import shutil
import subprocess
from pathlib import Path

import parselmouth
import pytest
from lxml import etree

from earful.transcript import Transcript, Word
from earful.writers.formats import render

SCLITE = shutil.which("sclite") or shutil.which("sclite", path="/usr/lib/sctk/bin")


def test_praat_reads_a_textgrid(talk: Transcript, tmp_path: Path) -> None:
    place = tmp_path / "talk.TextGrid"
    place.write_text(render(talk, "textgrid"), "utf-8")
    grid = parselmouth.read(str(place))
    call = parselmouth.praat.call
    assert call(grid, "Get number of tiers") == 6 and call(grid, "Get total duration") == 3.0
    assert [call(grid, "Get tier name", n) for n in (1, 2, 3, 4)] == [
        "phrases@speaker 1",
        "words@speaker 1",
        "confidences@speaker 1",
        "phrases@speaker 2",
    ]
    words = range(1, int(call(grid, "Get number of intervals", 2)) + 1)
    assert [call(grid, "Get label of interval", 2, n) for n in words] == ["", "how", 'a<&"', "fine", "", "day", ""]
    assert (
        call(grid, "Get start time of interval", 2, 3) == 0.3 and call(grid, "Get end time of interval", 2, 3) == 0.301
    )
    assert call(grid, "Get label of interval", 4, 2) == "þú"


def test_praat_reads_a_textgrid_in_which_nothing_is_said(tmp_path: Path) -> None:
    place = tmp_path / "none.TextGrid"
    place.write_text(render(Transcript("", (), 0.0, 1.5), "textgrid"), "utf-8")
    assert parselmouth.praat.call(parselmouth.read(str(place)), "Get total duration") == 1.5


def test_ctm(talk: Transcript) -> None:
    assert render(talk, "ctm", "sound/my talk.wav").splitlines() == [
        ";; my_talk stands for my talk",
        ";; speaker_1 stands for speaker 1",
        ";; speaker_2 stands for speaker 2",
        "my_talk 1 0.100 0.200 how 0.800",
        'my_talk 1 0.300 0.001 a<&" 0.250',
        "my_talk 1 0.301 0.399 fine 0.875",
        "my_talk 1 2.000 0.400 day 0.500",
        "my_talk 2 1.000 0.500 þú 0.600",
    ]


def test_stm(talk: Transcript) -> None:
    assert render(talk, "stm", "talk.wav").splitlines()[2:] == [
        'talk 1 speaker_1 0.100 0.700 how a<&" fine',
        "talk 1 speaker_1 2.000 2.400 day",
        "talk 2 speaker_2 1.000 1.500 þú",
    ]
    assert render(Transcript("", (), 0.0, 1.0), "stm", ";;a.wav") == (
        ";; _;;a stands for ;;a\n;; nothing is said in _;;a\n"
    )


def test_who_begins_keeps_the_channel_of_his_name() -> None:
    words = (Word("b", 0.0, 0.1, 0.5, "speaker 2"), Word("a", 1.0, 1.1, 0.5, "speaker 1"))
    rows = [line for line in render(Transcript("", words, 0.5, 2.0), "ctm", "t.wav").splitlines() if line[0] != ";"]
    assert rows == ["t 1 1.000 0.100 a 0.500", "t 2 0.000 0.100 b 0.500"]


@pytest.mark.skipif(SCLITE is None, reason="NIST sclite is not installed (Debian package sctk)")
def test_sclite_reads_both(talk: Transcript, tmp_path: Path) -> None:
    for format in ("ctm", "stm"):
        (tmp_path / f"talk.{format}").write_text(render(talk, format, "my talk.wav"), "utf-8")
    assert SCLITE is not None
    done = subprocess.run(
        [SCLITE, "-h", "talk.ctm", "ctm", "-r", "talk.stm", "stm", "-o", "sum", "stdout"],
        cwd=tmp_path, check=True, capture_output=True, text=True,
    )  # fmt: skip
    (total,) = [line for line in done.stdout.splitlines() if "Sum/Avg" in line]
    assert total.replace("|", " ").split()[1:4] == ["3", "5", "100.0"]


def test_flextext(talk: Transcript) -> None:
    root = etree.fromstring(render(talk, "flextext", "sound/talk.wav", language="is").encode())
    phrases = root.findall(".//phrase")
    assert [p.find("item[@type='txt']").text for p in phrases] == ['how a<&" fine', "þú", "day"]
    assert [(p.get("begin-time-offset"), p.get("end-time-offset"), p.get("speaker")) for p in phrases] == [
        ("100", "700", "speaker 1"),
        ("1000", "1500", "speaker 2"),
        ("2000", "2400", "speaker 1"),
    ]
    assert [w.text for w in phrases[0].iterfind("words/word/item")] == ["how", 'a<&"', "fine"]
    assert {item.get("lang") for item in root.iter("item")} == {"is"}
    media = root.find(".//media")
    assert media.get("location") == "sound/talk.wav" and {p.get("media-file") for p in phrases} == {media.get("guid")}
    guids = [each.get("guid") for each in root.iter() if each.get("guid")]
    assert len(guids) == len(set(guids))
    assert 'lang="und"' in render(talk, "flextext", "talk.wav")
