import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from earful.audio.noise import add_noise, babble, clatter, coloured_noise, gusts, unsteady_noise
from earful.errors import AudioError

MAKERS = {
    "white": lambda count, generator: coloured_noise(count, 0, generator),
    "gusts": lambda count, generator: gusts(count, 1.0, 4.0, generator),
    "babble": lambda count, generator: babble(count, 6, generator),
    "clatter": lambda count, generator: clatter(count, 3.0, generator),
    "unsteady": unsteady_noise,
}


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def tone(frequency_hz: float, seconds: float = 1.0) -> np.ndarray:
    return np.sin(2 * np.pi * frequency_hz * np.arange(round(16_000 * seconds)) / 16_000).astype(np.float32)


def power_db(samples_T: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(np.square(samples_T, dtype=np.float64))))


def levels_db(samples_T: np.ndarray, window: int = 800) -> np.ndarray:
    """The power of each 50 ms."""
    return 10 * np.log10(np.square(samples_T).reshape(-1, window).mean(1) + 1e-12)


@pytest.mark.parametrize("snr_db", [-5.0, 0.0, 20.0])
@pytest.mark.parametrize("noise_count", [100, 16_000, 40_000])
def test_noise_arrives_at_the_ratio_asked_for(snr_db: float, noise_count: int) -> None:
    clean_T = tone(440)
    noisy_T = add_noise(clean_T, coloured_noise(noise_count, 0, seeded()), snr_db)
    assert power_db(clean_T) - power_db(noisy_T - clean_T) == pytest.approx(snr_db, abs=0.01)


def test_silence_has_no_ratio() -> None:
    silence_T, noise_T = np.zeros(100, np.float32), coloured_noise(100, 0, seeded())
    np.testing.assert_array_equal(add_noise(silence_T, noise_T, 10), silence_T)
    np.testing.assert_array_equal(add_noise(noise_T, silence_T, 10), noise_T)


@pytest.mark.parametrize("exponent", [0.0, 1.0, 2.0])
def test_the_colour_of_noise_is_its_slope(exponent: float) -> None:
    noise_T = coloured_noise(1 << 17, exponent, seeded())
    power = np.square(np.abs(np.fft.rfft(noise_T)))
    octaves_hz = [(250, 500), (500, 1000), (1000, 2000), (2000, 4000)]
    density_db = [10 * np.log10(power[int(a * 8.192) : int(b * 8.192)].mean()) for a, b in octaves_hz]
    np.testing.assert_allclose(np.diff(density_db), -3.01 * exponent, atol=0.4)
    assert power_db(noise_T) == pytest.approx(0, abs=0.01)


@settings(max_examples=60, deadline=None)
@given(name=st.sampled_from(sorted(MAKERS)), count=st.integers(0, 40_000), seed=st.integers(0, 2**31))
def test_all_noise_is_finite_of_its_length_and_of_power_one(name: str, count: int, seed: int) -> None:
    noise_T = MAKERS[name](count, seeded(seed))
    assert noise_T.shape == (count,) and noise_T.dtype == np.float32 and np.isfinite(noise_T).all()
    if count > 16_000:
        assert power_db(noise_T) == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_the_generator_alone_decides(name: str) -> None:
    first_T, again_T, other_T = (MAKERS[name](4_000, seeded(seed)) for seed in (1, 1, 2))
    assert np.array_equal(first_T, again_T) and not np.array_equal(first_T, other_T)


@pytest.mark.parametrize("name", ["gusts", "babble", "clatter"])
def test_unsteady_noise_wanders_in_level_and_white_noise_does_not(name: str) -> None:
    steady = levels_db(MAKERS["white"](160_000, seeded())).std()
    assert steady < 0.6 and np.mean([levels_db(MAKERS[name](160_000, seeded(s))).std() for s in range(4)]) > 4 * steady


@pytest.mark.parametrize("rate_hz", [1.0, 4.0])
def test_gusts_wander_at_their_rate(rate_hz: float) -> None:
    level = levels_db(gusts(160_000 * 3, 0.0, rate_hz, seeded()))  # 20 values a second
    strength = np.square(np.abs(np.fft.rfft(level - level.mean())))
    centre_hz = float(strength @ np.fft.rfftfreq(len(level), 0.05) / strength.sum())
    assert 0.3 * rate_hz < centre_hz < 1.2 * rate_hz


def test_babble_falls_like_speech_and_beats_in_syllables() -> None:
    noise_T = babble(160_000, 3, seeded())
    strength = np.square(np.abs(np.fft.rfft(noise_T)))
    bands_hz = [(200, 800), (1_000, 2_000), (3_000, 6_000)]
    low_db, middle_db, high_db = (10 * np.log10(strength[a * 10 : b * 10].mean()) for a, b in bands_hz)
    assert low_db > middle_db + 6 > high_db + 12
    level = levels_db(noise_T)
    beat = np.square(np.abs(np.fft.rfft(level - level.mean())))
    assert 1 < float(beat @ np.fft.rfftfreq(len(level), 0.05) / beat.sum()) < 6


def test_unsteady_noise_is_of_more_than_one_kind() -> None:
    """Sharp peaks tell clatter, level and spectrum tell babble from gusts; here it is enough that the draws differ."""
    peaks = [float(np.abs(unsteady_noise(16_000, seeded(seed))).max()) for seed in range(12)]
    assert min(peaks) < 6 < 9 < max(peaks)


def test_bad_arguments() -> None:
    with pytest.raises(AudioError, match="mono"):
        add_noise(tone(440), np.zeros((2, 9), np.float32), 10)
