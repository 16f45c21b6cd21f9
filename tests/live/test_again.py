"""A recording that is heard again as it goes on says what `transcribe` says of the whole, to the last bit."""

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from earful.live import again
from earful.live.again import Again
from earful.runner import Runner

RATE = 16_000
TEXT = "abba cab acca bac caba ba ac ab cab abba bacca cab "


def silence(seconds: float) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 1e-4, round(seconds * RATE)).astype(np.float32)


def noisy(samples_T: np.ndarray) -> np.ndarray:
    return samples_T + np.random.default_rng(1).normal(0, 0.01, len(samples_T)).astype(np.float32)


def heard_again(heard: Again, samples_T: np.ndarray, size: int) -> Again:
    for begin in range(0, len(samples_T), size):
        heard.add(samples_T[begin : begin + size])
        while heard.waits_s >= 0:
            heard.hear()
    return heard


@pytest.fixture(scope="module", params=["the best path", "a search"])
def runner(request: pytest.FixtureRequest, tiny_base: Path) -> Runner:
    """A network: what it hears hangs on all that lies around, so windows must be the same."""
    return Runner.load(tiny_base, hot={"ab": 1.0} if request.param == "a search" else None, threads=1)


CUTS = [(0.3, 320), (14.9, 7_001), (15.0, 320), (15.0, 10**9), (16.0, 7_001), (30.0, 7_001), (31.7, 320), (31.7, 10**9)]
CUTS += [(50.0, 7_001)]
OTHERS = sorted({*product([0.3, 14.9, 15.0, 16.0, 30.0, 31.7, 50.0], [320, 7_001, 10**9])} - {*CUTS})


@pytest.mark.parametrize(("seconds", "size"), [*CUTS, *(pytest.param(*cut, marks=pytest.mark.slow) for cut in OTHERS)])
def test_it_says_what_transcribe_says(runner: Runner, tones: Any, seconds: float, size: int) -> None:
    parts = [tones(TEXT), silence(6), tones(TEXT * 2), silence(9.3), tones(TEXT * 2)]
    sound = noisy(np.concatenate(parts))[: round(seconds * RATE)]
    assert heard_again(Again(runner), sound, size).end() == runner.transcribe(sound)


def test_stretches_are_decoded_as_they_end(tones_heard: Any, tones: Any) -> None:
    """Of what is over only the letters are held."""
    heard = heard_again(Again(tones_heard()), np.concatenate([tones(TEXT * 3), silence(30)]), 1600)
    assert len(heard._letters) == 36 and len(heard._logp_FV) < 15 / 0.02
    assert len(heard._held_T) / RATE < 15 + 2 * 1.8 + 0.1
    assert heard.end().text == (TEXT * 3).strip()


def test_a_stretch_of_hours_is_cut_in_a_pause(tones_heard: Any, tones: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(again, "LONGEST_S", 40.0)
    monkeypatch.setattr(again, "_CUT_S", 20.0)
    sound = tones(f"{TEXT} " * 12)
    heard = heard_again(Again(tones_heard()), sound, 1600)
    assert len(heard._logp_FV) * 0.02 <= 40 + 15 and len(heard._letters) > 60
    found, whole = heard.end(), tones_heard().transcribe(sound)
    assert found.text == whole.text == (TEXT * 12).strip()
    assert [word.start_s for word in found.words] == [word.start_s for word in whole.words]


def test_nothing_is_said_in_no_sound(tones_heard: Any) -> None:
    assert Again(tones_heard()).end().words == ()
