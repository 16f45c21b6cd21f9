"""Sound files: probe, read and write. Everything that libsndfile decodes comes out as float32, mono, 16 kHz.

What a file really holds is read, whatever its header says (`audio.container`), and `AudioInfo.warnings` names the lies.
What counts as damaged, and so raises an AudioError instead of giving a shorter recording:
a WAV, AIFF, AU or CAF file that lacks over 0.1 s of what its header promises (a recorder that crashed, or a stream of
unknown length, promises nothing), an Ogg file cut inside a page, an MP3 that ends over 1 % and 0.1 s before its header
says, a FLAC file whose decoding fails, and NaN or infinite samples. Silence and values beyond [-1, 1] are not damage.
"""

import io
import math
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from earful.audio.container import Contents, Spliced, examine
from earful.audio.hush import hushed
from earful.audio.riff import STREAM_BYTES
from earful.audio.stream import Stream, truncated
from earful.errors import AudioError
from earful.writing import replacing

SAMPLE_RATE_HZ = 16_000

_FORMATS = {".wav": "WAV", ".flac": "FLAC"}
_CHUNK = 1 << 17  # source frames decoded at a time
_LOUDEST = 1e9  # 32-bit integers stored as floats are still sound; beyond that the numbers are damage
_MARGIN = SAMPLE_RATE_HZ // 20  # read around a segment, so that the resampling filter sees its neighbours
_MP3_MARGIN = 2 * SAMPLE_RATE_HZ  # its frames lean on those before them, up to half a second at the lowest bit rate
_SLACK_S = 0.1  # manifests round durations, and MP3 encoders pad the end
_WAVES = ("WAV", "WAVEX", "RF64")  # what is wrong with their headers has been looked at
_UNKNOWN = 1 << 62  # libsndfile's frame count of a stream is 2^63 - 1
_CUT_DATA = re.compile(r"^\s*(?:data|SSND|Data Size)\s*:\s*(\d+) \(should be (\d+)\)", re.MULTILINE)
_UNSEEKABLE = (
    "GSM610",
    "G721_32",
    "G723_24",
    "G723_40",
    "NMS_ADPCM_16",
    "NMS_ADPCM_24",
    "NMS_ADPCM_32",
    "DPCM_8",
    "DPCM_16",
)

Samples = NDArray[np.float32]


@dataclass(frozen=True)
class AudioInfo:
    """What a sound file holds; `sample_count` is per channel and at the file's own `rate_hz`, that of its beginning.

    `warnings` says what is wrong with a file that can be read all the same: a header that lies, bytes that are missing.
    """

    duration_s: float
    rate_hz: int
    channels: int
    sample_count: int
    format: str
    subtype: str
    warnings: tuple[str, ...] = ()


def probe(path: str | Path) -> AudioInfo:
    """Read a sound file's header, without decoding the sound (unless it is a stream that does not say its length).

    Raises AudioError if the file is missing, empty, truncated, not sound, or holds no samples.

    >>> probe("hello.wav").duration_s  # doctest: +SKIP
    1.25
    """
    path = Path(path)
    contents = _contents(path)
    duration_s, first = 0.0, None
    for stream in _streams(contents):
        with _open(path, stream) as sound:
            count = sound.frames
            if count >= _UNKNOWN:
                count = sum(len(chunk_T) for chunk_T in _decode(sound, path, 0, None))
            duration_s += count / sound.samplerate
            first = first or AudioInfo(
                0.0, sound.samplerate, sound.channels, count, sound.format, sound.subtype, contents.warnings
            )
    if first is None or duration_s == 0:
        raise _no_samples(path)
    return replace(first, duration_s=duration_s, sample_count=round(duration_s * first.rate_hz))


def read(path: str | Path, start_s: float = 0.0, duration_s: float | None = None) -> Samples:
    """Read a sound file, or the part of it from `start_s` for `duration_s`: float32 [T], mono, 16 kHz.

    Channels are averaged. A part is found by seeking, and equals the same part of the whole to within rounding; it may
    reach 0.1 s past the end of the file (durations get rounded) and is then shorter.
    Raises AudioError for a file that `probe` would refuse, damaged or non-finite sound, and a part outside the file.

    >>> read("hello.flac", start_s=0.5, duration_s=0.25).shape  # doctest: +SKIP
    (4000,)
    """
    path = Path(path)
    _check_part(path, start_s, duration_s)
    start = round(start_s * SAMPLE_RATE_HZ)
    count = None if duration_s is None else round(duration_s * SAMPLE_RATE_HZ)
    contents = _contents(path)
    if len(contents.streams) > 1:
        samples_T = _cut(_whole(path, contents), start, count)
    else:
        with _open(path, next(_streams(contents))) as sound:
            samples_T = _read_part(sound, path, start, count)
    if len(samples_T) == 0 and start == 0:
        raise _no_samples(path)
    if len(samples_T) < (1 if count is None else count - _SLACK_S * SAMPLE_RATE_HZ):
        end = "the end" if duration_s is None else f"{start_s + duration_s:.3f} s"
        held_s = (start + len(samples_T)) / SAMPLE_RATE_HZ if len(samples_T) else probe(path).duration_s
        raise AudioError(
            f"{path}: expected sound from {start_s:.3f} s to {end}, but the file ends at {held_s:.3f} s; "
            "correct the start or the duration"
        )
    return samples_T


