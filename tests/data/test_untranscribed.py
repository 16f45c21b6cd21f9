"""Recordings cut into clips of speech: the logic with given stretches, then files with a simple ear, then Silero's."""

import sys
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earful.audio import activity
from earful.audio.activity import WINDOW, ActivitySettings, Stretch, stretches
from earful.audio.files import read, write
from earful.data.manifest import Manifest, write_manifest
from earful.data.synthesis.espeak import speak
from earful.data.synthesis.speech import Voice
from earful.data.untranscribed import CutSettings, Skipped, cut, pieces, read_recordings
from earful.data.utterance import Utterance
from earful.errors import AudioError, ConfigError, ManifestError

EXACT = ActivitySettings(padding_s=0)


def silence(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * 16_000), np.float32)


def tone(seconds: float) -> np.ndarray:
    return (0.3 * np.sin(np.arange(round(seconds * 16_000)) / 5)).astype(np.float32)


def ear(sound: Iterable[np.ndarray]) -> list[Stretch]:
    """What is loud is speech."""
    samples_T = np.concatenate(list(sound))
    padded_T = np.pad(samples_T, (0, -len(samples_T) % WINDOW)).reshape(-1, WINDOW)
    return stretches((np.square(padded_T).mean(axis=1) > 1e-4) * 1.0, len(samples_T) / 16_000, EXACT)


def near(*times_s: float) -> list[object]:
    return [pytest.approx(time_s, abs=0.05) for time_s in times_s]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([], []),
        ([(1, 3)], [(1, 3)]),
        ([(1, 3), (3.4, 5)], [(1, 5)]),  # a short pause stays
        ([(1, 3), (3.6, 5)], [(1, 3), (3.6, 5)]),  # a long one goes
        ([(1, 1.5)], []),  # too short, and alone
        ([(1, 3), (3.8, 4.2), (4.9, 9)], [(1, 3), (3.8, 9)]),  # joined with the nearer
        ([(1, 3), (3.7, 4.2), (4.9, 9)], [(1, 4.2), (4.9, 9)]),
        ([(1, 3), (4.5, 5), (6.5, 9)], [(1, 3), (6.5, 9)]),  # neither is near
        ([(0, 0.4), (1, 1.4), (2.2, 2.6)], [(0, 2.6)]),  # short ones among themselves
        ([(0, 14.8), (15.5, 16)], [(0, 14.8)]),  # together they would be too long
        ([(0, 8), (8.2, 12), (12.4, 20)], [(0, 12), (12.4, 20)]),  # cut at the longest pause
        ([(0, 8), (8.3, 12), (12.3, 20)], [(0, 8), (8.3, 20)]),  # of equal ones, nearest the middle
        ([(0, 0.5), (0.9, 12), (12.2, 20)], [(0, 12), (12.2, 20)]),  # not so near the end that a crumb is left
        ([(0, 40)], [(0, 40 / 3), (40 / 3, 80 / 3), (80 / 3, 40)]),  # no pause at all
        ([(0, 10), (10, 20)], [(0, 10), (10, 20)]),  # stretches that touch are a pause as well
        ([(0, 15)], [(0, 15)]),
    ],
)
def test_joining_and_cutting(found: list[Stretch], expected: list[Stretch]) -> None:
    assert pieces(found) == [(pytest.approx(start), pytest.approx(end)) for start, end in expected]


@st.composite
def activities(draw: st.DrawFn) -> list[Stretch]:
    times_s, now_s = [], 0.0
    for pause, length in draw(st.lists(st.tuples(st.integers(0, 3_000), st.integers(1, 40_000)), max_size=30)):
        start_s = now_s + draw(st.sampled_from([0.1, 1.0])) * pause / 1000
        now_s = start_s + draw(st.sampled_from([0.02, 1.0])) * length / 1000
        times_s.append((start_s, now_s))
    return times_s


def cut_settings() -> st.SearchStrategy[CutSettings]:
    return st.builds(
        lambda shortest, factor, pause, more: CutSettings(shortest * factor, shortest, pause, pause + more),
        st.floats(0.05, 3),
        st.floats(2, 30),
        st.floats(0, 2),
        st.floats(0, 2),
    )


