"""Common parts of all waveform changes: type and power, a filter without delay, sizes of fast FFTs."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from earful.audio.files import SAMPLE_RATE_HZ
from earful.errors import AudioError

Samples = NDArray[np.float32]
Spectrum = NDArray[np.floating]

SILENCE = 1e-20  # a mean power below this has no meaningful ratio to another
_PAD = SAMPLE_RATE_HZ // 20  # silence between the end and the start of an FFT, which is a circle


def power(samples_T: NDArray[np.floating]) -> float:
    """The mean power of samples; 0 if there are none."""
    return float(np.mean(np.square(samples_T, dtype=np.float64))) if len(samples_T) else 0.0


def with_power(samples_T: NDArray[np.floating], wanted: float) -> Samples:
    """Scale samples to a mean power; silence stays silence."""
    return (samples_T * math.sqrt(wanted / max(power(samples_T), SILENCE))).astype(np.float32)


def fitted(samples_T: Samples, count: int) -> Samples:
    """Cut samples to `count`, or add silence at the end."""
    return samples_T[:count] if len(samples_T) >= count else np.pad(samples_T, (0, count - len(samples_T)))


def filtered(samples_T: Samples, response: Callable[[Spectrum], Spectrum]) -> Samples:
    """Filter samples without delay (zero phase); `response` gives the factor for each frequency in Hz."""
    size = fft_size(len(samples_T) + _PAD)
    frequency_hz = np.fft.rfftfreq(size, 1 / SAMPLE_RATE_HZ)
    spectrum = np.fft.rfft(samples_T, size) * response(frequency_hz).astype(np.float32)
    return np.fft.irfft(spectrum, size)[: len(samples_T)].astype(np.float32)


def fft_size(count: int) -> int:
    """The smallest 2^a · 3^b · 5^c (b, c ≤ 2; a ≥ 1) that is not less than `count`: there FFTs are fast."""
    odd: list[int] = [3**b * 5**c for b in range(3) for c in range(3)]
    return min(factor << max(1, (-(-count // factor) - 1).bit_length()) for factor in odd)


def check_mono(samples_T: Samples) -> None:
    """Raises AudioError if the samples are not [T]."""
    if samples_T.ndim != 1:
        raise AudioError(f"expected mono samples [T], got shape {samples_T.shape}")
