"""Waveform augmentation: speed, room, noise, telephone, gain. Pure functions on float32 samples [T], mono, 16 kHz.

Nothing here clips: values may leave [-1, 1]. Silence stays finite.
"""

import math
from dataclasses import dataclass

import numpy as np
import soxr
import torch
from numpy.typing import NDArray

from earful.errors import AudioError, ConfigError

Samples = NDArray[np.float32]
Range = tuple[float, float]

_RATE_HZ = 16_000
_TELEPHONE_HZ = (200.0, 300.0, 3400.0, 3900.0)  # the band rises and falls between these (ITU-T G.712's mask)
_FLAT_BELOW_HZ = 50.0  # coloured noise rises no further: below, its power would be inaudible
_SILENCE = 1e-20  # a mean power below this has no meaningful ratio to another
_FIRST_ECHO_S = 0.002
_PAD = _RATE_HZ // 20  # silence between the end and the start of an FFT, which is a circle


@dataclass(frozen=True)
class Augmentation:
    """How often each change happens, and the range it is drawn from (uniformly). The defaults suit clean speech."""

    speed_probability: float = 0.5
    speed: Range = (0.9, 1.1)
    room_probability: float = 0.3
    rt60_s: Range = (0.1, 0.6)
    direct_db: Range = (0.0, 12.0)
    noise_probability: float = 0.5
    snr_db: Range = (5.0, 30.0)
    noise_exponent: Range = (0.0, 2.0)
    telephone_probability: float = 0.1
    gain_probability: float = 0.8
    gain_db: Range = (-12.0, 6.0)

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if isinstance(value, float | int) and not 0 <= value <= 1:
                raise ConfigError(f"{name} is {value}, must be from 0 to 1")
            if not isinstance(value, float | int) and not (len(value) == 2 and value[0] <= value[1]):
                raise ConfigError(f"{name} is {value}, must be a lowest and a highest value")
        if self.speed[0] < 0.25 or self.speed[1] > 4 or self.rt60_s[0] <= 0:
            raise ConfigError(f"speed must lie within 0.25 to 4 and rt60_s above 0, got {self.speed} and {self.rt60_s}")


def augment(samples_T: Samples, augmentation: Augmentation, generator: torch.Generator) -> tuple[Samples, float]:
    """Change samples as the world does: the speaker's speed, then the room, the noise in it, the line and the level.

    Returns the samples and the speed factor f: what was at time t is now at t / f.
    Raises AudioError if the samples are not mono.

    >>> hiss_T = np.random.default_rng(0).standard_normal(16_000, dtype=np.float32)
    >>> samples_T, speed = augment(hiss_T, Augmentation(), torch.Generator().manual_seed(0))
    >>> len(samples_T) == round(16_000 / speed)
    True
    """
    _check_mono(samples_T)
    a = augmentation
    # A fixed number of draws a call, so that one option changes nothing about the others.
    happens = torch.rand(5, generator=generator, device=generator.device).tolist()
    speed, rt60_s, direct_db, snr_db, exponent, gain_db = _uniform(
        (a.speed, a.rt60_s, a.direct_db, a.snr_db, a.noise_exponent, a.gain_db), generator
    )
    speed = speed if happens[0] < a.speed_probability else 1.0
    samples_T = change_speed(samples_T, speed)
    if happens[1] < a.room_probability:
        samples_T = reverberate(samples_T, generator, rt60_s, direct_db)
    if happens[2] < a.noise_probability:
        samples_T = add_noise(samples_T, coloured_noise(len(samples_T), exponent, generator), snr_db)
    if happens[3] < a.telephone_probability:
        samples_T = telephone(samples_T)
    return change_gain(samples_T, gain_db) if happens[4] < a.gain_probability else samples_T, speed


def change_gain(samples_T: Samples, gain_db: float) -> Samples:
    """Make samples louder (> 0 dB) or softer; nothing is clipped."""
    return samples_T * np.float32(10 ** (gain_db / 20))


def change_speed(samples_T: Samples, factor: float) -> Samples:
    """Play samples `factor` times as fast, pitch and tempo together: round(T / factor) samples (Ko et al. 2015).

    Raises AudioError if the factor is not from 0.25 to 4.
    """
    _check_mono(samples_T)
    if not 0.25 <= factor <= 4:
        raise AudioError(f"speed factor is {factor}, must be from 0.25 to 4")
    if factor == 1 or len(samples_T) == 0:
        return samples_T
    played_T = soxr.resample(samples_T.astype(np.float32, copy=False), factor, 1.0, quality="MQ")
    return _fitted(played_T, max(1, round(len(samples_T) / factor)))


def add_noise(samples_T: Samples, noise_T: Samples, snr_db: float) -> Samples:
    """Add noise at a signal-to-noise ratio of mean powers; short noise is repeated, long noise is cut at the end.

    Silence has no such ratio: if either is silent, the samples come back as they are.
    Raises AudioError if one of them is not mono.
    """
    _check_mono(samples_T)
    _check_mono(noise_T)
    if len(noise_T) == 0:
        return samples_T
    noise_T = np.resize(noise_T, len(samples_T))
    signal_power, noise_power = _power(samples_T), _power(noise_T)
    if min(signal_power, noise_power) < _SILENCE:
        return samples_T
    return samples_T + noise_T * np.float32(math.sqrt(signal_power / noise_power) * 10 ** (-snr_db / 20))


