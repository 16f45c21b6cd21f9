import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earful.audio.vocal_tract import change_vocal_tract
from earful.errors import AudioError

FORMANTS_HZ = (600.0, 1700.0, 2700.0)


def vowel(pitch_hz: float, formants_hz: tuple[float, ...] = FORMANTS_HZ) -> np.ndarray:
    """One second of a voice: pulses of a slightly moving pitch through resonances 90 Hz wide (Fant 1960)."""
    count = 16_000
    time_s = np.arange(count) / 16_000
    turns = np.cumsum(pitch_hz * (1 + 0.02 * np.sin(2 * np.pi * 3 * time_s))) / 16_000
    pulses_T = np.diff(np.floor(turns), prepend=0.0)
    delay = np.exp(-2j * np.pi * np.fft.rfftfreq(count))
    response = 1 / (1 - 0.9 * delay)
    radius = np.exp(-np.pi * 90 / 16_000)
    for formant_hz in (*formants_hz, 3_700.0, 4_800.0):
        response /= 1 - 2 * radius * np.cos(2 * np.pi * formant_hz / 16_000) * delay + (radius * delay) ** 2
    voice_T = np.fft.irfft(np.fft.rfft(pulses_T) * response, count)
    return (0.5 * voice_T / np.abs(voice_T).max()).astype(np.float32)


def formants_of(samples_T: np.ndarray, order: int = 14) -> np.ndarray:
    """The first three formants in Hz, by linear prediction on the mean autocorrelation (Makhoul 1975)."""
    flat_T = np.diff(samples_T.astype(np.float64))
    frames = np.lib.stride_tricks.sliding_window_view(flat_T, 480)[::160] * np.hamming(480)
    correlation = np.fft.irfft(np.square(np.abs(np.fft.rfft(frames, 1024))).mean(0))[: order + 1]
    lags = np.abs(np.subtract.outer(np.arange(order), np.arange(order)))
    roots = np.roots(np.r_[1, -np.linalg.solve(correlation[lags], correlation[1:])])
    roots = roots[(roots.imag > 0) & (np.abs(roots) > 0.9)]
    return np.sort(np.angle(roots))[:3] * 16_000 / (2 * np.pi)


def pitch_of(samples_T: np.ndarray) -> float:
    spectrum = np.square(np.abs(np.fft.rfft(samples_T, 1 << 15)))
    return 16_000 / (60 + int(np.argmax(np.fft.irfft(spectrum)[60:200])))


@pytest.mark.parametrize("pitch_hz", [100, 150, 220])
@pytest.mark.parametrize("factor", [0.85, 0.92, 1.08, 1.15])
def test_formants_move_by_the_factor_and_pitch_stays(factor: float, pitch_hz: float) -> None:
    """The reference is the vowel of a throat that is made with moved formants, heard by the same linear prediction."""
    before_T = vowel(pitch_hz)
    after_T = change_vocal_tract(before_T, factor)
    wanted = formants_of(vowel(pitch_hz, tuple(factor * formant_hz for formant_hz in FORMANTS_HZ)))
    error = np.abs(formants_of(after_T) / wanted - 1)
    assert error[0] < 0.07 and error[1:].max() < 0.03  # few harmonics lie near F1, so it is known less well
    assert error.mean() < 0.4 * np.abs(formants_of(before_T) / wanted - 1).mean()
    assert pitch_of(after_T) == pytest.approx(pitch_of(before_T), rel=0.01)
    assert np.square(after_T).sum() == pytest.approx(np.square(before_T).sum(), rel=1e-3)


def test_there_and_back_is_nearly_no_change() -> None:
    before_T = vowel(120)
    there_T = change_vocal_tract(before_T, 1.1)
    back_T = change_vocal_tract(there_T, 1 / 1.1)
    error_there, error_back = (np.square(x_T - before_T).sum() / np.square(before_T).sum() for x_T in (there_T, back_T))
    assert error_back < 0.05 < error_there


def test_times_stay() -> None:
    click_T = np.zeros(4_000, np.float32)
    click_T[1_234] = 1
    for factor in (0.85, 1.15):
        assert np.argmax(np.abs(change_vocal_tract(click_T, factor))) == 1_234
    late_T = np.concatenate([np.zeros(8_000, np.float32), vowel(120)[:8_000]])
    changed_T = change_vocal_tract(late_T, 1.15)
    assert np.square(changed_T[: 8_000 - 512]).sum() == 0  # no sound comes before its window


def test_frames_join_without_a_seam() -> None:
    np.testing.assert_array_equal(change_vocal_tract(vowel(120), 1), vowel(120))
    np.testing.assert_allclose(change_vocal_tract(vowel(120), 1 + 1e-9), vowel(120), atol=1e-5)


@settings(max_examples=60, deadline=None)
@given(
    count=st.integers(0, 3_000),
    level=st.sampled_from([0.0, 1e-30, 1e-6, 1.0, 1e9]),
    factor=st.floats(0.5, 2),
    seed=st.integers(0, 2**31),
)
def test_always_finite_float32_of_the_same_length(count: int, level: float, factor: float, seed: int) -> None:
    samples_T = (level * np.random.default_rng(seed).standard_normal(count)).astype(np.float32)
    changed_T = change_vocal_tract(samples_T, factor)
    assert changed_T.shape == (count,) and changed_T.dtype == np.float32 and np.isfinite(changed_T).all()
    if level == 0:
        assert not changed_T.any()


def test_bad_arguments() -> None:
    with pytest.raises(AudioError, match=r"vocal-tract factor is 2\.5, must be from 0\.5 to 2\.0"):
        change_vocal_tract(vowel(120), 2.5)
    with pytest.raises(AudioError, match="mono"):
        change_vocal_tract(np.zeros((2, 9), np.float32), 1.1)
