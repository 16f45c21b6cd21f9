import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from earful.audio.microphone import saturate, through_microphone
from earful.errors import AudioError


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def tone(frequency_hz: float, seconds: float = 1.0) -> np.ndarray:
    return np.sin(2 * np.pi * frequency_hz * np.arange(round(16_000 * seconds)) / 16_000).astype(np.float32)


def power_db(samples_T: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(np.square(samples_T, dtype=np.float64))))


def response_db(ripple_db: float, seed: int) -> np.ndarray:
    """A microphone's response in each Hz, up to the factor that keeps the power, of what a click becomes."""
    click_T = np.zeros(16_000, np.float32)
    click_T[8_000] = 1
    return 20 * np.log10(np.abs(np.fft.rfft(through_microphone(click_T, ripple_db, seeded(seed)))))


@pytest.mark.parametrize("seed", range(4))
def test_a_microphones_response_is_smooth_and_as_deep_as_asked_for(seed: int) -> None:
    shallow_db, deep_db = response_db(3, seed), response_db(9, seed)
    level_db = np.median(deep_db - 3 * shallow_db)
    np.testing.assert_allclose(deep_db - level_db, 3 * shallow_db, atol=0.05)  # one shape, three times as deep
    assert 9 < np.ptp(deep_db) < 18.1
    octave_thirds_hz = np.geomspace(60, 7_900, 22).astype(int)
    assert np.abs(np.diff(deep_db[octave_thirds_hz])).max() < 6


def test_microphones_differ_and_move_nothing() -> None:
    assert np.abs(response_db(9, 0) - response_db(9, 1)).max() > 3
    click_T = np.zeros(4_000, np.float32)
    click_T[1_000] = 1
    for seed in range(5):
        assert np.argmax(np.abs(through_microphone(click_T, 10, seeded(seed)))) == 1_000


def test_a_ripple_of_0_db_is_no_change() -> None:
    np.testing.assert_allclose(through_microphone(tone(440), 0, seeded()), tone(440), atol=1e-5)


@pytest.mark.parametrize("hardness", [2.0, 4.0, 20.0])
@pytest.mark.parametrize("drive_db", [0.0, 6.0, 20.0])
def test_saturation_flattens_the_peaks_and_keeps_the_power(drive_db: float, hardness: float) -> None:
    ramp_T = np.linspace(-0.5, 0.5, 2_001, dtype=np.float32)
    flat_T = saturate(ramp_T, drive_db, hardness)
    assert power_db(flat_T) == pytest.approx(power_db(ramp_T), abs=1e-3)
    slope = np.diff(flat_T)
    assert slope.min() >= -1e-6 and slope[1000] > slope[-1]  # it rises all the way, ever more slowly
    np.testing.assert_allclose(flat_T, -flat_T[::-1], atol=1e-6)
    expected_T = (ramp_T * 2 * 10 ** (drive_db / 20)).astype(np.float64)
    expected_T /= (1 + np.abs(expected_T) ** hardness) ** (1 / hardness)  # Rapp 1991
    np.testing.assert_allclose(flat_T / flat_T.max(), expected_T / expected_T.max(), atol=1e-5)


def test_a_hard_ceiling_is_a_ceiling() -> None:
    flat_T = saturate(tone(100), 12, 20)
    assert np.mean(np.abs(flat_T) > 0.99 * flat_T.max()) > 0.75


@settings(max_examples=80, deadline=None)
@given(
    count=st.integers(0, 3_000),
    level=st.sampled_from([0.0, 1e-30, 1e-3, 1.0, 1e9]),
    db=st.floats(0, 60),
    hardness=st.floats(0.5, 50),
    seed=st.integers(0, 2**31),
)
def test_always_finite_float32_of_the_same_length(
    count: int, level: float, db: float, hardness: float, seed: int
) -> None:
    samples_T = (level * np.random.default_rng(seed).standard_normal(count)).astype(np.float32)
    for changed_T in (through_microphone(samples_T, db, seeded(seed)), saturate(samples_T, db, hardness)):
        assert changed_T.shape == (count,) and changed_T.dtype == np.float32 and np.isfinite(changed_T).all()
        if level == 0:
            assert not changed_T.any()


def test_bad_arguments() -> None:
    with pytest.raises(AudioError, match="mono"):
        through_microphone(np.zeros((2, 9), np.float32), 6, seeded())
    with pytest.raises(AudioError, match="mono"):
        saturate(np.zeros((2, 9), np.float32), 6)
    with pytest.raises(AudioError, match="hardness of the saturation is 0, must be above 0"):
        saturate(tone(440), 6, 0)