@given(activities(), cut_settings())
def test_pieces_are_within_bounds_in_order_and_lose_only_crumbs(found: list[Stretch], settings: CutSettings) -> None:
    made = pieces(found, settings)
    assert all(settings.shortest_s - 1e-5 <= end - start <= settings.longest_s + 1e-5 for start, end in made)
    assert all(left[1] <= right[0] + 1e-9 for left, right in pairwise(made))
    for time_s in {time_s for piece in made for time_s in piece}:
        assert any(start - 1e-9 <= time_s <= end + 1e-9 for start, end in found)
    pauses = [(left[1], right[0]) for left, right in pairwise(found) if right[0] - left[1] > settings.near_s + 1e-5]
    assert not any(start < begin and finish < end for start, end in made for begin, finish in pauses)
    for lost in _lost(found, made):
        assert lost[1] - lost[0] < settings.shortest_s + 1e-5


def _lost(found: list[Stretch], made: list[Stretch]) -> list[Stretch]:
    """Parts of stretches that no piece covers."""
    lost = []
    for start_s, end_s in found:
        for left, right in made:
            if right > start_s and left < end_s:
                lost.append((start_s, max(left, start_s)))
                start_s = min(right, end_s)
        lost.append((start_s, end_s))
    return lost


def test_a_thousand_parts_of_one_phrase() -> None:
    found = [(float(place), place + 0.9 + 0.0001 * (place % 7)) for place in range(10_000)]
    made = pieces(found)
    assert len(made) > 660 and made[0][0] == 0 and made[-1][1] == found[-1][1]


@pytest.fixture
def radio(tmp_path: Path) -> Path:
    """Two recordings with speech, and five that are damaged or hold none."""
    folder = tmp_path / "radio"
    (folder / "b").mkdir(parents=True)
    write(folder / "b" / "news.flac", np.concatenate([silence(1), tone(2), silence(2), tone(3), silence(1)]))
    write(folder / "a.wav", np.concatenate([tone(70), silence(2), tone(0.3)]))
    write(folder / "hum.wav", silence(2))
    write(folder / "short.wav", tone(5))
    (folder / "short.wav").write_bytes((folder / "short.wav").read_bytes()[:50_000])
    (folder / "text.wav").write_text("no sound", "utf-8")
    (folder / "none.ogg").write_bytes(b"")
    (folder / "notes.txt").write_text("about", "utf-8")
    (folder / ".hidden.wav").write_bytes(b"")
    (folder / "gone.mp3").symlink_to(folder / "nowhere.mp3")
    return folder


def test_a_folder_becomes_clips_and_what_is_damaged_is_named(radio: Path) -> None:
    skipped: list[Skipped] = []
    clips = Manifest(tuple(cut(read_recordings(radio), skip=skipped.append, hear=ear)))
    assert [u.id for u in clips[:2]] == ["a-00000000", "a-00014003"]
    assert [[u.start_s, u.duration_s] for u in clips[-2:]] == [near(1, 2), near(5, 3)]
    assert [u.extra["recording"] for u in clips] == [*["a"] * 5, "b/news", "b/news"]
    assert {u.audio for u in clips} == {radio / "a.wav", radio / "b" / "news.flac"}
    assert [(each.path.name, each.reason.split(";")[0]) for each in skipped] == [
        ("gone.mp3", "no such file"),
        ("hum.wav", "no speech of 1.0 s or more was found in it"),
        ("none.ogg", "the file is empty (0 bytes)"),
        (
            "short.wav",
            "the file is truncated or damaged: its header promises 160000 bytes of sound, the file holds 49956",
        ),
        ("text.wav", "not a readable sound file (Format not recognised)"),
    ]
    for clip in clips:
        assert len(read(clip.audio, clip.start_s, clip.duration_s)) == pytest.approx(
            16_000 * (clip.duration_s or 0), abs=1
        )
    assert tuple(cut(read_recordings(radio), skip=skipped.append, hear=ear)) == clips.utterances


