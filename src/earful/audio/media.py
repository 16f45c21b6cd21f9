"""Sound in the containers of telephones, cameras and the web, by PyAV (FFmpeg's libraries in a wheel; extra `media`).

It is for files that libsndfile does not read. To decoders a file looks like a `soundfile.SoundFile`: frames count from
the beginning of the container, as the times of the video do. Sound that begins later has silence before it, and a gap
is silence. So a time is the same whether it is reached by reading or by seeking.
"""

from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager, suppress
from functools import lru_cache
from importlib.util import find_spec
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from earful.audio.source import Held, Source, opened
from earful.audio.stream import truncated
from earful.errors import AudioError, install, quoted

_LEAD_S = 1.0  # decoded before a place that is sought: frames of AAC and Opus lean on those before them
_BLOCK = 1 << 17  # frames of silence at a time
_GAP_S = 0.05  # times of packets are rounded, and jitter; what is more is a gap
_EARLY_S = 0.1
_UNSEEKABLE = ("mpeg",)  # its times are not where its sound is
_FULL = {"u1": 128.0, "i2": 32_768.0, "i4": 2_147_483_648.0, "i8": 9_223_372_036_854_775_808.0}


class _Facts(NamedTuple):
    """The facts of a file that are known before reading; `origin_s` is where its time begins.

    `head` and `step` are the frames in its first packet and in each of the others.
    """

    frames: int
    rate_hz: int
    channels: int
    origin_s: float
    codec: str
    head: int
    step: int


@lru_cache(maxsize=1)
def is_installed() -> bool:
    """Whether PyAV is installed; it is not imported."""
    return find_spec("av") is not None


def missing(path: Source, kind: str) -> AudioError:
    """The error of a file of this kind without PyAV."""
    return AudioError(
        f"{path}: holds {kind}, which is read by PyAV; install it, as with: {install('media')} — or convert the file, "
        f"as with: {conversion(path)}"
    )


def conversion(source: Source) -> str:
    """A command line that converts the recording, ready to be typed."""
    names = ("IN", "OUT.flac") if isinstance(source, Held) else (source, source.with_suffix(".flac"))
    return f"ffmpeg -i {quoted(names[0])} {quoted(names[1])}"


class MediaSound:
    """The first, or best, sound in a container, with SoundFile's methods; read it sequentially, or `seek` first."""

    extra_info = ""

    def __init__(self, path: Source, kind: str, facts: _Facts) -> None:
        self.frames, self.samplerate, self.channels = facts.frames, facts.rate_hz, facts.channels
        self.format, self.subtype = kind, facts.codec
        self._path, self._facts = path, facts
        self._pieces = _pieces(path, facts, 0)
        self._held_TC: NDArray[np.float32] = np.zeros((0, facts.channels), np.float32)

    def seek(self, frame: int) -> None:
        """Seek to a frame. Raises AudioError if the file cannot."""
        self.close()
        self._pieces = _pieces(self._path, self._facts, frame)
        self._held_TC = self._held_TC[:0]

    def read(self, frames: int, dtype: str = "float32", always_2d: bool = True) -> NDArray[np.float32]:
        """The next frames [T, C]; fewer only at the end. Raises AudioError for damage."""
        parts, count = [self._held_TC], len(self._held_TC)
        while count < frames:
            piece_TC = next(self._pieces, None)
            if piece_TC is None:
                break
            parts.append(piece_TC)
            count += len(piece_TC)
        joined_TC = np.concatenate(parts)
        self._held_TC = joined_TC[frames:]
        return joined_TC[:frames]

    def close(self) -> None:
        """Close the file."""
        self._pieces.close()


@contextmanager
def open_media(path: Source, kind: str) -> Iterator[MediaSound]:
    """Open the sound of a container. Raises AudioError for one that is damaged, or holds none."""
    if isinstance(path, Held):
        facts = _facts_of(path)
    else:
        found = path.stat()
        facts = _facts(path, found.st_mtime_ns, found.st_size)
    sound = MediaSound(path, kind, facts)
    with closing(sound):
        yield sound


@contextmanager
def _opened(path: Source) -> Iterator[Any]:
    import av

    # a file object: no name of a file can then be taken for an address
    with opened(path) as file:
        try:
            container = av.open(file, buffer_size=1 << 16)
        except (av.FFmpegError, ValueError) as error:
            raise _damaged(path, error) from error
        with container:
            yield container


def _damaged(path: Source, error: Exception) -> AudioError:
    reason = getattr(error, "strerror", None) or str(error)
    return AudioError(f"{path}: the file is truncated or damaged: {reason}; copy or record it again")


def _stream(path: Source, container: Any) -> Any:
    stream = container.streams.best("audio")
    if stream is None:
        raise AudioError(f"{path}: holds no sound, only pictures; record it again or leave it out")
    return stream


@lru_cache(maxsize=4096)
def _facts(path: Source, _changed_ns: int, _size: int) -> _Facts:
    return _facts_of(path)


def _facts_of(path: Source) -> _Facts:
    with _opened(path) as container:
        stream = _stream(path, container)
        begin_s = (container.start_time or 0) / 1_000_000
        first, second, *_ = (*islice(_decoded(path, container, stream), 2), None, None)
        if first is None:
            raise AudioError(f"{path}: expected sound, but the file holds no samples; record it again or leave it out")
        rate_hz, channels = int(first.sample_rate), len(first.layout.channels)
        # the decoder's rate: of HE-AAC the container tells half
        end_s = _end_s(path, container, stream, begin_s)
        frames, codec = max(0, round((end_s - begin_s) * rate_hz)), stream.codec_context.name.upper()
        step = 0 if second is None else int(second.samples)
        return _Facts(frames, rate_hz, channels, begin_s, codec, int(first.samples), step)


