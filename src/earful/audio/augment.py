"""Waveform augmentation: the speaker, the room, its noise, the microphone, the line and the level.

Pure functions on float32 samples [T], mono, 16 kHz. Values may leave [-1, 1]: nothing is clipped but by `saturate`.
Silence stays finite.
"""

import math
from dataclasses import dataclass

import numpy as np
import soxr
import torch

from earful.audio.files import SAMPLE_RATE_HZ
from earful.audio.line import CODECS, Codec, telephone, through_codec
from earful.audio.microphone import saturate, through_microphone
from earful.audio.noise import add_noise, coloured_noise, unsteady_noise
from earful.audio.vocal_tract import change_vocal_tract
from earful.audio.waveform import SILENCE, Samples, check_mono, fft_size, fitted, power, with_power
from earful.errors import AudioError, ConfigError

Range = tuple[float, float]

_FIRST_ECHO_S = 0.002
_WITHIN = {  # a range's utmost ends
    "speed": (0.25, 4.0),
    "vocal_tract": (0.5, 2.0),
    "microphone_db": (0.0, 60.0),
    "saturation_db": (-60.0, 60.0),
    "codec_kbps": (1.0, 512.0),
}


@dataclass(frozen=True)
class Augmentation:
    """How often each change happens, and the range it is drawn from (uniformly). The defaults suit clean speech.

    Changes whose probability is 0 are for speech without such variation, above all synthetic speech, which has few
    voices and no microphone. For synthetic speech begin with: vocal_tract_probability 0.7, unsteady_probability 0.3,
    microphone_probability 0.5, saturation_probability 0.1, codec_probability 0.3 (reasoned, not yet measured).
    """

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
    vocal_tract_probability: float = 0.0
    vocal_tract: Range = (0.85, 1.15)
    unsteady_probability: float = 0.0
    unsteady_snr_db: Range = (5.0, 25.0)
    microphone_probability: float = 0.0
    microphone_db: Range = (2.0, 10.0)
    saturation_probability: float = 0.0
    saturation_db: Range = (0.0, 12.0)
    codec_probability: float = 0.0
    codecs: tuple[Codec, ...] = CODECS
    codec_kbps: Range = (12.0, 48.0)

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if name.endswith("_probability"):
                _check_probability(name, value)
            elif name != "codecs":
                _check_range(name, value)
        if self.rt60_s[0] <= 0:
            raise ConfigError(f"rt60_s is {self.rt60_s}, must lie above 0")
        if not self.codecs or not set(self.codecs) <= set(CODECS):
            raise ConfigError(f"codecs is {self.codecs}, must be one or more of {', '.join(CODECS)}")


def augment(samples_T: Samples, augmentation: Augmentation, generator: torch.Generator) -> tuple[Samples, float]:
    """Change samples as in real recordings: the speaker, the room, its noise, the microphone, the line, the level.

    Returns the samples and the speed factor f: sound that was at time t is now at t / f.
    Raises AudioError if the samples are not mono.

    >>> hiss_T = np.random.default_rng(0).standard_normal(16_000, dtype=np.float32)
    >>> samples_T, speed = augment(hiss_T, Augmentation(), torch.Generator().manual_seed(0))
    >>> len(samples_T) == round(16_000 / speed)
    True
    """
    check_mono(samples_T)
    a = augmentation
    # A fixed number of draws a call, so that one option changes nothing about the others.
    happens = torch.rand(5, generator=generator, device=generator.device).tolist()
    speed, rt60_s, direct_db, snr_db, exponent, gain_db = _uniform(
        (a.speed, a.rt60_s, a.direct_db, a.snr_db, a.noise_exponent, a.gain_db), generator
    )
    throat, crowd, microphone, amplifier, line = _aside(generator, 5)
    if _happens(a.vocal_tract_probability, throat):
        (factor,) = _uniform((a.vocal_tract,), throat)
        samples_T = change_vocal_tract(samples_T, factor)
    speed = speed if happens[0] < a.speed_probability else 1.0
    samples_T = change_speed(samples_T, speed)
    if happens[1] < a.room_probability:
        samples_T = reverberate(samples_T, generator, rt60_s, direct_db)
    if happens[2] < a.noise_probability:
        samples_T = add_noise(samples_T, coloured_noise(len(samples_T), exponent, generator), snr_db)
    if _happens(a.unsteady_probability, crowd):
        (unsteady_snr_db,) = _uniform((a.unsteady_snr_db,), crowd)
        samples_T = add_noise(samples_T, unsteady_noise(len(samples_T), crowd), unsteady_snr_db)
    samples_T = _recorded(samples_T, a, microphone, amplifier)
    if happens[3] < a.telephone_probability:
        samples_T = telephone(samples_T)
    if _happens(a.codec_probability, line):
        number, kbps = _uniform(((0, len(a.codecs)), a.codec_kbps), line)
        samples_T = through_codec(samples_T, a.codecs[int(number)], kbps)
    return change_gain(samples_T, gain_db) if happens[4] < a.gain_probability else samples_T, speed