def test_a_manifest_without_texts(radio: Path, tmp_path: Path) -> None:
    news = radio / "b" / "news.flac"
    rows = (
        Utterance("whole", news, duration_s=9.0, language="nl", speaker="eva", text="hallo", extra={"year": 1999}),
        Utterance("part", news, start_s=4.0, duration_s=2.5),
        Utterance("rest", news, start_s=4.0),
        Utterance("beginning", news, duration_s=2.0),
        Utterance("beyond", news, start_s=20.0),
    )
    write_manifest(tmp_path / "some.jsonl", rows)
    skipped: list[Skipped] = []
    clips = list(cut(read_recordings(tmp_path / "some.jsonl"), skip=skipped.append, hear=ear))
    times = [[u.extra["recording"], u.start_s, u.start_s + (u.duration_s or 0)] for u in clips]
    assert times == [
        ["whole", *near(1, 3)],
        ["whole", *near(5, 8)],
        ["part", *near(5, 6.5)],
        ["rest", *near(5, 8)],
        ["beginning", *near(1, 2)],
    ]
    assert (clips[0].language, clips[0].speaker, clips[0].text) == ("nl", "eva", None)
    assert dict(clips[0].extra) == {"year": 1999, "recording": "whole"}
    assert [each.reason.split(";")[0] for each in skipped] == [
        "expected sound from 20.000 s to 21.000 s, but the file ends at 9.000 s"
    ]


def test_blocks_are_heard_in_turn(radio: Path) -> None:
    """A long recording comes in blocks of bounded length, from its start and from its middle."""
    sizes: list[int] = []

    def listen(sound: Iterable[np.ndarray]) -> list[Stretch]:
        sizes.extend(len(block_T) for block_T in sound)
        return []

    for part in (Utterance("a", radio / "a.wav"), Utterance("a", radio / "a.wav", 1.0, 71.0)):
        sizes.clear()
        list(cut([part], skip=lambda _: None, hear=listen))
        assert len(sizes) == 2 and max(sizes) <= 60 * 16_000
        assert sum(sizes) == round((part.duration_s or 72.3) * 16_000)


def test_what_read_recordings_takes(radio: Path, tmp_path: Path) -> None:
    assert [u.id for u in read_recordings(radio)] == ["a", "b/news", "gone", "hum", "none", "short", "text"]
    assert [u.id for u in read_recordings(radio / "a.wav")] == ["a"]
    write_manifest(radio / "manifest.jsonl", [Utterance("only", radio / "a.wav")])
    assert [u.id for u in read_recordings(radio)] == ["only"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        ManifestError, match=r"no sound files in this folder; expected a folder with sound files of any"
    ):
        read_recordings(tmp_path / "empty")
    with pytest.raises(ManifestError, match="no such file or folder; check its spelling"):
        read_recordings(tmp_path / "nowhere")
    with pytest.raises(ManifestError, match=r"a file of another kind \(.txt\); expected"):
        read_recordings(radio / "notes.txt")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"longest_s": 1.5}, "at most half as long"),
        ({"shortest_s": 0}, "at least 0.01 s"),
        ({"pause_s": 2.0}, "pause_s <= near_s"),
    ],
)
def test_settings_that_cannot_be(wrong: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        CutSettings(**wrong)


def test_a_missing_detector_is_not_the_recordings_fault(radio: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    activity._detector.cache_clear()
    monkeypatch.setitem(sys.modules, "silero_vad", None)
    with pytest.raises(AudioError, match=r'pip install "\.\[vad\]"'):
        next(cut(read_recordings(radio), skip=pytest.fail))


def test_speech_is_cut_from_a_recording(tmp_path: Path) -> None:
    pytest.importorskip("silero_vad", reason='the detector is not installed: pip install ".[vad]"')
    said_T = speak("the ship left the harbour before the sun had risen", Voice("en-us")).samples_T
    said_s = len(said_T) / 16_000  # what it says first stands alone, the rest has no pause worth the name
    write(tmp_path / "talk.flac", np.concatenate([silence(3), said_T, silence(4), *[said_T, silence(0.2)] * 8]))
    clips = list(cut(read_recordings(tmp_path), skip=pytest.fail))
    assert [clips[0].start_s, clips[0].duration_s] == [pytest.approx(3, abs=0.3), pytest.approx(said_s, abs=0.5)]
    assert all(1 <= (u.duration_s or 0) <= 15 for u in clips) and len(clips) >= 3
    assert clips[1].start_s == pytest.approx(7 + said_s, abs=0.3)
    assert sum(u.duration_s or 0 for u in clips[1:]) == pytest.approx(8 * (said_s + 0.2), abs=1.5)
