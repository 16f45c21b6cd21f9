"""The channels of a recording that hold speech: opposite phase, dead and noisy channels, a speaker on each.

By default a recording is heard as the mean of its channels, if that loses nothing. If they cancel each other out, only
the loudest is heard. A channel that is dead, or holds steady noise beside speech, is left out. Floats that were written
as integers (±32768 instead of ±1), and recordings with a peak below -20 dBFS, are scaled to one level: encoders expect
the level of their training (`bench/levels.py`).
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
import soundfile
from numpy.typing import NDArray

from earful.audio.decode import contents_of, decode, open_stream, streams_of
from earful.audio.source import Audio, Held, Source, source_of
from earful.errors import AudioError, ConfigError

Channel = int | Literal["auto", "mix"]
"""A channel by its number from 1 on, the mean of all channels, or the mean of those that hold speech."""

FLOATS = ("FLOAT", "DOUBLE")
"""The subtypes of libsndfile that can hold values beyond ±1."""
NAMES = ("auto", "mix", "left", "right", "each")

_BLOCK_S = 0.1
_DEAD = 1e-6  # of the power of the loudest: 60 dB below it nobody speaks
_STEADY_DB, _SPEECH_DB = 6.0, 15.0  # by how much the level of noise changes at most, and that of speech at least
_CANCELLED, _CANCELLED_SHARE = 0.1, 0.1  # what of the power is left in the mean; of how much of the sound
_ALONE, _ALONE_SHARE = 10.0, 0.15  # one channel over the other; of the time in which there is sound
_SOUND = 1e-3  # of the loudest tenth of a second
_INTEGERS_FROM = 64.0  # floats beyond this are integers, of as many bits as hold them
_SOFT, _SILENT = 0.1, 1e-3  # a peak of -20 dBFS, below which a recording is made louder, and of -60: nothing is there
_LOUD = 0.5
_BITS = (15, 23, 31)


@dataclass(frozen=True)
class Survey:
    """What the channels of a file hold; their weights, one per channel, give what is heard by default.

    All samples are multiplied by `gain`. `warnings` say what is not heard, and why. `apart` is true if two channels
    take turns, as in an interview with a microphone for each speaker.
    """

    weights: tuple[float, ...]
    gain: float = 1.0
    warnings: tuple[str, ...] = ()
    apart: bool = False


def channel_named(name: str) -> Channel | Literal["each"]:
    """A channel as people write it: auto, mix, left, right, each, or a number from 1 on. Raises ConfigError."""
    if name in ("auto", "mix", "each"):
        return name  # type: ignore[return-value]
    if name in ("left", "right"):
        return 1 if name == "left" else 2
    if name.isdecimal() and len(name) < 10 and int(name) > 0:
        return int(name)
    raise ConfigError(f"channel is {name[:40]!r}, must be one of {', '.join(NAMES)}, or a number from 1 on")


def survey(recording: Audio) -> Survey:
    """Listen to all channels of a recording. The result for a file is kept while the file does not change.

    Damage inside the file is not detected here. Raises AudioError for a file that `audio.files.probe` would refuse.

    >>> survey("interview.wav").apart  # doctest: +SKIP
    True
    """
    source = source_of(recording)
    if isinstance(source, Held):
        return _surveyed(source)
    found = source.stat() if source.exists() else None
    return _survey(source, found and found.st_mtime_ns, found and found.st_size)


def weights_of(source: Source, sound: soundfile.SoundFile, channel: Channel) -> NDArray[np.float32]:
    """The weight of each channel of an open file, [C]. Raises AudioError for a channel that it does not have."""
    count, found = sound.channels, survey(source)
    if channel == "auto" and len(found.weights) == count:
        weights = found.weights
    elif isinstance(channel, int):
        if not 1 <= channel <= count:
            raise AudioError(
                f"{source}: has {count} channel{'s' * (count > 1)}, not a channel {channel}; name one that is there"
            )
        weights = tuple(float(number == channel) for number in range(1, count + 1))
    else:
        weights = (1 / count,) * count
    return np.array(weights, np.float32) * np.float32(found.gain)


def heard(chunk_TC: NDArray[np.float32], weights_C: NDArray[np.float32]) -> NDArray[np.float32]:
    """The weighted sum [T] of the channels [T, C]."""
    if len(weights_C) == 1:
        return chunk_TC[:, 0] if weights_C[0] == 1 else np.multiply(chunk_TC[:, 0], weights_C[0], dtype=np.float32)
    mixed_T: NDArray[np.float32] = chunk_TC @ weights_C
    return mixed_T


@dataclass(frozen=True)
class _Levels:
    """Power of each channel and of their mean, block by block of 0.1 s, and the highest sample."""

    power_BC: NDArray[np.float64]
    mean_B: NDArray[np.float64]
    peak: float


@lru_cache(maxsize=4096)
def _survey(path: Path, _changed_ns: int | None, _size: int | None) -> Survey:
    return _surveyed(path)


def _surveyed(source: Source) -> Survey:
    contents = contents_of(source)
    powers, means, peak, count = [], [], 0.0, 0
    for stream in streams_of(contents):
        with open_stream(source, stream) as sound:
            if count and sound.channels != count:
                return Survey((1 / count,) * count)  # streams that differ are each heard as their mean
            count = sound.channels
            levels = _levels(source, sound)
        powers.append(levels.power_BC)
        means.append(levels.mean_B)
        peak = max(peak, levels.peak)
    return _judged(_Levels(np.concatenate(powers), np.concatenate(means), peak))


def _levels(source: Source, sound: soundfile.SoundFile) -> _Levels:
    size = max(1, round(_BLOCK_S * sound.samplerate))
    powers, means, peak = [np.zeros((0, sound.channels))], [np.zeros(0)], 0.0
    try:
        for chunk_TC in decode(sound, source, 0, None, checked=False):
            finite_TC = np.nan_to_num(chunk_TC, nan=0.0, posinf=0.0, neginf=0.0)
            peak = max(peak, float(np.abs(finite_TC).max(initial=0.0)))
            whole = max(1, len(finite_TC) // size)
            blocks_BTC = finite_TC[: whole * size].astype(np.float64).reshape(whole, -1, sound.channels)
            powers.append(blocks_BTC.var(axis=1))
            means.append(blocks_BTC.mean(axis=2).var(axis=1))
    except AudioError:
        pass  # who reads that part is told
    return _Levels(np.concatenate(powers), np.concatenate(means), peak)


def _judged(levels: _Levels) -> Survey:
    power_BC, count = levels.power_BC, levels.power_BC.shape[1]
    gain = _gain(levels.peak)
    warnings: tuple[str, ...] = (
        (f"its samples reach {levels.peak:.0f}, and are taken for integers",) if gain < 1 else ()
    )
    total_C = power_BC.sum(axis=0)
    if count == 1 or not total_C.any():
        return Survey((1 / count,) * count, gain, warnings)
    live_C = total_C > _DEAD * total_C.max()
    noisy_C = live_C & _steady(power_BC)
    if not (_changing(power_BC) & live_C & ~noisy_C).any():
        noisy_C[:] = False
    warnings += tuple(f"channel {c + 1} is silent, and is left out" for c in np.flatnonzero(~live_C))
    warnings += tuple(f"channel {c + 1} holds steady noise alone, and is left out" for c in np.flatnonzero(noisy_C))
    kept = np.flatnonzero(live_C & ~noisy_C)
    if len(kept) == count and _cancels(levels):
        kept = np.array([int(total_C.argmax())])
        warnings += (f"its channels cancel each other out (opposite phase); channel {kept[0] + 1} is heard alone",)
    weights = tuple(1 / len(kept) if c in kept else 0.0 for c in range(count))
    return Survey(weights, gain, warnings, len(kept) == count == 2 and _apart(power_BC))


def _gain(peak: float) -> float:
    """The gain that scales floats written as integers to ±1, and a soft recording to a peak that encoders expect."""
    if peak <= _INTEGERS_FROM:
        return _LOUD / peak if _SILENT < peak < _SOFT else 1.0
    return float(2.0 ** -next((bits for bits in _BITS if peak <= 1.5 * 2**bits), _BITS[-1]))


def _steady(power_BC: NDArray[np.float64]) -> NDArray[np.bool_]:
    return _range_db(power_BC) < _STEADY_DB


def _changing(power_BC: NDArray[np.float64]) -> NDArray[np.bool_]:
    return _range_db(power_BC) > _SPEECH_DB


def _range_db(power_BC: NDArray[np.float64]) -> NDArray[np.float64]:
    """The difference of the louder and the softer blocks of each channel, in dB."""
    low_C, high_C = np.quantile(power_BC, (0.1, 0.95), axis=0)
    return np.asarray(10 * np.log10((high_C + 1e-20) / (low_C + 1e-20)))


def _cancels(levels: _Levels) -> bool:
    """Whether a good part of the sound is lost in the mean of the channels."""
    power_B = levels.power_BC.mean(axis=1)
    lost_B = levels.mean_B < _CANCELLED * power_B
    return bool(power_B[lost_B].sum() > _CANCELLED_SHARE * power_B.sum())


def _apart(power_BC: NDArray[np.float64]) -> bool:
    """Whether the two channels take turns."""
    sound_BC = power_BC[power_BC.max(axis=1) > _SOUND * power_BC.max()]
    first, second = (np.mean(sound_BC[:, c] > _ALONE * sound_BC[:, 1 - c]) for c in (0, 1))
    return bool(min(first, second) > _ALONE_SHARE)
