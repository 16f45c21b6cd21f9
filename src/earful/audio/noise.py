"""Noise from a random generator, none of it recorded (steady, gusts, babble, clatter), and its addition to a signal."""

import math

import numpy as np
import torch
from numpy.typing import NDArray

from earful.audio.files import SAMPLE_RATE_HZ
from earful.audio.waveform import SILENCE, Samples, check_mono, fft_size, power, with_power

_FLAT_BELOW_HZ = 50.0  # coloured noise rises no further: below, its power would be inaudible
_GUST_DB = 8.0  # standard deviation of the level
# Of a babbling voice: centre Hz, width Hz, dB.
_BANDS = ((400.0, 300.0, 0.0), (1500.0, 400.0, -2.0), (2600.0, 500.0, -5.0))
_HISS = (5000.0, 1500.0, -16.0)  # its fricatives; with a saw's own fall, roughly the mean of speech (Byrne et al. 1994)
_BURST_S = 0.4


def add_noise(samples_T: Samples, noise_T: Samples, snr_db: float) -> Samples:
    """Add noise at a signal-to-noise ratio of mean powers; short noise is repeated, long noise is cut at the end.

    Silence has no such ratio: if either is silent, the samples are returned unchanged.
    Raises AudioError if one of them is not mono.
    """
    check_mono(samples_T)
    check_mono(noise_T)
    if len(noise_T) == 0:
        return samples_T
    noise_T = np.resize(noise_T, len(samples_T))
    signal_power, noise_power = power(samples_T), power(noise_T)
    if min(signal_power, noise_power) < SILENCE:
        return samples_T
    return samples_T + noise_T * np.float32(math.sqrt(signal_power / noise_power) * 10 ** (-snr_db / 20))


