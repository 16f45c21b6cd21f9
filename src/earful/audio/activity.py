"""Speech in a recording, found by Silero's voice-activity detector (the optional package `silero-vad`).

The detector is a small network, trained on speech of many languages. It gives the probability of speech for every
32 ms. The sound is first brought to one level, so quiet recordings work as well as loud ones.
"""

import threading
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from earful.audio.files import SAMPLE_RATE_HZ
from earful.audio.waveform import Samples, check_mono
from earful.errors import AudioError, ConfigError, install

WINDOW = 512  # samples for which the detector gives one probability
WINDOW_S = WINDOW / SAMPLE_RATE_HZ

_LEVELLED = 1024 * WINDOW  # samples, some 33 s, that are brought to one level together
_LOUD, _LOUD_SHARE = 0.1, 0.995  # that share of the samples lies below this; measured: 30 dB less misses most speech
_MOST_GAIN = 1000.0  # what is 60 dB too quiet is silence, or the noise of 16 bits
_RELEASE = 0.15  # speech goes on until its probability is so far below the threshold: Silero's own choice
_FLOOR = 0.01  # … but never a probability below this

Stretch = tuple[float, float]  # start and end in seconds


@dataclass(frozen=True)
class ActivitySettings:
    """What counts as speech: `threshold` is the probability at which it begins.

    A silence shorter than `shortest_silence_s` does not end speech. Speech shorter than `shortest_speech_s` does not
    count. The rest is widened by `padding_s` on both sides, because the detector is late on soft sounds. If the silence
    between is shorter than two paddings, each side gets half of it.
    Raises ConfigError for a threshold outside 0 to 1 or a negative time.
    """

    threshold: float = 0.5
    shortest_silence_s: float = 0.1
    shortest_speech_s: float = 0.2
    padding_s: float = 0.1

    def __post_init__(self) -> None:
        if not 0 < self.threshold < 1:
            raise ConfigError(f"threshold is {self.threshold}, must be between 0 and 1: the probability of speech")
        for name in ("shortest_silence_s", "shortest_speech_s", "padding_s"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ConfigError(f"{name} is {getattr(self, name)} s, must be 0 or more")


def speech(sound: Samples | Iterable[Samples], settings: ActivitySettings = ActivitySettings()) -> list[Stretch]:
    """Find speech in samples [T] (mono, 16 kHz), or in consecutive blocks of them: (start_s, end_s).

    The stretches are in order and do not overlap; two may touch. The division into blocks does not change the result.
    Memory holds half a minute of a long recording, and half a megabyte for each hour.
    Needs the extra `vad`. Raises AudioError without it, and for samples that are not finite and mono.

    >>> speech(blocks("interview.mp3", 60))  # doctest: +SKIP
    [(0.412, 3.94), (4.316, 9.732)]
    """
    detector = load_detector()
    detector.reset_states()
    probabilities: list[NDArray[np.float32]] = []
    count = 0
    for part_T in _parts([sound] if isinstance(sound, np.ndarray) else sound):
        probabilities.append(_heard(detector, part_T))
        count += len(part_T)
    return stretches(np.concatenate([*probabilities, np.zeros(0, np.float32)]), count / SAMPLE_RATE_HZ, settings)


def stretches(
    probabilities_F: NDArray[np.floating], duration_s: float, settings: ActivitySettings = ActivitySettings()
) -> list[Stretch]:
    """Turn the probability of speech in every window of 32 ms [F] into stretches of speech: (start_s, end_s).

    None ends after `duration_s`: the last window may reach beyond the sound.
    """
    found = [
        (first * WINDOW_S, min(end * WINDOW_S, duration_s))
        for first, end in _runs(probabilities_F, settings)
        if (end - first) * WINDOW_S >= settings.shortest_speech_s
    ]
    middles = [(left[1] + right[0]) / 2 for left, right in pairwise(found)]
    edges = [0.0, *middles, duration_s]  # of what each may take of the silence around it
    return [
        (round(max(start_s - settings.padding_s, least_s), 3), round(min(end_s + settings.padding_s, most_s), 3))
        for (start_s, end_s), (least_s, most_s) in zip(found, pairwise(edges), strict=False)
    ]


def load_detector() -> Any:
    """Load the detector, once per thread, because it keeps its state in itself. It can be loaded ahead of its use.

    Raises AudioError if the package `silero-vad` is not installed, or cannot be used.
    """
    return _detector(threading.get_ident())


@lru_cache(maxsize=16)
def _detector(_thread: int) -> Any:
    try:
        with _one_thread(), warnings.catch_warnings():  # the package leaves torch one thread as it is imported
            warnings.simplefilter("ignore", DeprecationWarning)  # it is read by torch.jit
            return import_module("silero_vad").load_silero_vad()
    except ImportError as error:
        raise AudioError(f"finding speech needs an optional package: {install('vad')}") from error


@contextmanager
def _one_thread() -> Iterator[None]:
    """One thread of torch's while the block runs, then as many as before.

    The detector is tiny. On a busy machine two threads took 25 times the processor time of one, because they wait for
    each other by spinning.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _runs(probabilities_F: NDArray[np.floating], settings: ActivitySettings) -> Iterator[tuple[int, int]]:
    """Yield the first window of each run of speech and the first after it."""
    release = max(settings.threshold - _RELEASE, min(_FLOOR, settings.threshold))
    first = quiet = None  # where the run began, and where a silence began that may end it
    for place, probability in enumerate(probabilities_F.tolist()):
        if probability >= settings.threshold:
            first, quiet = place if first is None else first, None
        elif first is not None and probability < release:
            quiet = place if quiet is None else quiet
            if (place + 1 - quiet) * WINDOW_S >= settings.shortest_silence_s:
                yield first, quiet
                first = quiet = None
    if first is not None:
        yield first, len(probabilities_F) if quiet is None else quiet


def _parts(sound: Iterable[Samples]) -> Iterator[Samples]:
    """Join blocks of any length into parts that are brought to one level; the last may be shorter."""
    held: list[Samples] = []
    for block_T in sound:
        check_mono(block_T)
        if not np.isfinite(block_T).all():
            raise AudioError("expected finite samples, got NaN or infinity; check where they come from")
        held.append(block_T)
        if sum(map(len, held)) >= _LEVELLED:
            joined_T = np.concatenate(held)
            whole = len(joined_T) // _LEVELLED * _LEVELLED
            yield from joined_T[:whole].reshape(-1, _LEVELLED)
            held = [joined_T[whole:].copy()]
    if any(map(len, held)):
        yield np.concatenate(held)


def _heard(detector: Any, part_T: Samples) -> NDArray[np.float32]:
    """The probability of speech in each window of a part; the last one is filled with silence."""
    loud = float(np.quantile(np.abs(part_T), _LOUD_SHARE))
    gain = min(_LOUD / loud, _MOST_GAIN) if loud > 0 else 1.0
    levelled_T = np.pad(part_T.astype(np.float32) * np.float32(gain), (0, -len(part_T) % WINDOW))
    windows = torch.from_numpy(levelled_T).view(-1, WINDOW)
    with _one_thread(), torch.inference_mode():
        return np.array([detector(window_T, SAMPLE_RATE_HZ).item() for window_T in windows], np.float32)