def blocks(path: str | Path, block_s: float) -> Iterator[Samples]:
    """Yield the samples of `read(path)` in blocks of `block_s` seconds (the last may be shorter), in bounded memory.

    Raises AudioError as `read` does, when the damaged place is reached.
    """
    path = Path(path)
    size = round(block_s * SAMPLE_RATE_HZ) if math.isfinite(block_s) else 0
    if size < 1:
        raise AudioError(f"{path}: a block must last at least one sample (1/16000 s), got {block_s} s")
    held: list[Samples] = []
    total = 0
    for piece_T in _whole(path, _contents(path)):
        total += len(piece_T)
        held.append(piece_T)
        if sum(map(len, held)) < size:
            continue
        joined_T = np.concatenate(held)
        whole = len(joined_T) // size * size
        yield from joined_T[:whole].reshape(-1, size)
        held = [joined_T[whole:].copy()]
    if total == 0:
        raise _no_samples(path)
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


class _SoundFile(soundfile.SoundFile):  # type: ignore[misc]  # soundfile has no types
    """A sound file that is read straight on.

    soundfile sends a file that can seek to where it is anyway after every read, and an MP3's decoder, sent anywhere,
    begins anew and spoils what follows. `seek` still works.
    """

    def seekable(self) -> bool:
        return False


def _contents(path: Path) -> Contents:
    """What is in a file, which must be there and not empty."""
    _check_file(path)
    return examine(path)


def _streams(contents: Contents) -> Iterator[Stream | None]:
    """The streams of a file; one None for a file that the decoder takes as it is."""
    yield from contents.streams or (None,)


def _whole(path: Path, contents: Contents) -> Iterator[Samples]:
    """The sound of all streams, one behind the other, mono, at 16 kHz."""
    for stream in _streams(contents):
        with _open(path, stream) as sound:
            yield from _resampled(_decode(sound, path, 0, None), sound.samplerate)


def _cut(pieces: Iterator[Samples], start: int, count: int | None) -> Samples:
    """The samples from `start` on, by going through all that comes before."""
    kept: list[Samples] = [np.zeros(0, np.float32)]
    place = 0
    for piece_T in pieces:
        end = None if count is None else max(0, start + count - place)
        kept.append(piece_T[max(0, start - place) : end])
        place += len(piece_T)
        if count is not None and place >= start + count:
            break
    return np.concatenate(kept)


@contextmanager
def _open(path: Path, stream: Stream | None) -> Iterator[soundfile.SoundFile]:
    """Open a sound file, or one stream of it, that is known to libsndfile and not truncated."""
    spliced = None if stream is None else Spliced(path, stream.spans)
    try:
        with hushed():
            sound = _SoundFile(spliced or os.fsencode(path))
    except (soundfile.LibsndfileError, TypeError) as error:  # TypeError: headerless .raw
        reason = getattr(error, "error_string", "it has no header").strip().rstrip(".")
        raise AudioError(
            f"{path}: not a readable sound file ({reason}); expected WAV, FLAC, OGG, MP3 or the like"
        ) from error
    with sound, spliced or nullcontext():
        if spliced is None:
            _check_whole(sound, path)
        yield sound


def _check_file(path: Path) -> None:
    if not path.exists():
        raise AudioError(f"{path}: no such file; check the path")
    if not path.is_file():
        raise AudioError(f"{path}: expected a sound file, got a {'folder' if path.is_dir() else 'special file'}")
    try:
        with path.open("rb") as file:
            if not file.read(1):
                raise AudioError(f"{path}: the file is empty (0 bytes); record or copy it again")
    except OSError as error:
        raise AudioError(f"{path}: cannot read: {error.strerror}") from error


def _check_whole(sound: soundfile.SoundFile, path: Path) -> None:
    """Raise AudioError if the header promises more than the file holds, or an Ogg page is cut."""
    cut = _CUT_DATA.search(sound.extra_info)
    if cut and sound.format not in _WAVES and int(cut[2]) < int(cut[1]) < STREAM_BYTES:
        raise truncated(path, f"its header promises {cut[1]} bytes of sound, the file holds {cut[2]}")
    if sound.format == "OGG" and _ogg_page_is_cut(path):
        raise truncated(path, "its last Ogg page is incomplete")


