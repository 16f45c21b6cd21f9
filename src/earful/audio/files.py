"""Sound files: probe, read and write. Everything that libsndfile decodes comes out as float32, mono, 16 kHz.

A recording may be given by its path, as the bytes of a file, or as a file opened in binary mode. All are read alike.

The real content of a file is read, whatever its header says (`audio.container`). `AudioInfo.warnings` names wrong
headers. These count as damaged, and raise an AudioError instead of giving a shorter recording:
a WAV, AIFF, AU or CAF file that lacks over 0.1 s of what its header promises (a recorder that crashed, or a stream of
unknown length, promises nothing), an Ogg file cut inside a page, an MP3 that ends over 1 % and 0.1 s before its header
says, a FLAC file whose decoding fails, and NaN or infinite samples. Silence and values beyond [-1, 1] are not damage.
"""

import io
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from earful.audio.channels import Channel, heard, weights_of
from earful.audio.container import Contents
from earful.audio.decode import UNKNOWN, UNSEEKABLE, contents_of, decode, open_kept, open_stream, seek, streams_of
from earful.audio.promise import surplus
from earful.audio.source import Audio, Source, source_of
from earful.errors import AudioError
from earful.writing import replacing

SAMPLE_RATE_HZ = 16_000

_FORMATS = {".wav": "WAV", ".flac": "FLAC"}
_MARGIN = SAMPLE_RATE_HZ // 20  # read around a segment, so that the resampling filter sees its neighbours
_MP3_MARGIN = 2 * SAMPLE_RATE_HZ  # its frames lean on those before them, up to half a second at the lowest bit rate
_SLACK_S = 0.1  # manifests round durations, and MP3 encoders pad the end
Samples = NDArray[np.float32]


@dataclass(frozen=True)
class AudioInfo:
    """The properties of a sound file; `sample_count` is per channel, at the file's own `rate_hz` at its beginning.

    `warnings` says what is wrong with a file that can still be read: a wrong header, missing bytes.
    """

    duration_s: float
    rate_hz: int
    channels: int
    sample_count: int
    format: str
    subtype: str
    warnings: tuple[str, ...] = ()


def probe(recording: Audio) -> AudioInfo:
    """Read a sound file's header, without decoding the sound (except of a stream without a length).

    Raises AudioError if the file is missing, empty, truncated, not sound, or holds no samples.

    >>> probe("hello.wav").duration_s  # doctest: +SKIP
    1.25
    """
    source = source_of(recording)
    contents = contents_of(source)
    duration_s, first = 0.0, None
    for stream in streams_of(contents):
        with open_stream(source, stream) as sound:
            count = sound.frames
            if count >= UNKNOWN:
                count = sum(map(len, decode(sound, source, 0, None)))
            duration_s += count / sound.samplerate
            warnings = contents.warnings if stream else (*contents.warnings, *surplus(sound, source))
            first = first or AudioInfo(
                0.0, sound.samplerate, sound.channels, count, sound.format, sound.subtype, warnings
            )
    if first is None or duration_s == 0:
        raise _no_samples(source)
    return replace(first, duration_s=duration_s, sample_count=round(duration_s * first.rate_hz))


def read(recording: Audio, start_s: float = 0.0, duration_s: float | None = None, channel: Channel = "auto") -> Samples:
    """Read a sound file, or the part of it from `start_s` for `duration_s`: float32 [T], mono, 16 kHz.

    `channel` is a number from 1 on, "mix" for the mean of all, or "auto": the mean of those that hold speech, as
    `audio.channels.survey` finds them in the whole file. A part is found by seeking, and equals the same part of the
    whole, except for rounding. It may reach 0.1 s past the end of the file (durations get rounded), and is then
    shorter. Raises AudioError for a file that `probe` would refuse, damaged or non-finite sound, and a part outside the
    file.

    >>> read("hello.flac", start_s=0.5, duration_s=0.25).shape  # doctest: +SKIP
    (4000,)
    """
    source = source_of(recording)
    _check_part(source, start_s, duration_s)
    start = round(start_s * SAMPLE_RATE_HZ)
    count = None if duration_s is None else round(duration_s * SAMPLE_RATE_HZ)
    contents = contents_of(source)
    if len(contents.streams) > 1:
        samples_T = _cut(_whole(source, contents, channel), start, count)
    else:
        opened = open_kept if start > 2 * _MP3_MARGIN else open_stream  # what does not seek begins anew
        with opened(source, next(streams_of(contents))) as sound:
            samples_T = _read_part(sound, source, start, count, channel)
    if len(samples_T) == 0 and start == 0:
        raise _no_samples(source)
    if len(samples_T) < (1 if count is None else count - _SLACK_S * SAMPLE_RATE_HZ):
        end = "the end" if duration_s is None else f"{start_s + duration_s:.3f} s"
        held_s = (start + len(samples_T)) / SAMPLE_RATE_HZ if len(samples_T) else probe(source).duration_s
        raise AudioError(
            f"{source}: expected sound from {start_s:.3f} s to {end}, but the file ends at {held_s:.3f} s; "
            "correct the start or the duration"
        )
    return samples_T


