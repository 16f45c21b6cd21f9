"""Where speech is: the logic with given probabilities and a stand-in for the detector, then the detector itself."""

import sys
from collections.abc import Iterator
from contextlib import nullcontext
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from earful.audio import activity
from earful.audio.activity import WINDOW_S, ActivitySettings, speech, stretches
from earful.audio.noise import clatter, coloured_noise, gusts
from earful.data.synthesis.espeak import speak
from earful.data.synthesis.speech import Voice
from earful.errors import AudioError, ConfigError

BARE = ActivitySettings(shortest_silence_s=0.06, shortest_speech_s=0.06, padding_s=0)
SENTENCES = {
    "en-us": "the ship left the harbour before the sun had risen",
    "fi": "vanha mies istui rannalla ja katsoi merelle",
}


class Loudness:
    """In the detector's place: speech is what has power, or had it a window ago (a state, as Silero has one)."""

    def __init__(self) -> None:
        self.reset_states()

    def reset_states(self) -> None:
        self.before = 0.0

    def __call__(self, window_T: torch.Tensor, rate_hz: int) -> torch.Tensor:
        assert window_T.shape == (512,) and window_T.dtype == torch.float32 and rate_hz == 16_000
        now = float(window_T.square().mean() > 1e-4)
        self.before, heard = now, max(now, 0.6 * self.before)
        return torch.tensor(heard)


@pytest.fixture
def loudness(monkeypatch: pytest.MonkeyPatch) -> None:
    detector = Loudness()
    monkeypatch.setattr(activity, "load_detector", lambda: detector)


@pytest.fixture
def three_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def silero() -> None:
    pytest.importorskip("silero_vad", reason='the detector is not installed: pip install ".[vad]"')


def silence(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * 16_000), np.float32)


def tone(seconds: float, peak: float = 0.3) -> np.ndarray:
    return (peak * np.sin(np.arange(round(seconds * 16_000)) / 5)).astype(np.float32)


def windows(text: str) -> np.ndarray:
    """Each character is a window: # speech, + perhaps, . silence."""
    return np.array([{"#": 0.9, "+": 0.4, ".": 0.1}[sign] for sign in text], np.float32)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("......", []),
        ("..###..", [(2, 5)]),
        ("..###.##..", [(2, 8)]),  # one window of silence ends nothing
        ("..###..##..", [(2, 5), (7, 9)]),
        ("..###+++##..", [(2, 10)]),  # in doubt it goes on
        ("..+++..", []),  # … and does not begin
        ("..#.....###", [(8, 11)]),  # one window of speech is none
        ("####", [(0, 4)]),
    ],
)
def test_runs_of_probabilities(text: str, expected: list[tuple[int, int]]) -> None:
    found = stretches(windows(text), len(text) * WINDOW_S, BARE)
    assert found == [(pytest.approx(start * WINDOW_S), pytest.approx(end * WINDOW_S)) for start, end in expected]


def test_padding_stays_inside_and_meets_halfway() -> None:
    padded = ActivitySettings(shortest_silence_s=0.06, shortest_speech_s=0.06, padding_s=0.1)
    found = stretches(windows(".###....####" + "." * 20 + "##."), 35 * WINDOW_S - 0.03, padded)
    assert found == [(0, 0.192), (0.192, 0.484), (0.924, 1.09)]


@given(
    st.lists(st.floats(0, 1), max_size=200),
    st.builds(ActivitySettings, *[st.floats(0.02, 0.98), *[st.floats(0, 1)] * 3]),
)
def test_stretches_are_in_order_inside_and_hold_speech(heard: list[float], settings: ActivitySettings) -> None:
    duration_s = len(heard) * WINDOW_S
    found = stretches(np.array(heard, np.float64), duration_s, settings)
    assert all(0 <= start_s < end_s <= duration_s + 0.0005 for start_s, end_s in found)
    assert all(left[1] <= right[0] for left, right in pairwise(found))
    for start_s, end_s in found:
        inside = heard[int(start_s / WINDOW_S) : int(np.ceil(end_s / WINDOW_S))]
        assert max(inside) >= settings.threshold


@pytest.mark.usefixtures("loudness")
@pytest.mark.parametrize("size", [1_000, 16_000, 524_288, 700_001])
def test_blocks_make_no_difference(size: int) -> None:
    sound_T = np.concatenate([silence(1), tone(3), silence(32), tone(2.7), silence(3), tone(0.5)])
    whole = speech(sound_T)
    assert len(whole) == 3 and whole[-1][1] == pytest.approx(len(sound_T) / 16_000, abs=0.001)
    blocks = (sound_T[start : start + size] for start in range(0, len(sound_T), size))
    assert speech(blocks) == whole


@pytest.mark.usefixtures("loudness")
def test_a_quiet_recording_is_heard_as_a_loud_one() -> None:
    sound_T = np.concatenate([silence(1), tone(3), silence(1)])
    expected = [(pytest.approx(0.9, abs=0.05), pytest.approx(4.1, abs=0.05))]
    for gain in (1e-3, 1, 1e3):
        assert speech(sound_T * np.float32(gain)) == expected


@pytest.mark.usefixtures("loudness")
def test_no_sound_and_no_speech_are_no_errors() -> None:
    assert speech(silence(0)) == speech(iter(())) == speech(silence(3)) == []
    assert speech([silence(0), tone(1), silence(0)]) == [(0, 1)]


