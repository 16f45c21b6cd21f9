"""Sources of sound: a file, or bytes in memory. The same code reads both."""

import io
import mmap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import soundfile

from earful.errors import AudioError

Data = mmap.mmap | bytes
"""All bytes of a recording, to search and to slice."""
_BLOCK = 1 << 23
"""The bytes of a file that are examined before their pages are given back."""


@dataclass(frozen=True)
class Held:
    """A whole recording in memory. Its text is the name in messages."""

    content: bytes = field(repr=False)
    name: str = "the recording given as bytes"

    def __str__(self) -> str:
        return self.name


Source = Path | Held
Audio = str | Path | bytes | bytearray | memoryview | BinaryIO | Held
"""A recording as programs may give it: a path, all bytes of a file, or a file opened in binary mode."""


def source_of(audio: Audio) -> Source:
    """The recording as one of two kinds; an open file is read from its position to its end.

    Raises AudioError for anything else, and for a file that was opened as text.

    >>> str(source_of(b"RIFF"))
    'the recording given as bytes'
    """
    if isinstance(audio, Path | Held):
        return audio
    if isinstance(audio, str):
        return Path(audio)
    if isinstance(audio, bytes | bytearray | memoryview):
        return Held(bytes(audio))
    content = audio.read() if hasattr(audio, "read") else None
    if not isinstance(content, bytes | bytearray | memoryview):
        given = "a file opened as text" if isinstance(content, str) else type(audio).__name__
        raise AudioError(
            f"expected a recording as a path, bytes or a file opened in binary mode, got {given}; give one of these"
        )
    return Held(bytes(content))


def from_samples(samples_TC: np.ndarray[Any, Any], rate_hz: int) -> Held:
    """Samples `[T]` or `[T, C]` of any rate, integers at their full scale or floats at ±1, as a recording in memory.

    Raises AudioError if they are not finite, or if shape, type or rate cannot be of sound.
    """
    name = "the recording given as samples"
    if samples_TC.ndim not in (1, 2) or samples_TC.dtype.kind not in "fi" or not 0 < rate_hz < 1 << 31:
        raise AudioError(
            f"{name}: expected floats or signed integers [T] or [T, C] and a rate in Hz, got {samples_TC.dtype} "
            f"{samples_TC.shape} and {rate_hz}; convert them"
        )
    if not np.isfinite(samples_TC).all():
        raise AudioError(f"{name}: the samples hold NaN or infinity; repair the recording")
    kind = {"int16": "PCM_16", "int32": "PCM_32"}.get(str(samples_TC.dtype), "FLOAT")
    if samples_TC.dtype.kind == "i" and kind == "FLOAT":
        raise AudioError(f"{name}: expected int16 or int32, or floats, got {samples_TC.dtype}; convert them")
    content = io.BytesIO()
    try:
        plain_TC = samples_TC if kind != "FLOAT" else samples_TC.astype(np.float32)
        soundfile.write(content, plain_TC, int(rate_hz), subtype=kind, format="WAV")
    except (soundfile.LibsndfileError, ValueError, TypeError) as error:
        raise AudioError(f"{name}: {samples_TC.shape} at {rate_hz} Hz is no sound ({error}); convert them") from error
    return Held(content.getvalue(), name)


def opened(source: Source) -> BinaryIO:
    """The recording as a file to read. Close it."""
    return io.BytesIO(source.content) if isinstance(source, Held) else source.open("rb")


class _Looked(mmap.mmap):
    """A file to search and to slice. Its pages are given back, else all of a long recording would count as memory."""

    looked: int = 0

    def __getitem__(self, where: Any) -> Any:
        found = super().__getitem__(where)
        self._count(len(found) if isinstance(found, bytes) else 1)
        return found

    def find(self, sub: Any, start: int = 0, stop: int | None = None) -> int:
        end = len(self) if stop is None else min(stop, len(self))
        for begin in range(start, end, _BLOCK):
            place = super().find(sub, begin, min(begin + _BLOCK + len(sub) - 1, end))
            self._count((_BLOCK if place < 0 else place - begin) + 1)
            if place >= 0:
                return place
        return -1

    def _count(self, size: int) -> None:
        self.looked += size
        if self.looked > _BLOCK and hasattr(mmap, "MADV_DONTNEED"):  # there is none on Windows
            self.madvise(mmap.MADV_DONTNEED)
            self.looked = 0


@contextmanager
def all_of(source: Source) -> Iterator[Data]:
    """All bytes of a recording that is not empty; of a file only the examined parts are read."""
    if isinstance(source, Held):
        yield source.content
        return
    with source.open("rb") as file, _Looked(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        yield data


def size_of(source: Source) -> int:
    """Its number of bytes."""
    return len(source.content) if isinstance(source, Held) else source.stat().st_size


def suffix_of(source: Source) -> str:
    """The suffix of its name, in lower case; bytes have none."""
    return "" if isinstance(source, Held) else source.suffix.lower()
