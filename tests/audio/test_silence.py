"""Where certainly nobody speaks: silence, hum and steady noise are found, speech in noise is not taken for them."""

import numpy as np
import pytest

from earful.audio.silence import GRID_S, HOP_S, MARGIN_S, SHORTEST_S, silences, spoken
from earful.errors import AudioError

RATE = 16_000


def noise(seconds: float, level: float) -> np.ndarray:
    return np.random.default_rng(0).normal(0, level, round(seconds * RATE)).astype(np.float32)


def hum(seconds: float) -> np.ndarray:
    t = np.arange(round(seconds * RATE)) / RATE
    return (0.01 * np.sin(2 * np.pi * 50 * t) + 0.004 * np.sin(2 * np.pi * 150 * t)).astype(np.float32)


def syllables(seconds: float, level: float = 0.1) -> np.ndarray:
    """Tones that come and go four times a second, each higher than the one before."""
    t = np.arange(round(seconds * RATE)) / RATE
    pitch = 200 * (1 + np.floor(4 * t) % 5)
    tones = sum(np.sin(2 * np.pi * pitch * n * t) / n for n in (1, 2, 3, 4))
    return (level * tones * np.maximum(0, np.sin(2 * np.pi * 4 * t))).astype(np.float32)


@pytest.mark.parametrize(
    "sound_T",
    [np.zeros(80_000, np.float32), hum(5.0), noise(5.0, 1e-3), noise(5.0, 0.03), hum(5.0) + noise(5.0, 1e-4)],
    ids=["zeros", "hum", "faint", "hiss", "hum and hiss"],
)
def test_nobody_speaks(sound_T: np.ndarray) -> None:
    assert silences(sound_T).all() and not spoken(sound_T).any()


@pytest.mark.parametrize("snr_db", [60, 20, 10, 5])
def test_speech_in_noise_is_kept(snr_db: float) -> None:
    speech_T = syllables(6.0)
    level = float(np.sqrt(np.square(speech_T).mean())) * 10 ** (-snr_db / 20)
    assert not silences(speech_T + noise(6.0, level)).any()


@pytest.mark.parametrize("between", [np.zeros(160_000, np.float32), hum(10.0), noise(10.0, 1e-3)])
def test_a_gap_is_found_but_for_its_margins(between: np.ndarray) -> None:
    found_F = silences(np.concatenate([syllables(3.0), between, syllables(3.0)]))
    places_s = np.flatnonzero(found_F) * HOP_S
    assert 3.0 + MARGIN_S - 0.3 <= places_s[0] <= 3.0 + MARGIN_S + 1.5, "floors look 1.5 s around"
    assert 13.0 - MARGIN_S - 1.5 <= places_s[-1] <= 13.0 - MARGIN_S + 0.3
    assert np.ptp(places_s) == pytest.approx(HOP_S * (len(places_s) - 1)), "it is one"


def test_pauses_are_left_alone() -> None:
    pause = np.zeros(round((SHORTEST_S - 0.4) * RATE), np.float32)
    assert not silences(np.concatenate([syllables(3.0), pause, syllables(3.0)])).any()


def test_the_grid_keeps_what_is_partly_spoken() -> None:
    sound_T = np.concatenate([np.zeros(5 * RATE, np.float32), syllables(2.0)])
    quiet_F, spoken_G = silences(sound_T), spoken(sound_T)
    assert len(spoken_G) == -(-len(sound_T) // round(GRID_S * RATE)) and not spoken_G[0] and spoken_G[-1]
    step = round(GRID_S / HOP_S)
    for place in np.flatnonzero(~spoken_G):
        assert quiet_F[place * step : (place + 1) * step].all()


def test_one_vowel_is_steady_and_yet_speech() -> None:
    assert not silences(hum(1.5)).any()


def test_hardly_any_sound() -> None:
    assert len(silences(np.zeros(0, np.float32))) == 0 and len(silences(np.ones(1, np.float32))) == 1
    with pytest.raises(AudioError, match="expected mono"):
        silences(np.zeros((2, 9), np.float32))