def coloured_noise(count: int, exponent: float, generator: torch.Generator) -> Samples:
    """Make `count` samples of Gaussian noise of power 1 with spectrum 1 / f^exponent: 0 white, 1 pink, 2 brown.

    Below 50 Hz the spectrum is flat, and there is no DC (Timmer & König 1995, by random Fourier coefficients).
    """
    size = _fft_size(count)
    shape = (size // 2 + 1, 2)
    parts = torch.randn(shape, generator=generator, device=generator.device).cpu().numpy()
    frequency_hz = np.fft.rfftfreq(size, 1 / _RATE_HZ)
    slope = np.maximum(frequency_hz, _FLAT_BELOW_HZ) ** (-exponent / 2)
    slope[0] = 0
    noise_T = np.fft.irfft(parts.view(np.complex64)[:, 0] * slope.astype(np.float32), size)[:count]
    power = _power(noise_T)
    return (noise_T / math.sqrt(max(power, _SILENCE))).astype(np.float32)


def reverberate(samples_T: Samples, generator: torch.Generator, rt60_s: float, direct_db: float = 6.0) -> Samples:
    """Put samples into a synthetic room: Gaussian noise that decays by 60 dB in `rt60_s`, after the direct sound.

    `direct_db` is the power of the direct sound over that of the echoes (some 12 dB at arm's length, 0 across a room).
    The direct sound stays where it was, so label times stay true; the length and the mean power stay as well.
    Source: Polack 1988, the stochastic model of late reverberation.
    """
    _check_mono(samples_T)
    if not rt60_s > 0:
        raise AudioError(f"reverberation time is {rt60_s} s, must be above 0")
    power = _power(samples_T)
    if power < _SILENCE:
        return samples_T
    response_T = _room(generator, rt60_s, direct_db)
    size = _fft_size(len(samples_T) + len(response_T))
    product = np.fft.rfft(samples_T, size) * np.fft.rfft(response_T, size)
    echoing_T = np.fft.irfft(product, size)[: len(samples_T)]
    level = math.sqrt(power / max(_power(echoing_T), _SILENCE))
    return (echoing_T * level).astype(np.float32)


def telephone(samples_T: Samples) -> Samples:
    """Limit samples to a telephone's band, 300 to 3400 Hz, nothing above 3900 Hz (as sampled at 8 kHz)."""
    _check_mono(samples_T)
    size = _fft_size(len(samples_T) + _PAD)
    low, rise, fall, high = _TELEPHONE_HZ
    frequency_hz = np.fft.rfftfreq(size, 1 / _RATE_HZ)
    edge = np.minimum((frequency_hz - low) / (rise - low), (high - frequency_hz) / (high - fall))
    band = np.sin(np.pi / 2 * np.clip(edge, 0, 1)) ** 2
    passed_T = np.fft.irfft(np.fft.rfft(samples_T, size) * band.astype(np.float32), size)
    return passed_T[: len(samples_T)].astype(np.float32)


def _room(generator: torch.Generator, rt60_s: float, direct_db: float) -> Samples:
    count = max(2, round(rt60_s * _RATE_HZ))
    echo_T = torch.randn(count, generator=generator, device=generator.device).cpu().numpy()
    echo_T *= np.exp(-3 * np.log(10) / rt60_s * np.arange(count, dtype=np.float32) / _RATE_HZ)
    echo_T[: min(count - 1, round(_FIRST_ECHO_S * _RATE_HZ))] = 0
    echo_T *= np.float32(10 ** (-direct_db / 20) / np.sqrt(np.square(echo_T).sum()))
    echo_T[0] += 1  # the direct sound, of power 1
    return echo_T


def _uniform(ranges: tuple[Range, ...], generator: torch.Generator) -> list[float]:
    chances = torch.rand(len(ranges), generator=generator, device=generator.device).tolist()
    return [low + chance * (high - low) for (low, high), chance in zip(ranges, chances, strict=True)]


def _power(samples_T: NDArray[np.floating]) -> float:
    return float(np.mean(np.square(samples_T, dtype=np.float64))) if len(samples_T) else 0.0


def _fitted(samples_T: Samples, count: int) -> Samples:
    return samples_T[:count] if len(samples_T) >= count else np.pad(samples_T, (0, count - len(samples_T)))


def _fft_size(count: int) -> int:
    """The smallest 2^a · 3^b · 5^c (b, c ≤ 2; a ≥ 1) that is not less than `count`: there FFTs are fast."""
    odd: list[int] = [3**b * 5**c for b in range(3) for c in range(3)]
    return min(factor << max(1, (-(-count // factor) - 1).bit_length()) for factor in odd)


def _check_mono(samples_T: Samples) -> None:
    if samples_T.ndim != 1:
        raise AudioError(f"expected mono samples [T], got shape {samples_T.shape}")
