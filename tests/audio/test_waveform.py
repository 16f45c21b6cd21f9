import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earful.audio.waveform import check_mono, fft_size, filtered, fitted, power, with_power
from earful.errors import AudioError


@given(st.integers(0, 2_000_000))
def test_an_fft_is_large_enough_even_and_of_small_factors(count: int) -> None:
    size = fft_size(count)
    assert size >= max(count, 2) and size % 2 == 0 and size <= max(2, 1.35 * count)
    for factor in (2, 3, 5):
        while size % factor == 0:
            size //= factor
    assert size == 1


def test_power_is_what_it_is_set_to() -> None:
    hiss_T = np.random.default_rng(0).standard_normal(5_000).astype(np.float32)
    assert power(with_power(hiss_T, 0.25)) == pytest.approx(0.25, rel=1e-5)
    assert not with_power(np.zeros(9, np.float32), 1.0).any() and power(np.zeros(0, np.float32)) == 0


def test_lengths_are_made_to_fit() -> None:
    assert fitted(np.ones(3, np.float32), 2).tolist() == [1, 1]
    assert fitted(np.ones(2, np.float32), 3).tolist() == [1, 1, 0]


def test_a_filter_scales_each_frequency_and_does_not_wrap_around() -> None:
    step_T = np.r_[np.zeros(900), np.ones(100)].astype(np.float32)
    np.testing.assert_allclose(filtered(step_T, lambda hz: np.full_like(hz, 2.0)), 2 * step_T, atol=1e-5)
    smooth_T = filtered(step_T, lambda hz: np.exp(-np.square(hz / 1_000)))
    assert np.abs(smooth_T[:200]).max() < 1e-4  # the loud end is not heard at the start


def test_bad_arguments() -> None:
    with pytest.raises(AudioError, match=r"expected mono samples \[T\], got shape \(2, 3\)"):
        check_mono(np.zeros((2, 3), np.float32))