def _end_s(path: Source, container: Any, stream: Any, begin_s: float) -> float:
    """The end of the sound, by the header; else by all packets, without decoding them.

    Raises AudioError if a Matroska file, all its sound and pictures, ends earlier than its header says.
    """
    if stream.duration is not None and "mp4" in container.format.name:
        return float((stream.start_time or 0) * stream.time_base + stream.duration * stream.time_base)
    end_s = all_s = begin_s
    container.seek(0)
    for packet in _packets(path, container):
        if packet.pts is None:
            continue
        packet_end_s = float((packet.pts + (packet.duration or 0)) * packet.time_base)
        all_s = max(all_s, packet_end_s)
        if packet.stream.index == stream.index:
            end_s = max(end_s, packet_end_s)
    promised_s = (container.duration or 0) / 1_000_000 if "matroska" in container.format.name else 0.0  # else a guess
    if promised_s - all_s > max(_EARLY_S, 0.01 * promised_s):
        raise truncated(path, f"the sound ends {promised_s - all_s:.2f} s early")
    return end_s


def _packets(path: Source, container: Any, *streams: Any) -> Iterator[Any]:
    """The packets of some streams, or of all."""
    import av

    try:
        yield from container.demux(*streams)
    except av.FFmpegError as error:
        raise _damaged(path, error) from error


def _decoded(path: Source, container: Any, stream: Any, *, sought: bool = False) -> Iterator[Any]:
    """The frames of sound from the current place on; the first packets after a seek may lack their beginnings."""
    import av

    for packet in _packets(path, container, stream):
        try:
            for frame in packet.decode():
                sought = False
                yield frame
        except av.EOFError:
            return
        except av.FFmpegError as error:
            if not sought:
                raise _damaged(path, error) from error


def _pieces(path: Source, facts: _Facts, start: int, *, seek: bool = True) -> Generator[NDArray[np.float32]]:
    """Samples [T, C] from the frame `start` on, each at its time, with silence in gaps and without repetition."""
    with _opened(path) as container:
        stream = _stream(path, container)
        sought = seek and _sought(container, stream, facts, start)
        place: int | None = None  # the frame that comes next
        for frame in _decoded(path, container, stream, sought=sought):
            if sought and place is None and frame.samples < facts.step:
                continue  # Opus drops the beginning of the first packet, whose time is then no whole millisecond
            piece_TC = _samples(path, frame, facts)
            gap = 0 if frame.pts is None else _gap(_told(frame, facts), place, facts, sought)
            if place is None and sought:
                place, gap = gap, 0
                if place > start:  # the seek went too far
                    yield from _pieces(path, facts, start, seek=False)
                    return
            place = (place or 0) + gap + len(piece_TC)
            yield from _silence(min(gap, place - len(piece_TC) - start), facts.channels)
            if place > start:
                yield piece_TC[max(0, len(piece_TC) - (place - start)) :]


def _silence(count: int, channels: int) -> Iterator[NDArray[np.float32]]:
    for begin in range(0, count, _BLOCK):
        yield np.zeros((min(_BLOCK, count - begin), channels), np.float32)


def _sought(container: Any, stream: Any, facts: _Facts, start: int) -> bool:
    """Whether a seek to a little before the frame `start` succeeded; the container is there, or at its beginning."""
    import av

    at_s = start / facts.rate_hz - _LEAD_S
    if at_s <= 0 or container.format.name in _UNSEEKABLE:
        return False
    with suppress(av.FFmpegError):  # what cannot seek stays where it is
        container.seek(round((facts.origin_s + at_s) / stream.time_base), stream=stream)
        stream.codec_context.flush_buffers()
        return True
    return False


def _gap(told: int, place: int | None, facts: _Facts, sought: bool) -> int:
    """The silence before a packet whose time is `told`, where `place` is expected."""
    if place is None and sought:
        return told
    missing = told - (place or 0)
    return missing if missing > _GAP_S * facts.rate_hz else 0


def _told(frame: Any, facts: _Facts) -> int:
    """The frame at which a packet begins by its time, which some containers round to milliseconds.

    Most packets have one size: the nearest place where a packet of that size begins is taken.
    """
    told = (float(frame.pts * frame.time_base) - facts.origin_s) * facts.rate_hz
    if facts.step:
        on_grid = facts.head + round((told - facts.head) / facts.step) * facts.step
        if abs(on_grid - told) <= 1 + float(frame.time_base) * facts.rate_hz:
            return on_grid
    return round(told)


def _samples(path: Source, frame: Any, facts: _Facts) -> NDArray[np.float32]:
    """The samples [T, C] of a frame, between -1 and 1."""
    if (frame.sample_rate, len(frame.layout.channels)) != (facts.rate_hz, facts.channels):
        raise AudioError(f"{path}: changes its rate or channels midway; convert it with ffmpeg -i IN OUT.flac")
    array = frame.to_ndarray()
    array_TC = array.T if frame.format.is_planar else array.reshape(-1, facts.channels)
    kind = array_TC.dtype.str[1:]
    if kind in _FULL:
        offset = 128.0 if kind == "u1" else 0.0
        array_TC = (array_TC - offset) / _FULL[kind]
    return np.ascontiguousarray(array_TC, np.float32)
