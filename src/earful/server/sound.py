"""Recordings on the disk: original and decoded files, named by the hash of the upload; and their waveforms."""

import hashlib
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile

from earful.errors import AudioError
from earful.server.decoding import Decoded, received
from earful.server.projects import original_of
from earful.server.state import State

_PIECE = 2**20


def kept(state: State, file: BinaryIO, name: str) -> tuple[str, Decoded]:
    """Keep an upload as WAV, 16 kHz mono, and in its original form; return its hash and the result of decoding.

    Raises AudioError: it cannot be decoded; OSError: the disk is full.
    """
    with received(file, state.settings.incoming) as source:
        sha256 = digest(source)
        place = state.settings.recordings / f"{sha256}.wav"
        if place.exists():
            decoded = Decoded(float(soundfile.info(place).duration))  # the first upload has reported the warnings
        else:
            decoded = state.decoders.decode(source, place, name, "PCM_16")
        if state.settings.keeps_originals and digest(place) != sha256:  # otherwise the upload was such a WAV
            source.replace(original_of(state.settings.originals, sha256))
    return sha256, decoded


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def discard(state: State, sha256: str) -> None:
    """Move a recording and its original file into the trash."""
    settings = state.settings
    for place in (settings.recordings / f"{sha256}.wav", original_of(settings.originals, sha256)):
        if place.exists():
            place.replace(settings.trash / place.name)


def peaks(place: Path, count: int) -> list[list[float]]:
    """The lowest and the highest value in each of `count` equal parts of a WAV file. Raises AudioError."""
    try:
        with soundfile.SoundFile(place) as sound:
            edges = np.linspace(0, sound.frames, min(count, max(sound.frames, 1)) + 1).astype(np.int64)
            low, high = np.zeros(len(edges) - 1, np.float32), np.zeros(len(edges) - 1, np.float32)
            for start in range(0, sound.frames, _PIECE):
                samples_T = sound.read(_PIECE, "float32")
                _widen(low, high, edges - start, samples_T)
    except (OSError, soundfile.LibsndfileError) as error:
        raise AudioError(f"{place.name}: the recording cannot be read; put it back from a copy") from error
    return np.round(np.stack([low, high], axis=1).astype(np.float64), 4).tolist()  # type: ignore[no-any-return]


def _widen(low: np.ndarray, high: np.ndarray, edges: np.ndarray, samples_T: np.ndarray) -> None:
    """Update minima and maxima with a block of samples; `edges` of the parts count from the start of the block."""
    first = int(np.searchsorted(edges, 0, side="right")) - 1
    last = int(np.searchsorted(edges, len(samples_T), side="left"))
    starts = np.clip(edges[first:last], 0, len(samples_T) - 1)
    low[first:last] = np.minimum(low[first:last], np.minimum.reduceat(samples_T, starts))
    high[first:last] = np.maximum(high[first:last], np.maximum.reduceat(samples_T, starts))