def _ogg_page_is_cut(path: Path) -> bool:
    """Tell whether the file ends inside its last page; a page is at most 65 307 bytes (RFC 3533, section 6)."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 65_307))
        tail = file.read()
    page = tail[tail.rfind(b"OggS") :]
    lacing = page[27 : 27 + page[26]] if len(page) > 26 else b""
    return len(page) < 27 or len(lacing) < page[26] or len(page) < 27 + len(lacing) + sum(lacing)


def _check_part(path: Path, start_s: float, duration_s: float | None) -> None:
    if not (math.isfinite(start_s) and start_s >= 0):
        raise AudioError(f"{path}: start is {start_s} s, must be 0 or more")
    if duration_s is not None and not (math.isfinite(duration_s) and duration_s * SAMPLE_RATE_HZ >= 0.5):
        raise AudioError(f"{path}: duration is {duration_s} s, must be at least one sample (1/16000 s)")


def _read_part(sound: soundfile.SoundFile, path: Path, start: int, count: int | None) -> Samples:
    """Decode output samples `start` to `start + count`; shorter, or empty, where the file ends before."""
    step = math.gcd(sound.samplerate, SAMPLE_RATE_HZ)
    step_in, step_out = sound.samplerate // step, SAMPLE_RATE_HZ // step
    margin = _MP3_MARGIN if sound.format == "MP3" else _MARGIN
    steps = max(0, start - margin) // step_out  # the two grids meet here, so the filter's phase is the whole file's
    if sound.frames <= steps * step_in:
        return np.zeros(0, np.float32)
    if sound.subtype in _UNSEEKABLE:
        return _cut(_resampled(_decode(sound, path, 0, None), sound.samplerate), start, count)
    _seek(sound, path, steps * step_in)
    skip = start - steps * step_out
    needed = None if count is None else math.ceil((skip + count + _MARGIN) * step_in / step_out)
    return _cut(_resampled(_decode(sound, path, steps * step_in, needed), sound.samplerate), skip, count)


def _seek(sound: soundfile.SoundFile, path: Path, frame: int) -> None:
    if frame == 0:
        return
    try:
        with hushed():
            sound.seek(frame)
    except soundfile.LibsndfileError as error:
        raise AudioError(f"{path}: cannot seek to {frame / sound.samplerate:.2f} s; the file is damaged") from error


def _decode(sound: soundfile.SoundFile, path: Path, begin: int, frame_count: int | None) -> Iterator[Samples]:
    """Yield mono chunks at the file's rate, from the frame `begin`, where it stands, to the end or `frame_count` on.

    Every sample is checked.
    """
    position = begin
    end = sound.frames if frame_count is None else min(sound.frames, begin + frame_count)
    while position < end:
        try:
            with hushed():
                chunk_TC = sound.read(min(_CHUNK, end - position), dtype="float32", always_2d=True)
        except soundfile.LibsndfileError as error:
            raise truncated(path, f"decoding fails after {position / sound.samplerate:.2f} s") from error
        if len(chunk_TC) == 0:
            break
        chunk_T = chunk_TC[:, 0] if chunk_TC.shape[1] == 1 else chunk_TC.mean(axis=1)
        _check_finite(chunk_T, path, position, sound.samplerate)
        position += len(chunk_T)
        yield chunk_T
    missing = end - position
    if end < _UNKNOWN and missing > max(0.01 * sound.frames, _SLACK_S * sound.samplerate):
        raise truncated(path, f"the sound ends {missing / sound.samplerate:.2f} s early")


def _check_finite(chunk_T: Samples, path: Path, position: int, rate_hz: int) -> None:
    good_T = np.abs(chunk_T) <= _LOUDEST  # False for NaN as well
    if not good_T.all():
        at_s = (position + int(np.argmin(good_T))) / rate_hz
        raise AudioError(
            f"{path}: the sample at {at_s:.4f} s is NaN, infinite or absurd; write the file again, in 16-bit PCM"
        )


def _resampled(chunks: Iterator[Samples], rate_hz: int) -> Iterator[Samples]:
    """Bring consecutive chunks to 16 kHz with soxr's streaming resampler (the same numbers as in one piece)."""
    if rate_hz == SAMPLE_RATE_HZ:
        yield from chunks
        return
    stream = soxr.ResampleStream(rate_hz, SAMPLE_RATE_HZ, 1, dtype="float32", quality="HQ")
    for chunk_T in chunks:
        yield stream.resample_chunk(chunk_T)
    yield stream.resample_chunk(np.zeros(0, np.float32), last=True)


def _no_samples(path: Path) -> AudioError:
    return AudioError(f"{path}: expected sound, but the file holds no samples; record it again or leave it out")
