"""The effect of a microphone and its amplifier: they colour sound, and flatten sound that is too loud."""

import math

import numpy as np
import torch

from earful.audio.files import SAMPLE_RATE_HZ
from earful.audio.waveform import SILENCE, Samples, Spectrum, check_mono, filtered, power, with_power
from earful.errors import AudioError

_LOWEST_HZ = 60.0  # below, the response is level
_BENDS = 8  # terms of the response's cosine series, over seven octaves


def through_microphone(samples_T: Samples, ripple_db: float, generator: torch.Generator) -> Samples:
    """Give samples a random smooth frequency response that reaches, up or down, `ripple_db` from level.

    The response is a cosine series over log frequency with zero phase, so nothing moves in time. The mean power stays.
    Raises AudioError if the samples are not mono.
    """
    check_mono(samples_T)
    terms = torch.randn(_BENDS, generator=generator, device=generator.device).cpu().numpy()
    order = np.arange(1, _BENDS + 1)

    def response(frequency_hz: Spectrum) -> Spectrum:
        return 10 ** (np.interp(np.log(np.maximum(frequency_hz, _LOWEST_HZ)), octaves, level_db) / 20)

    octaves = np.linspace(math.log(_LOWEST_HZ), math.log(SAMPLE_RATE_HZ / 2), 128)
    waves = np.cos(np.pi * np.outer(order, np.linspace(0, 1, 128)))
    level_db = (terms / order) @ waves  # over the order: the finer, the weaker
    level_db *= ripple_db / max(float(np.abs(level_db).max()), 1e-6)
    return with_power(filtered(samples_T, response), power(samples_T))


def saturate(samples_T: Samples, drive_db: float, hardness: float = 4.0) -> Samples:
    """Flatten loud sound, with a ceiling `drive_db` below the peak; the mean power stays.

    `hardness` bends the curve: 2 is a soft valve, 20 nearly cuts (Rapp 1991's amplifier: x / (1 + |x|^p)^(1/p)).
    Raises AudioError if the samples are not mono or the hardness is not positive.
    """
    check_mono(samples_T)
    if not hardness > 0:
        raise AudioError(f"hardness of the saturation is {hardness}, must be above 0")
    before = power(samples_T)
    if before < SILENCE:
        return samples_T
    driven_T = np.abs(samples_T) * np.float32(10 ** (drive_db / 20) / np.abs(samples_T).max())
    louder_T = np.maximum(driven_T, 1)  # (1 + x^p) is taken by its larger term, which no p overflows
    ratio_T = np.minimum(driven_T, 1 / louder_T)
    flat_T = driven_T / louder_T * (1 + ratio_T ** np.float32(hardness)) ** np.float32(-1 / hardness)
    return with_power(np.copysign(flat_T, samples_T), before)
