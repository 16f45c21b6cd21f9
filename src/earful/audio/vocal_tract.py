"""Another speaker's vocal tract: formants move, while pitch, tempo and times stay.

Each short-time spectrum is modelled as excitation times envelope. The excitation, that is harmonics and phases, is
kept. The envelope is stretched along frequency, as by a shorter or longer tube. It comes from the lowest cepstral
coefficients by a true-envelope search, so that it follows the peaks of the harmonics, not the valleys between them.
Warping is linear in these coefficients: one matrix for each factor, which makes it fast.

Sources: Jaitly & Hinton 2013 (perturbation for recognition, on mel bins); Röbel & Rodet 2005 (true envelope);
Pitz & Ney 2005 (warping is linear in the cepstrum).
"""

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earful.audio.waveform import Samples, check_mono, power, with_power
from earful.errors import AudioError

LOWEST, HIGHEST = 0.5, 2.0

_WINDOW, _OVERLAP = 512, 4  # 32 ms, a frame every 8 ms: the steps of the gains leave -37 dB; every 16 ms, -24 dB
_HOP = _WINDOW // _OVERLAP
_COEFFICIENTS = 40  # of the cepstrum, up to 2.5 ms: just below the period of a voice at 400 Hz
_SEARCHES = 2  # steps of the true-envelope search
_HINGE = 0.8  # of 8 kHz: formants move up to there; above, the warp bends so that 8 kHz stays
_FLOOR = 1e-6  # of a frame's mean power: what lies 60 dB below has no envelope
_LARGEST_GAIN = 2.9  # 25 dB, in nepers

_Matrix = NDArray[np.float32]


def change_vocal_tract(samples_T: Samples, factor: float) -> Samples:
    """Multiply all formants by `factor`: above 1 a shorter vocal tract, below 1 a longer one.

    Up to 6.4 kHz formants move by the factor, above it by less. Length, label times, pitch and mean power stay.
    Raises AudioError if the samples are not mono or the factor is not from 0.5 to 2.
    """
    check_mono(samples_T)
    if not LOWEST <= factor <= HIGHEST:
        raise AudioError(f"vocal-tract factor is {factor}, must be from {LOWEST} to {HIGHEST}")
    if factor == 1 or len(samples_T) == 0:
        return samples_T
    spectrum = np.fft.rfft(_framed(samples_T) * _window())
    spectrum *= _gains(spectrum, factor)
    changed_T = _overlap_added(np.fft.irfft(spectrum, _WINDOW))[: len(samples_T)]
    return with_power(changed_T, power(samples_T))


def _gains(spectrum: NDArray[np.complexfloating], factor: float) -> _Matrix:
    """The factor of each bin of each frame [F, K]: the warped envelope over the envelope."""
    strength = np.square(spectrum.real) + np.square(spectrum.imag)
    strength += np.float32(_FLOOR) * strength.mean(1, keepdims=True) + np.float32(1e-30)
    log_power = np.log(strength)
    analysis, synthesis = _cosines()
    cepstrum = log_power @ analysis
    for _ in range(_SEARCHES):  # Röbel & Rodet 2005, eq. 4: what lies below the envelope is lifted onto it
        np.maximum(log_power, cepstrum @ synthesis, out=log_power)
        cepstrum = log_power @ analysis
    gains: _Matrix = cepstrum @ (_basis(_sources(factor)) - synthesis) * np.float32(0.5)  # 0.5: from power to amplitude
    return np.exp(np.clip(gains, -_LARGEST_GAIN, _LARGEST_GAIN, out=gains), out=gains)


def _sources(factor: float) -> NDArray[np.float64]:
    """Where each bin [K] takes its envelope from, 0 to 1 being 0 to 8 kHz: f / factor, then straight to (1, 1)."""
    hinge = _HINGE * min(1.0, factor)
    return np.interp(np.linspace(0, 1, _WINDOW // 2 + 1), [0, hinge, 1], [0, hinge / factor, 1])


def _basis(frequency_K: NDArray[np.float64]) -> _Matrix:
    """From cepstral coefficients to the log spectrum at frequencies 0 to 1 [Q, K]."""
    order_Q = np.arange(_COEFFICIENTS)
    return (np.where(order_Q == 0, 1, 2)[:, None] * np.cos(np.pi * np.outer(order_Q, frequency_K))).astype(np.float32)


@lru_cache(maxsize=1)
def _cosines() -> tuple[_Matrix, _Matrix]:
    """From the log spectrum to its lowest cepstral coefficients [K, Q], and back [Q, K]."""
    frequency_K = np.linspace(0, 1, _WINDOW // 2 + 1)
    weight_K = np.where((frequency_K == 0) | (frequency_K == 1), 1, 2) / _WINDOW
    analysis = np.cos(np.pi * np.outer(frequency_K, np.arange(_COEFFICIENTS))) * weight_K[:, None]
    return analysis.astype(np.float32), _basis(frequency_K)


@lru_cache(maxsize=1)
def _window() -> NDArray[np.float32]:
    return np.hanning(_WINDOW + 1)[:-1].astype(np.float32)


def _framed(samples_T: Samples) -> NDArray[Any]:
    """Overlapping frames [F, window], the first of which ends one hop into the samples."""
    before = _WINDOW - _HOP
    count = -(-(len(samples_T) + before) // _HOP)
    after = (count - 1) * _HOP + _WINDOW - before - len(samples_T)
    padded_T = np.pad(samples_T.astype(np.float32, copy=False), (before, after))
    return np.lib.stride_tricks.sliding_window_view(padded_T, _WINDOW)[::_HOP]


def _overlap_added(frames: NDArray[np.floating]) -> NDArray[np.floating]:
    """Add windowed frames to samples, and cut what `_framed` put before; squared windows add up to 1.5."""
    parts = (frames * (_window() / 1.5)).reshape(len(frames), _OVERLAP, _HOP)
    summed = np.zeros((len(frames) + _OVERLAP - 1, _HOP), parts.dtype)
    for place in range(_OVERLAP):
        summed[place : place + len(frames)] += parts[:, place]
    return summed.ravel()[_WINDOW - _HOP :]