def coloured_noise(count: int, exponent: float, generator: torch.Generator) -> Samples:
    """Make `count` samples of Gaussian noise of power 1 with spectrum 1 / f^exponent: 0 white, 1 pink, 2 brown.

    Below 50 Hz the spectrum is flat, and there is no DC (Timmer & König 1995, by random Fourier coefficients).
    """
    size = fft_size(count)
    parts = _normal((size // 2 + 1) * 2, generator)
    frequency_hz = np.fft.rfftfreq(size, 1 / SAMPLE_RATE_HZ)
    slope = np.maximum(frequency_hz, _FLAT_BELOW_HZ) ** (-exponent / 2)
    slope[0] = 0
    noise_T = np.fft.irfft(parts.view(np.complex64) * slope.astype(np.float32), size)[:count]
    return (noise_T / math.sqrt(max(power(noise_T), SILENCE))).astype(np.float32)


def unsteady_noise(count: int, generator: torch.Generator) -> Samples:
    """Make `count` samples of changing noise of power 1: gusts, babble or clatter, equally often."""
    kind, first, second = _between([0, 0, 0], [3, 1, 1], generator)
    if kind < 1:
        return gusts(count, 2 * first, 1 + 7 * second, generator)
    if kind < 2:
        return babble(count, 3 + int(6 * first), generator)
    return clatter(count, 1 + 5 * first, generator)


def gusts(count: int, exponent: float, rate_hz: float, generator: torch.Generator) -> Samples:
    """Coloured noise whose level wanders by some 8 dB, `rate_hz` times a second: wind, passing cars, a crowd."""
    level_db = _GUST_DB * _wander(count, rate_hz, generator)
    return with_power(coloured_noise(count, exponent, generator) * 10 ** (level_db / 20), 1.0)


def babble(count: int, voices: int, generator: torch.Generator) -> Samples:
    """Voices that talk at once, in no language: buzzes of varying pitch, in syllables, in bands like formants."""
    size = fft_size(count)
    frequency_hz = np.fft.rfftfreq(size, 1 / SAMPLE_RATE_HZ)
    bands = np.zeros((len(_BANDS) + 1, count), np.float32)
    for _ in range(voices):
        pitch, rate_hz = _between([math.log(90), 3], [math.log(250), 6], generator)
        syllables_T = np.maximum(_wander(count, rate_hz, generator) + np.float32(0.3), 0)
        buzz_T = _saw(np.exp(pitch + 0.12 * _wander(count, 1.5, generator))) * syllables_T
        for band_T in bands[:-1]:
            band_T += buzz_T * np.exp(0.7 * _wander(count, rate_hz, generator))
        bands[-1] += np.maximum(_wander(count, rate_hz, generator) - np.float32(0.5), 0)
    bands[-1] *= _normal(count, generator)
    spectrum = np.zeros(len(frequency_hz), np.complex64)
    for band_T, (centre_hz, width_hz, level_db) in zip(bands, (*_BANDS, _HISS), strict=True):
        shape = 10 ** (level_db / 20) * np.exp(-np.square((frequency_hz - centre_hz) / width_hz) / 2)
        spectrum += np.fft.rfft(band_T, size) * shape.astype(np.float32)
    return with_power(np.fft.irfft(spectrum, size)[:count], 1.0)


def clatter(count: int, rate_hz: float, generator: torch.Generator) -> Samples:
    """Knocks, clinks and beeps, `rate_hz` a second at random times, of levels that differ by up to 20 dB."""
    expected = torch.tensor(rate_hz * count / SAMPLE_RATE_HZ, device=generator.device)
    number = 1 + int(torch.poisson(expected, generator=generator))
    length = round(_BURST_S * SAMPLE_RATE_HZ)
    noise_T = np.zeros(count + length, np.float32)
    for _ in range(number):
        start = int(_between([0], [count], generator)[0])
        noise_T[start : start + length] += _burst(length, generator)
    return with_power(noise_T[:count], 1.0)


def _burst(length: int, generator: torch.Generator) -> NDArray[np.float32]:
    """A tone with some noise that rises within 3 ms and decays within 10 to 300 ms."""
    lowest = [math.log(150), math.log(0.003), -20, 0, 0]
    highest = [math.log(6000), math.log(0.1), 0, 1, 2 * math.pi]
    pitch, decay, level_db, hiss, phase = _between(lowest, highest, generator)
    time_T = np.arange(length, dtype=np.float32) / SAMPLE_RATE_HZ
    sound_T = np.sin(np.float32(2 * math.pi * math.exp(pitch)) * time_T + np.float32(phase)) * np.float32(1 - hiss)
    sound_T += _normal(length, generator) * np.float32(hiss)
    sound_T *= np.exp(-time_T / np.float32(math.exp(decay))) * np.minimum(1, time_T / np.float32(0.003))
    return sound_T * np.float32(10 ** (level_db / 20))


def _saw(frequency_hz_T: NDArray[np.floating]) -> NDArray[np.float32]:
    """A saw-tooth wave from -1 to 1: all harmonics, falling by 6 dB an octave, as a voice's do or a little less."""
    turns_T = np.cumsum(frequency_hz_T, dtype=np.float64) / SAMPLE_RATE_HZ
    return (2 * (turns_T % 1) - 1).astype(np.float32)


def _wander(count: int, rate_hz: float, generator: torch.Generator) -> NDArray[np.float32]:
    """A Gaussian line [T] of variance near 1 that bends 2 · `rate_hz` times a second."""
    step = max(1, round(SAMPLE_RATE_HZ / (2 * rate_hz)))
    bend = _normal(-(-count // step) + 1, generator)
    ramp = np.arange(step, dtype=np.float32) / np.float32(step)
    return (bend[:-1, None] + np.diff(bend)[:, None] * ramp).ravel()[:count]


def _normal(count: int, generator: torch.Generator) -> NDArray[np.float32]:
    drawn: NDArray[np.float32] = torch.randn(count, generator=generator, device=generator.device).cpu().numpy()
    return drawn


def _between(lowest: list[float], highest: list[float], generator: torch.Generator) -> list[float]:
    chances = torch.rand(len(lowest), generator=generator, device=generator.device).tolist()
    return [low + chance * (high - low) for low, high, chance in zip(lowest, highest, chances, strict=True)]