def change_gain(samples_T: Samples, gain_db: float) -> Samples:
    """Make samples louder (> 0 dB) or softer; nothing is clipped."""
    return samples_T * np.float32(10 ** (gain_db / 20))


def change_speed(samples_T: Samples, factor: float) -> Samples:
    """Play samples `factor` times as fast, pitch and tempo together: round(T / factor) samples (Ko et al. 2015).

    Raises AudioError if the factor is not from 0.25 to 4.
    """
    check_mono(samples_T)
    if not 0.25 <= factor <= 4:
        raise AudioError(f"speed factor is {factor}, must be from 0.25 to 4")
    if factor == 1 or len(samples_T) == 0:
        return samples_T
    played_T = soxr.resample(samples_T.astype(np.float32, copy=False), factor, 1.0, quality="MQ")
    return fitted(played_T, max(1, round(len(samples_T) / factor)))


def reverberate(samples_T: Samples, generator: torch.Generator, rt60_s: float, direct_db: float = 6.0) -> Samples:
    """Put samples into a synthetic room: Gaussian noise that decays by 60 dB in `rt60_s`, after the direct sound.

    `direct_db` is the power of the direct sound over that of the echoes (some 12 dB at arm's length, 0 across a room).
    The direct sound stays where it was, so label times stay true; the length and the mean power stay as well.
    Source: Polack 1988, the stochastic model of late reverberation.
    """
    check_mono(samples_T)
    if not rt60_s > 0:
        raise AudioError(f"reverberation time is {rt60_s} s, must be above 0")
    before = power(samples_T)
    if before < SILENCE:
        return samples_T
    response_T = _room(generator, rt60_s, direct_db)
    size = fft_size(len(samples_T) + len(response_T))
    product = np.fft.rfft(samples_T, size) * np.fft.rfft(response_T, size)
    return with_power(np.fft.irfft(product, size)[: len(samples_T)], before)


def _room(generator: torch.Generator, rt60_s: float, direct_db: float) -> Samples:
    count = max(2, round(rt60_s * SAMPLE_RATE_HZ))
    echo_T: Samples = torch.randn(count, generator=generator, device=generator.device).cpu().numpy()
    echo_T *= np.exp(-3 * np.log(10) / rt60_s * np.arange(count, dtype=np.float32) / SAMPLE_RATE_HZ)
    echo_T[: min(count - 1, round(_FIRST_ECHO_S * SAMPLE_RATE_HZ))] = 0
    echo_T *= np.float32(10 ** (-direct_db / 20) / np.sqrt(np.square(echo_T).sum()))
    echo_T[0] += 1  # the direct sound, of power 1
    return echo_T


def _recorded(samples_T: Samples, a: Augmentation, microphone: torch.Generator, amplifier: torch.Generator) -> Samples:
    if _happens(a.microphone_probability, microphone):
        (ripple_db,) = _uniform((a.microphone_db,), microphone)
        samples_T = through_microphone(samples_T, ripple_db, microphone)
    if _happens(a.saturation_probability, amplifier):
        drive_db, octave = _uniform((a.saturation_db, (1.0, math.log2(20))), amplifier)
        samples_T = saturate(samples_T, drive_db, 2**octave)
    return samples_T


def _aside(generator: torch.Generator, count: int) -> list[torch.Generator]:
    """Separate generators for `count` changes. `generator` does not advance: its next draws stay the same."""
    copy = torch.Generator(generator.device).set_state(generator.get_state())
    seeds = torch.randint(2**62, (count,), generator=copy, device=copy.device).tolist()
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def _happens(probability: float, generator: torch.Generator) -> bool:
    return float(torch.rand(1, generator=generator)) < probability


def _uniform(ranges: tuple[Range, ...], generator: torch.Generator) -> list[float]:
    chances = torch.rand(len(ranges), generator=generator, device=generator.device).tolist()
    return [low + chance * (high - low) for (low, high), chance in zip(ranges, chances, strict=True)]


def _check_probability(name: str, value: float) -> None:
    if not (isinstance(value, float | int) and 0 <= value <= 1):
        raise ConfigError(f"{name} is {value}, must be from 0 to 1")


def _check_range(name: str, value: Range) -> None:
    if isinstance(value, float | int) or not (len(value) == 2 and value[0] <= value[1]):
        raise ConfigError(f"{name} is {value}, must be a lowest and a highest value")
    low, high = _WITHIN.get(name, (-math.inf, math.inf))
    if value[0] < low or value[1] > high:
        raise ConfigError(f"{name} is {value}, must lie within {low:g} to {high:g}")
