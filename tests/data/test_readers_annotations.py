"""Files of annotations by themselves and in folders, through `read_clips`."""

from pathlib import Path

import numpy as np
import pytest

from earful.audio.files import write
from earful.data.clips import read_clips, read_with_findings
from earful.data.readers.leftovers import left_over
from earful.data.tiers import Choice
from earful.errors import ConfigError, ManifestError

SHORT = 'File type = "ooTextFile"\nObject class = "TextGrid"\n\n0\n{end}\n<exists>\n{count}\n'


def textgrid(path: Path, **tiers: list[tuple[float, float, str]]) -> Path:
    text = SHORT.format(end=9, count=len(tiers))
    for name, spans in tiers.items():
        text += f'"IntervalTier"\n"{name}"\n0\n9\n{len(spans)}\n'
        text += "".join(f'{start}\n{end}\n"{said}"\n' for start, end, said in spans)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def sound(path: Path, seconds: float = 9.0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write(path, np.full(round(16_000 * seconds), 0.1, np.float32))
    return path


def eaf(path: Path, recording: str, text: str) -> Path:
    path.write_text(
        '<?xml version="1.0" encoding="UTF-8"?><ANNOTATION_DOCUMENT VERSION="3.0"><HEADER TIME_UNITS="milliseconds">'
        f'<MEDIA_DESCRIPTOR MEDIA_URL="file:///D:/{recording}" RELATIVE_MEDIA_URL="./{recording}" '
        'MIME_TYPE="audio/x-wav"/></HEADER><TIME_ORDER><TIME_SLOT TIME_SLOT_ID="t1" TIME_VALUE="500"/>'
        '<TIME_SLOT TIME_SLOT_ID="t2" TIME_VALUE="1500"/></TIME_ORDER><TIER LINGUISTIC_TYPE_REF="u" TIER_ID="said">'
        '<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a1" TIME_SLOT_REF1="t1" TIME_SLOT_REF2="t2">'
        f"<ANNOTATION_VALUE>{text}</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION></TIER></ANNOTATION_DOCUMENT>",
        "utf-8",
    )
    return path


def test_a_file_by_itself(tmp_path: Path) -> None:
    sound(tmp_path / "talk.wav")
    path = textgrid(
        tmp_path / "talk.TextGrid", said=[(0, 1, "já já"), (1, 2, ""), (2, 4.5, "nei takk")], mb=[(0, 9, "x")]
    )
    clips = read_with_findings(path)
    assert [(u.id, u.audio.name, u.start_s, u.duration_s, u.text) for u in clips.manifest] == [
        ("talk-0.00", "talk.wav", 0.0, 1.0, "já já"),
        ("talk-2.00", "talk.wav", 2.0, 2.5, "nei takk"),
    ]
    assert clips.files == (path,)
    assert [finding.kind for finding in clips.findings] == ["tier", "spans textless"]
    assert [u.text for u in read_clips(path, Choice("mb"))] == ["x"]


def test_a_recording_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    path = textgrid(tmp_path / "talk.TextGrid", said=[(0.5, 1, "já")])
    with pytest.raises(
        ManifestError, match=r"talk\.TextGrid: tier 'said', 0\.50 s: no such recording: .*talk\.wav; put it beside"
    ):
        read_clips(path)
    with pytest.raises(ManifestError, match=r"a\.eaf: tier 'said', 0\.50 s: no such recording: .*b\.wav"):
        read_clips(eaf(tmp_path / "a.eaf", "b.wav", "já"))


def test_where_no_span_can_be_used_the_reasons_are_said(tmp_path: Path) -> None:
    sound(tmp_path / "talk.wav", 2.0)
    path = textgrid(tmp_path / "talk.TextGrid", said=[(3, 4, "já"), (5, 6, "nei")])
    with pytest.raises(
        ManifestError, match=r"no span can be used: .*2 spans left out, beyond the end .*'said', 3\.00 s"
    ):
        read_clips(path)


def test_tiers_of_what_has_none_are_an_error(tmp_path: Path) -> None:
    sound(tmp_path / "a.wav")
    (tmp_path / "a.txt").write_text("já [hik] nei", "utf-8")
    for choice in (Choice("said"), Choice(speaker_tier="who")):
        with pytest.raises(ConfigError, match="holds no annotations, so no tiers; leave --tier and --speaker-tier out"):
            read_clips(tmp_path, choice)
    assert [u.text for u in read_clips(tmp_path)] == ["já [hik] nei"]  # the usual marks are those of annotations
    assert [u.text for u in read_clips(tmp_path, Choice(drop=r"\[\w+\]"))] == ["já nei"]


def test_a_folder_of_both_kinds_and_of_plain_clips(tmp_path: Path) -> None:
    for name in ("a/one.wav", "two.wav", "three.wav", "four.wav", "five.wav"):
        sound(tmp_path / name)
    textgrid(tmp_path / "a/one.TextGrid", said=[(0, 1, "einn")])
    eaf(tmp_path / "anything.eaf", "two.wav", "tveir")
    textgrid(tmp_path / "two.TextGrid", said=[(0, 1, "the second of one recording")])
    (tmp_path / "three.txt").write_text("þrír", "utf-8")
    textgrid(tmp_path / "three.TextGrid", words=[(0, 1, "aligned")])
    textgrid(tmp_path / "lost.TextGrid", said=[(0, 1, "no recording")])
    clips = read_with_findings(tmp_path)
    assert {u.id: (u.audio.name, u.text) for u in clips.manifest} == {
        "three": ("three.wav", "þrír"),
        "a/one-0.00": ("one.wav", "einn"),
        "anything-0.50": ("two.wav", "tveir"),
    }
    (missing,) = (finding for finding in clips.findings if finding.kind == "no recording")
    assert missing.where.endswith("lost.TextGrid")
    assert {str(group) for group in left_over(tmp_path, clips.manifest, clips.files)} == {
        "left out five.wav, four.wav: the list of clips does not name it; add it there, or remove it",
        "left out three.TextGrid, two.TextGrid: another transcript of its recording is read; "
        "to read it, give its path, or name a tier of it with --tier",
    }


def test_a_named_tier_is_read_before_text_files(tmp_path: Path) -> None:
    sound(tmp_path / "a.wav")
    (tmp_path / "a.txt").write_text("the text", "utf-8")
    textgrid(tmp_path / "a.TextGrid", words=[(0, 1, "the"), (1, 2, "tier")])
    assert [u.text for u in read_clips(tmp_path)] == ["the text"]
    assert [u.text for u in read_clips(tmp_path, Choice("words"))] == ["the", "tier"]


def test_a_folder_without_any_recording(tmp_path: Path) -> None:
    textgrid(tmp_path / "b.TextGrid", said=[(0, 1, "x")])
    with pytest.raises(ManifestError, match=r"b\.TextGrid: tier 'said', 0\.00 s: no such recording"):
        read_clips(tmp_path)
    sound(tmp_path / "a.wav")
    (tmp_path / "a.txt").write_text("já", "utf-8")
    clips = read_with_findings(tmp_path)
    assert [u.text for u in clips.manifest] == ["já"] and [f.kind for f in clips.findings] == ["tier", "no recording"]


BROKEN = {
    "b.eaf": ("<ANNOTATION_DOCUMENT>\n</TIER>", r"b\.eaf:2: not XML"),
    "b.TextGrid": (SHORT.format(end=9, count=3), r"b\.TextGrid:8: expected the class of a tier"),
    "b.flextext": ("<document/>", r"b\.flextext: expected FLEx's"),
    "b.trs": ("<html/>", r"b\.trs: expected Transcriber's"),
    "b.srt": ("1\n00:00:01 -> 00:00:02\nhello\n", r"b\.srt:1: expected times"),
    "b.vtt": ("WEBVTT\n\nhello\n", r"b\.vtt:3: expected times"),
    "b.stm": ("b 1 eva 0\n", r"b\.stm:1: expected recording, channel, speaker"),
    "b.ctm": ("b 1 0 x\n", r"b\.ctm:1: expected recording, channel, begin"),
    "b.txt": ("0.0\t1.0\thello\nno label\n", r"b\.txt:2: expected start, end and label"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_an_error_alone_and_named_among_others(tmp_path: Path, name: str) -> None:
    content, message = BROKEN[name]
    sound(tmp_path / "a.wav"), sound(tmp_path / "b.wav")
    textgrid(tmp_path / "a.TextGrid", said=[(0, 1, "einn")])
    (tmp_path / name).write_text(content, "utf-8")
    with pytest.raises(ManifestError, match=message):
        read_clips(tmp_path / name)
    clips = read_with_findings(tmp_path)
    assert [u.text for u in clips.manifest] == ["einn"]
    (broken,) = [finding for finding in clips.findings if finding.kind == "broken file"]
    assert broken.severity == "error" and broken.message.startswith("left out: ") and broken.remedy
    with pytest.raises(ManifestError, match=message):
        raise ManifestError(f"{broken.where}: {broken.message.removeprefix('left out: ')}; {broken.remedy}")
    assert [group.names for group in left_over(tmp_path, clips.manifest, clips.files)] == ["b.wav"], "named once"
    (tmp_path / "a.TextGrid").unlink()
    with pytest.raises(ManifestError, match=r"no span can be used: left out: .*\(.*b\.\w+(:\d+)?\)"):
        read_clips(tmp_path)


def test_of_one_recording_the_next_file_is_read_where_the_first_is_broken(tmp_path: Path) -> None:
    sound(tmp_path / "a.wav")
    (tmp_path / "a.eaf").write_text("<", "utf-8")
    textgrid(tmp_path / "a.TextGrid", said=[(0, 1, "einn")])
    clips = read_with_findings(tmp_path)
    assert [u.text for u in clips.manifest] == ["einn"] and clips.findings[0].kind == "broken file"


def test_a_broken_file_beside_clips_with_texts(tmp_path: Path) -> None:
    sound(tmp_path / "a.wav"), sound(tmp_path / "b.wav")
    (tmp_path / "a.txt").write_text("já", "utf-8")
    (tmp_path / "b.eaf").write_text("<", "utf-8")
    clips = read_with_findings(tmp_path)
    assert [u.text for u in clips.manifest if u.text] == ["já"] and [f.kind for f in clips.findings] == ["broken file"]


@pytest.mark.parametrize("choice", [Choice("said"), Choice("other", speaker_tier="said")])
def test_two_tiers_of_a_name_leave_their_file_out(tmp_path: Path, choice: Choice) -> None:
    for name in "ab":
        sound(tmp_path / f"{name}.wav")
        textgrid(tmp_path / f"{name}.TextGrid", said=[(0, 1, "einn")], other=[(1, 2, "annar")])
    twins = (tmp_path / "b.TextGrid").read_text("utf-8").replace("<exists>\n2", "<exists>\n3")
    (tmp_path / "b.TextGrid").write_text(twins + '"IntervalTier"\n"said"\n0\n9\n1\n0\n1\n"x"\n', "utf-8")
    with pytest.raises(ManifestError, match=r"b\.TextGrid: has 2 tiers of the name 'said'"):
        read_clips(tmp_path / "b.TextGrid", choice)
    clips = read_with_findings(tmp_path, choice)
    assert [u.audio.name for u in clips.manifest] == ["a.wav"]
    (broken,) = [finding for finding in clips.findings if finding.kind == "broken file"]
    assert broken.where == str(tmp_path / "b.TextGrid") and "has 2 tiers of the name 'said'" in broken.message
    assert [group.names for group in left_over(tmp_path, clips.manifest, clips.files)] == ["b.wav"]
