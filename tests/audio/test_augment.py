import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from earful.audio.augment import (
    Augmentation,
    add_noise,
    augment,
    change_gain,
    change_speed,
    coloured_noise,
    reverberate,
    telephone,
)
from earful.errors import AudioError, ConfigError

ALWAYS = Augmentation(
    speed_probability=1, room_probability=1, noise_probability=1, telephone_probability=1, gain_probability=1
)
NEVER = Augmentation(
    speed_probability=0, room_probability=0, noise_probability=0, telephone_probability=0, gain_probability=0
)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def tone(frequency_hz: float, seconds: float = 1.0) -> np.ndarray:
    return np.sin(2 * np.pi * frequency_hz * np.arange(round(16_000 * seconds)) / 16_000).astype(np.float32)


def power_db(samples_T: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(np.square(samples_T, dtype=np.float64))))


def peak_hz(samples_T: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(samples_T * np.hanning(len(samples_T))))
    return float(np.argmax(spectrum) * 16_000 / len(samples_T))


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


@pytest.mark.parametrize("factor", [0.8, 0.9, 1.0, 1.0712345, 1.1, 2.0])
def test_speed_moves_pitch_and_times_together(factor: float) -> None:
    played_T = change_speed(tone(1_000), factor)
    assert len(played_T) == round(16_000 / factor)
    assert peak_hz(played_T) == pytest.approx(1_000 * factor, abs=2)
    click_T = np.zeros(16_000, np.float32)
    click_T[8_000] = 1
    assert np.argmax(change_speed(click_T, factor)) == pytest.approx(8_000 / factor, abs=1)


def test_gain_is_in_decibels() -> None:
    assert power_db(change_gain(tone(440), -6)) == pytest.approx(power_db(tone(440)) - 6, abs=1e-3)
    assert np.abs(change_gain(tone(440), 12)).max() > 3  # not clipped


@pytest.mark.parametrize("rt60_s", [0.2, 0.5])
def test_a_room_decays_by_60_db_and_leaves_the_direct_sound_in_place(rt60_s: float) -> None:
    click_T = np.zeros(16_000, np.float32)
    click_T[1_000] = 1
    wet_T = reverberate(click_T, seeded(), rt60_s, direct_db=6.0)
    assert len(wet_T) == 16_000 and np.argmax(np.abs(wet_T)) == 1_000
    assert np.abs(wet_T[:1_000]).max() < 1e-4  # nothing comes before the direct sound
    assert power_db(wet_T) == pytest.approx(power_db(click_T), abs=0.01)
    direct_over_echo_db = 20 * np.log10(wet_T[1_000]) - 10 * np.log10(np.square(wet_T[1_001:]).sum())
    assert direct_over_echo_db == pytest.approx(6, abs=0.1)
    early_db, late_db = power_db(wet_T[1_100:1_900]), power_db(wet_T[1_100 + 1_600 : 1_900 + 1_600])
    assert early_db - late_db == pytest.approx(60 * 0.1 / rt60_s, abs=1.5)


def test_a_telephone_passes_its_band_only() -> None:
    for frequency_hz, change_db in [(440, 0), (1_000, 0), (3_000, 0)]:
        assert power_db(telephone(tone(frequency_hz))) == pytest.approx(
            power_db(tone(frequency_hz)) + change_db, abs=0.1
        )
    for frequency_hz in (100, 4_000, 6_000):
        assert power_db(telephone(tone(frequency_hz))[1_000:-1_000]) < power_db(tone(frequency_hz)) - 40


def test_nothing_happens_when_nothing_may() -> None:
    samples_T = tone(440)
    changed_T, speed = augment(samples_T, NEVER, seeded())
    assert speed == 1 and np.array_equal(changed_T, samples_T)


def test_the_generator_alone_decides() -> None:
    first_T, first_speed = augment(tone(440), ALWAYS, seeded(1))
    again_T, again_speed = augment(tone(440), ALWAYS, seeded(1))
    other_T, other_speed = augment(tone(440), ALWAYS, seeded(2))
    assert first_speed == again_speed != other_speed
    assert np.array_equal(first_T, again_T) and not np.array_equal(first_T[:9_000], other_T[:9_000])


def test_switching_one_change_off_leaves_the_other_draws_alone() -> None:
    quiet = Augmentation(speed_probability=1, telephone_probability=0)
    line = Augmentation(speed_probability=1, telephone_probability=1)
    assert augment(tone(440), quiet, seeded())[1] == augment(tone(440), line, seeded())[1]


@settings(max_examples=40, deadline=None)
@given(count=st.integers(0, 3_000), level=st.sampled_from([0.0, 1e-30, 1e-3, 1.0, 1e4]), seed=st.integers(0, 2**31))
def test_always_finite_float32_of_the_expected_length(count: int, level: float, seed: int) -> None:
    samples_T = (level * np.random.default_rng(seed).standard_normal(count)).astype(np.float32)
    changed_T, speed = augment(samples_T, ALWAYS, seeded(seed))
    assert changed_T.dtype == np.float32 and np.isfinite(changed_T).all()
    assert len(changed_T) == (0 if count == 0 else max(1, round(count / speed)))
    assert 0.9 <= speed <= 1.1
    if level == 0:
        assert not changed_T.any()


def test_bad_arguments() -> None:
    with pytest.raises(AudioError, match="mono"):
        augment(np.zeros((2, 9), np.float32), NEVER, seeded())
    with pytest.raises(AudioError, match="speed factor is 0, must be"):
        change_speed(tone(440), 0)
    with pytest.raises(AudioError, match="reverberation time"):
        reverberate(tone(440), seeded(), 0)
    with pytest.raises(ConfigError, match=r"room_probability is 1\.5"):
        Augmentation(room_probability=1.5)
    with pytest.raises(ConfigError, match="snr_db"):
        Augmentation(snr_db=(20, 10))
    with pytest.raises(ConfigError, match="speed"):
        Augmentation(speed=(0.0, 1.0))
