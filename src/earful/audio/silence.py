"""Stretches of a recording without speech: digital silence, hum, steady noise, for two seconds or more.

A recogniser sometimes writes words into such stretches, or extends the last letter of a word until somebody speaks
again. This module does not detect speech (`audio.activity`), which misses soft speech, but certain silence: for two
seconds no band of the spectrum rises over its floor in the seconds around (after Martin 2001,
"Noise power spectral density estimation based on optimal smoothing and minimum statistics", in its simplest form).
"""

import numpy as np
from numpy.typing import NDArray

from earful.audio.files import SAMPLE_RATE_HZ
from earful.audio.waveform import Samples, check_mono

HOP_S = 0.02
GRID_S = 0.12
"""A multiple of the hops of all encoders (20, 30, 40 ms), at which sound is cut without moving their frames."""
SHORTEST_S = 2.0
"""A shorter silence is a pause, and left to the recogniser."""
MARGIN_S = 0.36
"""The time at both ends that belongs to the speech beside it: soft ends of words, echoes. A longer time costs errors,
because the recogniser subtracts the mean of all that it hears (`bench/silence.py`)."""

_FRAME = 640  # samples, 40 ms
_HOP = round(HOP_S * SAMPLE_RATE_HZ)
_EDGES_HZ = (120, 300, 450, 650, 900, 1200, 1600, 2100, 2800, 3700, 5000, 7000)
_SMOOTH = 5  # frames over which the power of a band is averaged
_FLOOR_S, _FLOOR_SHARE = 3.0, 0.15  # that share of the frames of so many seconds is below the floor
_LOUDEST_BANDS, _RISE_DB = 3, 4.0  # by how much the three that rise most rise together where somebody speaks
_NOTHING_DBFS = -85.0  # the last bit of 16


def silences(samples_T: Samples) -> NDArray[np.bool_]:
    """For each 20 ms of samples [T] (mono, 16 kHz), whether it lies within two seconds or more without speech: [F].

    F is T / 320, rounded up. A frame is 40 ms: its own samples and the next frame's.
    """
    check_mono(samples_T)
    count = -(-len(samples_T) // _HOP)
    if not count:
        return np.zeros(0, np.bool_)
    return _long(_rise_db(_band_power(samples_T, count)) < _RISE_DB)


def spoken(samples_T: Samples) -> NDArray[np.bool_]:
    """For each GRID_S of samples [T], whether somebody may speak in it: [T / 1920, rounded up]."""
    quiet_F = silences(samples_T)
    step = round(GRID_S / HOP_S)
    quiet_GF = np.pad(quiet_F, (0, -len(quiet_F) % step), constant_values=True).reshape(-1, step)
    return np.asarray(~quiet_GF.all(axis=1))


def _band_power(samples_T: Samples, count: int) -> NDArray[np.float64]:
    """Power of each band in each frame, smoothed over time: [F, bands]."""
    padded_T = np.pad(samples_T, (0, (count - 1) * _HOP + _FRAME - len(samples_T) if count else 0))
    frames_FT = np.lib.stride_tricks.sliding_window_view(padded_T, _FRAME)[::_HOP][:count]
    spectrum_FK = np.square(np.abs(np.fft.rfft(frames_FT * np.hanning(_FRAME).astype(np.float32), axis=1)))
    edges = [round(hz * _FRAME / SAMPLE_RATE_HZ) for hz in _EDGES_HZ]
    power_FB = np.add.reduceat(spectrum_FK, edges, axis=1)[:, :-1] / (_FRAME * _FRAME / 4)
    half = _SMOOTH // 2
    sums_FB = np.cumsum(np.pad(power_FB, ((half + 1, half), (0, 0)), mode="edge"), axis=0, dtype=np.float64)
    return np.asarray((sums_FB[_SMOOTH:] - sums_FB[:-_SMOOTH]) / _SMOOTH)


def _rise_db(power_FB: NDArray[np.float64]) -> NDArray[np.float64]:
    """The rise of the strongest bands over their floors, in dB: [F]."""
    level_FB = 10 * np.log10(np.maximum(power_FB, 10 ** (_NOTHING_DBFS / 10)))
    size = round(_FLOOR_S / HOP_S)
    around = np.pad(
        level_FB, ((size // 2, size - size // 2 - 1), (0, 0)), mode="reflect" if len(level_FB) > size else "edge"
    )
    windows_FBW = np.lib.stride_tricks.sliding_window_view(around, size, axis=0)[:: size // 10]
    place = round(_FLOOR_SHARE * size)
    floor_FB = np.repeat(np.partition(windows_FBW, place, axis=2)[:, :, place], size // 10, axis=0)[: len(level_FB)]
    rise_FB = np.sort(level_FB - floor_FB, axis=1)
    return np.asarray(rise_FB[:, -_LOUDEST_BANDS:].mean(axis=1))


def _long(quiet_F: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Runs of at least SHORTEST_S, without their margins; the ends of the recording have no margin."""
    found_F = np.zeros_like(quiet_F)
    edges = np.flatnonzero(np.diff(np.concatenate(([False], quiet_F, [False])).astype(np.int8)))
    margin = round(MARGIN_S / HOP_S)
    for begin, end in edges.reshape(-1, 2):
        if end - begin >= SHORTEST_S / HOP_S:  # shorter sound may be one vowel
            first = begin + margin if begin else 0
            last = end - margin if end < len(quiet_F) else end
            found_F[first:last] = True
    return found_F