@pytest.mark.usefixtures("loudness")
def test_what_has_come_before_makes_no_difference() -> None:
    sensitive = ActivitySettings(shortest_speech_s=0, padding_s=0)
    speech(tone(1))  # leaves its state behind
    assert speech(silence(1), sensitive) == []
    assert speech(np.concatenate([tone(0.512), silence(1)]), sensitive) == [(0, 0.544)]  # here the state was kept


@pytest.mark.usefixtures("loudness")
def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was taken from the blocks is heard before more is taken."""
    behind: list[int] = []
    taken = done = 0

    def long() -> Iterator[np.ndarray]:
        nonlocal taken
        for _ in range(40):
            taken += 160_000
            yield tone(10)

    def counting(_detector: Loudness, part_T: np.ndarray) -> np.ndarray:
        nonlocal done
        done += len(part_T)
        behind.append(taken - done)
        return np.zeros(-(-len(part_T) // 512), np.float32)

    monkeypatch.setattr(activity, "_heard", counting)
    speech(long())
    assert done == taken == 40 * 160_000 and max(behind) < 160_000


@pytest.mark.usefixtures("loudness")
@pytest.mark.parametrize("bad_T", [np.full(9, np.nan, np.float32), np.full(9, np.inf, np.float32)])
def test_sound_that_is_none(bad_T: np.ndarray) -> None:
    with pytest.raises(AudioError, match="finite"):
        speech(bad_T)
    with pytest.raises(AudioError, match="mono"):
        speech(np.zeros((2, 9), np.float32))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"threshold": 1.5}, "threshold is 1.5"),
        ({"shortest_silence_s": -1}, "shortest_silence_s is -1 s"),
        ({"shortest_speech_s": float("nan")}, "shortest_speech_s is nan"),
        ({"padding_s": float("inf")}, "padding_s is inf"),
    ],
)
def test_settings_that_cannot_be(wrong: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ActivitySettings(**wrong)


def test_without_the_package_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    activity._detector.cache_clear()
    monkeypatch.setitem(sys.modules, "silero_vad", None)
    with pytest.raises(AudioError, match=r'pip install "\.\[vad\]"'):
        speech(silence(1))


@pytest.mark.usefixtures("three_threads")
@pytest.mark.parametrize("failure", [None, RuntimeError("the detector fails")])
def test_it_hears_on_one_thread_and_gives_the_others_back(
    monkeypatch: pytest.MonkeyPatch, failure: Exception | None
) -> None:
    while_heard, between = set[int](), set[int]()

    class Watched(Loudness):
        def __call__(self, window_T: torch.Tensor, rate_hz: int) -> torch.Tensor:
            while_heard.add(torch.get_num_threads())
            if failure:
                raise failure
            return super().__call__(window_T, rate_hz)

    def blocks() -> Iterator[np.ndarray]:
        for _ in range(2):
            yield tone(35)
            between.add(torch.get_num_threads())

    monkeypatch.setattr(activity, "load_detector", Watched)
    with pytest.raises(RuntimeError, match="fails") if failure else nullcontext():
        assert len(speech(blocks())) == 1
    assert while_heard == {1} and between <= {3} and torch.get_num_threads() == 3


@pytest.mark.usefixtures("silero")
@pytest.mark.parametrize("language", SENTENCES)
@pytest.mark.parametrize("noise", ["none", "white", "clatter", "quiet"])
def test_speech_is_found_between_silences_and_noise(language: str, noise: str) -> None:
    said_T = speak(SENTENCES[language], Voice(language)).samples_T
    sound_T = np.concatenate([silence(2), said_T, silence(3), said_T, silence(2)])
    generator, power = torch.Generator().manual_seed(1), float(np.square(said_T).mean())
    if noise in ("white", "clatter"):
        made_T = coloured_noise(len(sound_T), 0, generator) if noise == "white" else clatter(len(sound_T), 3, generator)
        sound_T = sound_T + made_T * np.float32(np.sqrt(power / 10))
    said_s = len(said_T) / 16_000
    found = speech(sound_T * np.float32(0.005 if noise == "quiet" else 1))
    for start_s in (2, 5 + said_s):
        heard_s = sum(max(0, min(end, start_s + said_s) - max(begin, start_s)) for begin, end in found)
        assert heard_s > 0.75 * said_s
    for begin, end in found:  # a padding of 0.1 s; and in noise the detector lets go some 0.2 s late
        assert any(start_s - 0.3 < begin and end < start_s + said_s + 0.5 for start_s in (2, 5 + said_s))


@pytest.mark.usefixtures("silero")
def test_noise_is_no_speech() -> None:
    generator = torch.Generator().manual_seed(2)
    count = 20 * 16_000
    noises = [coloured_noise(count, 1, generator), gusts(count, 1, 3, generator), clatter(count, 3, generator)]
    for noise_T in noises:
        assert sum(end - start for start, end in speech(noise_T * np.float32(0.05))) < 0.5


@pytest.mark.usefixtures("silero", "three_threads")
def test_the_detector_leaves_torch_as_it_was() -> None:
    activity._detector.cache_clear()
    sys.modules.pop("silero_vad.model", None)  # it sets the number of threads as it is imported
    sys.modules.pop("silero_vad", None)
    activity.load_detector()
    assert torch.get_num_threads() == 3
