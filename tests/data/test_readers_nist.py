"""NIST's tables of segments and of words."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from earful.audio.files import read
from earful.data.clips import read_with_findings
from earful.data.readers.nist import read_segments, read_words
from earful.data.tiers import Span
from earful.errors import ManifestError

STM = """;; CATEGORY "0" "" ""
news 1 Anna 0.50 2.25 <o,f0,female> góðan dag
news 1 Ben 2.25 3.00 já
news 1 inter_segment_gap 3.0 4.0
other A Anna 1 2.5 IGNORE_TIME_SEGMENT_IN_SCORING
"""
CTM = """news 1 0.50 0.20 góðan 0.98
news 1 0.72 0.30 dag
news 1 1.90 0.40 bless
other 1 0.00 0.50 nei
"""


def written(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8")
    return path


def test_segments_of_recordings_and_speakers(tmp_path: Path) -> None:
    (tmp_path / "news.flac").touch()
    news, other = read_segments(written(tmp_path / "a.stm", STM))
    assert (news.recording, other.recording) == (tmp_path / "news.flac", tmp_path / "other.wav")
    assert {tier.speaker: tier.spans for tier in news.tiers} == {
        "Anna": (Span(0.5, 2.25, " góðan dag"),),
        "Ben": (Span(2.25, 3.0, "já\n".strip()),),
        "inter_segment_gap": (Span(3.0, 4.0, ""),),
    }
    assert other.tiers[0].spans == (Span(1.0, 2.5, ""),)


def test_words_near_each_other_are_one_clip_of_bounded_length(tmp_path: Path) -> None:
    news, other = read_words(written(tmp_path / "a.ctm", CTM))
    assert news.tiers[0].spans == (Span(0.5, 1.02, "góðan dag"), Span(1.9, 2.3, "bless"))
    assert other.tiers[0].spans == (Span(0.0, 0.5, "nei"),)
    many = "".join(f"r 1 {number / 2} 0.5 w{number}\n" for number in range(100))
    (file,) = read_words(written(tmp_path / "b.ctm", many))
    lengths = [span.end_s - span.start_s for span in file.tiers[0].spans]
    assert lengths == [15.0, 15.0, 15.0, 5.0]


def test_a_table_of_one_recording_may_have_its_name(tmp_path: Path) -> None:
    (tmp_path / "a.wav").touch()
    (file,) = read_words(written(tmp_path / "a.ctm", "audio_17 1 0 1 x\n"))
    assert file.recording == tmp_path / "a.wav"


TELEPHONE = """call A Anna 0.0 2.0 góðan dag
call B Ben 1.0 3.0 já halló
call A hum 3.0 4.0 mm
call B hum 3.0 4.0 hmm
"""


def test_channels_are_of_the_recording(tmp_path: Path) -> None:
    (call,) = read_segments(written(tmp_path / "a.stm", TELEPHONE))
    assert [(tier.name, tier.speaker, tier.channel) for tier in call.tiers] == [
        ("Anna", "Anna", 1),
        ("hum 1", "hum 1", 1),
        ("Ben", "Ben", 2),
        ("hum 2", "hum 2", 2),
    ]
    (words,) = read_words(written(tmp_path / "a.ctm", "call 1 0 1 já\ncall 2 0 1 nei\ncall 1 1 1 takk\n"))
    assert [(tier.speaker, tier.channel, tier.spans) for tier in words.tiers] == [
        ("speaker 1", 1, (Span(0, 2, "já takk"),)),
        ("speaker 2", 2, (Span(0, 1, "nei"),)),
    ]
    (one,) = read_segments(written(tmp_path / "b.stm", TELEPHONE.replace(" B ", " A ")))
    assert {tier.channel for tier in one.tiers} == {1}, "a letter is a choice"
    (one,) = read_segments(written(tmp_path / "b.stm", TELEPHONE.replace(" B ", " 1 ").replace(" A ", " 1 ")))
    assert {tier.channel for tier in one.tiers} == {None}, "the number 1 is what tools write of any recording"


def test_speech_on_two_channels_at_once_is_heard_on_each(tmp_path: Path) -> None:
    path = written(tmp_path / "call.stm", TELEPHONE)
    times_T = np.arange(5 * 16_000) / 16_000
    left_T, right_T = (np.sin(2 * np.pi * pitch * times_T) * 0.3 for pitch in (200, 300))
    soundfile.write(tmp_path / "call.wav", np.stack([left_T, right_T], 1), 16_000)
    clips = read_with_findings(path)
    assert [(clip.text, clip.start_s, clip.channel) for clip in clips.manifest] == [
        ("góðan dag", 0.0, 1),
        ("mm", 3.0, 1),
        ("já halló", 1.0, 2),
        ("hmm", 3.0, 2),
    ]
    heard_T = read(clips.manifest[2].audio, 1.0, 2.0, clips.manifest[2].channel)
    assert np.allclose(heard_T, right_T[16_000:48_000], atol=1e-3)
    soundfile.write(tmp_path / "call.wav", left_T, 16_000)
    with pytest.raises(ManifestError, match="4 spans left out, in which two speak at once"):
        read_with_findings(path)  # on the one channel that there is
    written(path, TELEPHONE.replace(" B ", " C "))
    soundfile.write(tmp_path / "call.wav", np.stack([left_T, right_T], 1), 16_000)
    clips = read_with_findings(path)
    assert [clip.text for clip in clips.manifest] == ["góðan dag", "mm"]
    assert any("2 spans left out, on a channel that the recording does not have" in f.message for f in clips.findings)


def test_a_line_that_is_wrong_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        ManifestError, match=r"a\.stm:3: expected recording, channel, speaker, begin, end and text, got"
    ):
        read_segments(written(tmp_path / "a.stm", STM.replace("Ben 2.25", "Ben b")))
    with pytest.raises(ManifestError, match=r"a\.ctm:2: expected recording, channel, begin, duration and word, got"):
        read_words(written(tmp_path / "a.ctm", CTM.replace("0.72 0.30", "0.72 nan")))
    with pytest.raises(ManifestError, match=r"a\.stm: the file is empty; expected a line for each"):
        read_segments(written(tmp_path / "a.stm", ";; nothing\n"))