def blocks(recording: Audio, block_s: float, channel: Channel = "auto") -> Iterator[Samples]:
    """Yield the samples of `read(path, channel=channel)` in blocks of `block_s` seconds, in bounded memory.

    The last may be shorter. Raises AudioError as `read` does, when the damaged place is reached.
    """
    source = source_of(recording)
    size = round(block_s * SAMPLE_RATE_HZ) if math.isfinite(block_s) else 0
    if size < 1:
        raise AudioError(f"{source}: a block must last at least one sample (1/16000 s), got {block_s} s")
    held: list[Samples] = []
    total = 0
    for piece_T in _whole(source, contents_of(source), channel):
        total += len(piece_T)
        held.append(piece_T)
        if sum(map(len, held)) < size:
            continue
        joined_T = np.concatenate(held)
        whole = len(joined_T) // size * size
        yield from joined_T[:whole].reshape(-1, size)
        held = [joined_T[whole:].copy()]
    if total == 0:
        raise _no_samples(source)
    if any(map(len, held)):
        yield np.concatenate(held)


def write(path: str | Path, samples_T: Samples, rate_hz: int = SAMPLE_RATE_HZ) -> None:
    """Write mono samples [T] as 16-bit PCM; the suffix, .wav or .flac, names the format. Values are clipped to [-1, 1].

    The file appears whole or not at all: it is written beside its place, then renamed.
    Raises AudioError for another suffix, no or non-finite samples, and a place that cannot be written (full disk).
    """
    path = Path(path)
    kind = _FORMATS.get(path.suffix.lower())
    if kind is None:
        raise AudioError(
            f"{path}: can write {' and '.join(_FORMATS)}, not {path.suffix!r}; give the file such a suffix"
        )
    if samples_T.ndim != 1 or samples_T.size == 0 or not np.isfinite(samples_T).all():
        raise AudioError(
            f"{path}: expected one or more finite mono samples [T], got shape {samples_T.shape} {samples_T.dtype}"
        )
    encoded = io.BytesIO()  # in memory first, so that a full disk is Python's own OSError
    soundfile.write(encoded, np.clip(samples_T, -1.0, 1.0), rate_hz, subtype="PCM_16", format=kind)
    _write_whole(path, encoded.getvalue())


def _write_whole(path: Path, content: bytes) -> None:
    try:
        with replacing(path) as beside:
            beside.write_bytes(content)
    except OSError as error:
        raise AudioError(f"{path}: cannot write: {error.strerror}; free some space or choose another folder") from error


def _whole(source: Source, contents: Contents, channel: Channel) -> Iterator[Samples]:
    """The sound of all streams, one after the other, mono, at 16 kHz."""
    for stream in streams_of(contents):
        with open_stream(source, stream) as sound:
            yield from _mono(sound, source, 0, None, channel)


def _cut(pieces: Iterator[Samples], start: int, count: int | None) -> Samples:
    """The samples from `start` on, by decoding all that comes before."""
    kept: list[Samples] = [np.zeros(0, np.float32)]
    place = 0
    for piece_T in pieces:
        end = None if count is None else max(0, start + count - place)
        kept.append(piece_T[max(0, start - place) : end])
        place += len(piece_T)
        if count is not None and place >= start + count:
            break
    return np.concatenate(kept)


def _check_part(source: Source, start_s: float, duration_s: float | None) -> None:
    if not (math.isfinite(start_s) and start_s >= 0):
        raise AudioError(f"{source}: start is {start_s} s, must be 0 or more")
    if duration_s is not None and not (math.isfinite(duration_s) and duration_s * SAMPLE_RATE_HZ >= 0.5):
        raise AudioError(f"{source}: duration is {duration_s} s, must be at least one sample (1/16000 s)")


def _read_part(sound: soundfile.SoundFile, source: Source, start: int, count: int | None, channel: Channel) -> Samples:
    """Decode output samples `start` to `start + count`; shorter, or empty, if the file ends before."""
    step = math.gcd(sound.samplerate, SAMPLE_RATE_HZ)
    step_in, step_out = sound.samplerate // step, SAMPLE_RATE_HZ // step
    margin = _MP3_MARGIN if sound.format == "MP3" else _MARGIN
    steps = max(0, start - margin) // step_out  # the two grids meet here, so the filter's phase is the whole file's
    if sound.frames <= steps * step_in:
        return np.zeros(0, np.float32)
    if sound.subtype in UNSEEKABLE:
        return _cut(_mono(sound, source, 0, None, channel), start, count)
    seek(sound, source, steps * step_in)
    skip = start - steps * step_out
    needed = None if count is None else math.ceil((skip + count + _MARGIN) * step_in / step_out)
    return _cut(_mono(sound, source, steps * step_in, needed, channel), skip, count)


def _mono(
    sound: soundfile.SoundFile, source: Source, begin: int, frame_count: int | None, channel: Channel
) -> Iterator[Samples]:
    """Decode from the frame `begin`, where the file stands: the wanted channels, mixed, at 16 kHz."""
    weights_C = weights_of(source, sound, channel)
    chunks = (heard(chunk_TC, weights_C) for chunk_TC in decode(sound, source, begin, frame_count))
    return _resampled(chunks, sound.samplerate)


def _resampled(chunks: Iterator[Samples], rate_hz: int) -> Iterator[Samples]:
    """Bring consecutive chunks to 16 kHz with soxr's streaming resampler (the same numbers as in one piece)."""
    if rate_hz == SAMPLE_RATE_HZ:
        yield from chunks
        return
    stream = soxr.ResampleStream(rate_hz, SAMPLE_RATE_HZ, 1, dtype="float32", quality="HQ")
    for chunk_T in chunks:
        yield stream.resample_chunk(chunk_T)
    yield stream.resample_chunk(np.zeros(0, np.float32), last=True)


def _no_samples(source: Source) -> AudioError:
    return AudioError(f"{source}: expected sound, but the file holds no samples; record it again or leave it out")
