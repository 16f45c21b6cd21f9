"""Odd recordings and what they hold: headers that lie, several files in one, channels, levels; for `odd_folders.py`.

Each kind is made of speech-like noise. What is read of it is right where it is as long as that (to an eighth of a
second), as loud (to a factor of two in power), and like it (correlated by 0.7 either way).
"""

import io
from collections.abc import Iterator

import av
import numpy as np
import odd_files as odd
from numpy.typing import NDArray

Sound = NDArray[np.float64]
DELAY = 2_000  # samples by which an MP3 without its encoder's word may begin later


def talk(rng: np.random.Generator) -> Sound:
    """Smooth noise that comes and goes, three seconds and a bit."""
    count = 48_000 + int(rng.integers(0, 16_000))
    t = np.arange(count) / 16_000
    noise = np.convolve(rng.normal(0, 0.05, count), np.hanning(17), "same")
    return np.asarray(noise * (np.sin(2 * np.pi * 1.5 * t) > -0.5))


def made(sound_T: Sound, rng: np.random.Generator) -> Iterator[tuple[str, bytes, Sound]]:
    """(kind, the file, what it holds)."""
    wav, twice_T = odd.encoded(sound_T), np.concatenate([sound_T, sound_T])
    for size in (0, 1_000, 0xFFFF_FFFF, 0x7FFF_FFFF):
        yield f"WAV of length {size:x}", odd.with_sizes(wav, size, 0), sound_T
    missing = int(rng.integers(1, 2_000))
    yield "WAV, bytes missing", wav[:-missing], sound_T[: (2 * len(sound_T) - missing) // 2]
    yield "WAV, half missing", wav[: len(wav) // 2], sound_T
    yield "WAV, chunk without padding", odd.with_chunk(wav, b"odd", padded=False), sound_T
    mp3 = odd.encoded(sound_T, kind="MP3")
    yield "MP3 without a count", odd.without_info(mp3), sound_T
    yield "MP3 with too small a count", odd.told_frames(mp3, 20), sound_T
    for kind in ("WAV", "FLAC", "OGG", "MP3"):
        yield f"two in one, {kind}", odd.encoded(sound_T, kind=kind) * 2, twice_T
    yield "M4A", in_mp4(sound_T), sound_T
    yield "M4A, its index missing", odd.m4a(), sound_T
    yield "GSM 6.10", odd.encoded(sound_T[::2], 8_000, subtype="GSM610"), sound_T
    yield "opposite phase", odd.encoded(np.stack([sound_T, -sound_T], 1)), sound_T
    yield "a dead channel", odd.encoded(np.stack([0 * sound_T, sound_T], 1)), sound_T
    yield "integers as floats", odd.encoded(sound_T * 32_768, subtype="FLOAT"), sound_T


def in_mp4(sound_T: Sound) -> bytes:
    """The sound as AAC in an MPEG-4 file, as telephones record it."""
    whole = io.BytesIO()
    with av.open(whole, "w", format="ipod") as container:
        stream = container.add_stream("aac", rate=16_000)
        stream.layout = "mono"
        frame = av.AudioFrame.from_ndarray(sound_T.astype(np.float32)[None], format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 16_000, 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return whole.getvalue()


def is_right(found_T: NDArray[np.float32], held_T: Sound) -> bool:
    """Whether it is as long and as loud as what the file holds, and like it."""
    if abs(len(found_T) - len(held_T)) > DELAY:
        return False
    powers = [float(np.square(each_T).mean()) for each_T in (found_T, held_T)]
    size = min(len(found_T), len(held_T)) - DELAY
    lags = range(0, max(1, min(DELAY, len(found_T) - size)), 8)
    like = max(abs(float(np.corrcoef(found_T[lag : lag + size], held_T[:size])[0, 1])) for lag in lags)
    return 0.5 < powers[0] / powers[1] < 2.0 and like > 0.7
