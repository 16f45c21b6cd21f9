"""Sound files as they should not be, made byte by byte: for `bench/odd_folders.py` and for the tests.

All functions are pure, from samples or bytes to bytes.
"""

import io
import struct
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

Samples = NDArray[np.floating]


def encoded(
    samples_TC: Samples, rate_hz: int = 16_000, kind: str = "WAV", subtype: str | None = None, **how: Any
) -> bytes:
    """Samples `[T]` or `[T, C]` as a whole file of this kind."""
    content = io.BytesIO()
    channels = 1 if samples_TC.ndim == 1 else samples_TC.shape[1]
    with soundfile.SoundFile(content, "w", rate_hz, channels, format=kind, subtype=subtype, **how) as file:
        file.write(samples_TC)
    return content.getvalue()


def with_sizes(wav: bytes, data: int | None, riff: int | None = None) -> bytes:
    """A WAV file that says of its sound, and of all, that it is so long."""
    place = wav.index(b"data") + 4
    changed = wav if data is None else wav[:place] + struct.pack("<I", data) + wav[place + 4 :]
    return changed if riff is None else changed[:4] + struct.pack("<I", riff) + changed[8:]


def with_chunk(wav: bytes, content: bytes, *, padded: bool = True, name: bytes = b"LIST") -> bytes:
    """A WAV file with a chunk before its sound; of odd length it may lack the byte of padding."""
    place = wav.index(b"data")
    pad = b"\0" * (len(content) % 2 if padded else 0)
    return wav[:place] + name + struct.pack("<I", len(content)) + content + pad + wav[place:]


def without_info(mp3: bytes) -> bytes:
    """An MP3 file without its first frame, in which the encoder says how many follow."""
    head = mp3[:400]
    if b"Xing" not in head and b"Info" not in head:
        raise ValueError("the file has no Xing frame to take away")
    return mp3[mp3.index(mp3[:2], 64) :] if mp3[:2] in mp3[64:] else mp3


def told_frames(mp3: bytes, frames: int) -> bytes:
    """An MP3 file whose first frame promises so many."""
    place = next(mp3.index(name) for name in (b"Xing", b"Info") if name in mp3[:400]) + 8
    return mp3[:place] + struct.pack(">I", frames) + mp3[place + 4 :]


def id3(content: bytes = bytes(1024)) -> bytes:
    """A tag of ID3 version 2 around some bytes."""
    size = len(content)
    return b"ID3\x03\0\0" + bytes([size >> 21 & 127, size >> 14 & 127, size >> 7 & 127, size & 127]) + content


def m4a() -> bytes:
    """The beginning of an MPEG-4 file, and bytes."""
    return (
        struct.pack(">I", 28)
        + b"ftypM4A \0\0\0\0M4A mp42isom"
        + struct.pack(">I", 4096)
        + b"mdat"
        + bytes(range(256)) * 16
    )
