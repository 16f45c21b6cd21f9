import sys

import numpy as np
import pytest

from earful.audio.denoise import denoise
from earful.errors import AudioError


def voice(seconds: float = 6.0) -> np.ndarray:
    """Something like a voice: harmonics of a moving pitch, in syllables with gaps between."""
    time_s = np.arange(round(16_000 * seconds)) / 16_000
    phase = np.cumsum(2 * np.pi * (140 + 25 * np.sin(2 * np.pi * 0.7 * time_s)) / 16_000)
    harmonics = sum(np.sin(k * phase) / k for k in range(1, 25))
    return (0.1 * harmonics * np.clip(np.sin(2 * np.pi * 2 * time_s), 0, 1) ** 0.7).astype(np.float32)


def ratio_db(heard_T: np.ndarray, clean_T: np.ndarray) -> float:
    return float(10 * np.log10(np.square(clean_T).sum() / np.square(heard_T - clean_T).sum()))


def without_rumble(samples_T: np.ndarray) -> np.ndarray:
    """Compare above 300 Hz, where the suppressor's high-pass filter leaves the waveform as it is."""
    spectrum = np.fft.rfft(samples_T)
    spectrum[np.fft.rfftfreq(len(samples_T), 1 / 16_000) < 300] = 0
    return np.fft.irfft(spectrum, len(samples_T))


@pytest.mark.parametrize("snr_db", [0.0, 5.0])
def test_steady_noise_falls_and_the_voice_stays(snr_db: float) -> None:
    pytest.importorskip("webrtc_noise_gain")
    clean_T = voice()
    noise_T = np.random.default_rng(0).standard_normal(len(clean_T)).astype(np.float32)
    noisy_T = clean_T + noise_T * clean_T.std() / noise_T.std() * np.float32(10 ** (-snr_db / 20))
    heard_T = denoise(noisy_T)
    late = slice(16_000, None)  # the suppressor needs a moment to learn the noise
    before_db = ratio_db(without_rumble(noisy_T)[late], without_rumble(clean_T)[late])
    after_db = ratio_db(without_rumble(heard_T)[late], without_rumble(clean_T)[late])
    assert after_db > before_db + 2
    gaps = clean_T[late] == 0
    assert 20 * np.log10(noisy_T[late][gaps].std() / heard_T[late][gaps].std()) > 8


@pytest.mark.parametrize("count", [0, 1, 159, 160, 161, 5_000])
def test_length_type_and_times_stay(count: int) -> None:
    pytest.importorskip("webrtc_noise_gain")
    clean_T = 3 * voice(0.5)[:count]  # beyond [-1, 1] as well
    heard_T = denoise(clean_T, strength=1)
    assert heard_T.shape == clean_T.shape and heard_T.dtype == np.float32
    if count == 5_000:
        lags = [float(np.dot(clean_T[200:-200], np.roll(heard_T, lag)[200:-200])) for lag in range(-60, 60)]
        assert abs(int(np.argmax(lags)) - 60) <= 20


def test_silence_stays_silent() -> None:
    assert not denoise(np.zeros(1_000, np.float32)).any()


def test_without_the_package_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "webrtc_noise_gain", None)
    with pytest.raises(AudioError, match=r'pip install "\.\[denoise\]"'):
        denoise(voice(0.1))


def test_bad_arguments() -> None:
    with pytest.raises(AudioError, match="finite mono"):
        denoise(np.full(9, np.nan, np.float32))
    with pytest.raises(AudioError, match="strength of the noise suppression is 9"):
        denoise(voice(0.1), strength=9)  # type: ignore[arg-type]
