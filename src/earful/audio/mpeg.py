"""The real content of MP3 files: frames are counted if the count is missing or wrong; several files in one.

Without a Xing or Info frame a decoder guesses the length from the first frame's bit rate, and stops there. Source:
ISO/IEC 11172-3 and 13818-3 (frames); the Xing, Info and VBRI frames are customs of encoders.
"""

import struct
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from earful.audio.source import Data, Source
from earful.audio.stream import Span, Stream, truncated

_KBPS = {  # (MPEG 1 or not, layer) → bit rates by index
    (True, 1): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_HZ = (44_100, 48_000, 32_000)
_SLACK_S = 0.1
_TAG_BYTES = 128  # ID3, version 1


class _Header(NamedTuple):
    """The contents of a frame's four bytes."""

    size: int
    rate_hz: int
    samples: int
    channels: int
    kind: tuple[int, int, int, bool]  # version, layer, rate, mono: what stays the same within a stream


class _Run:
    """The frames of one stream: their places, their number, and what the stream itself says."""

    def __init__(self, header: _Header, told: bytes | None, count: int | None) -> None:
        self.header, self.told, self.promised = header, told, count
        self.spans: list[list[int]] = []
        self.frames, self.least, self.most = 0, header.size, header.size

    def add(self, begin: int, end: int) -> None:
        self.frames += 1
        self.least, self.most = min(self.least, end - begin), max(self.most, end - begin)
        if self.spans and self.spans[-1][1] == begin:
            self.spans[-1][1] = end
        else:
            self.spans.append([begin, end])


def id3_size(data: Data, place: int) -> int:
    """The number of bytes of ID3 tags (version 2) at this place; 0 if there are none."""
    begin = place
    while data[place : place + 3] == b"ID3" and len(head := data[place + 6 : place + 10]) == 4:
        size = head[0] << 21 | head[1] << 14 | head[2] << 7 | head[3]
        place += 10 + size + (10 if data[place + 5] & 0x10 else 0)
    return place - begin


def mpeg_streams(source: Source, data: Data) -> tuple[tuple[Stream, ...], tuple[str, ...]]:
    """The streams of MPEG frames in a file, each with a correct count of its frames.

    None if there are no frames, or if the file holds only one stream with a correct length.
    Raises AudioError if over 1 % and 0.1 s of what the first frame promises is missing.
    """
    runs, junk = _runs(data)
    if not runs:
        return (), ()
    for run in runs:
        missing_s = ((run.promised or 0) - run.frames) * run.header.samples / run.header.rate_hz
        if run.promised and missing_s > max(_SLACK_S, 0.01 * run.promised * run.header.samples / run.header.rate_hz):
            raise truncated(source, f"the sound ends {missing_s:.2f} s early")
    warnings = tuple(_warnings(runs, junk))
    only = runs[0]
    if not warnings and len(only.spans) == 1 and only.promised in (only.frames, only.frames + 1):
        return (), ()
    return tuple(map(_stream, runs)), warnings


def _warnings(runs: Sequence[_Run], junk: int) -> Iterator[str]:
    if len(runs) > 1:
        yield f"holds {len(runs)} MP3 streams one behind the other; all are read"
    for run in runs:
        second = run.header.samples / run.header.rate_hz
        if run.promised is not None and run.frames > run.promised + 1:
            told_s, held_s = run.promised * second, run.frames * second
            yield f"its header promises {told_s:.2f} s of sound; {held_s:.2f} s are there, and are read"
        if run.promised is None and run.most > run.least + 4:  # more than padding
            yield f"of variable bit rate, and does not say how long it is; {run.frames * second:.2f} s were counted"
    if junk:
        yield f"{junk} bytes in it are no MP3, and are left out"


def _runs(data: Data) -> tuple[list[_Run], int]:
    """Walk over all frames; returns the streams, and the number of unknown bytes between and around them."""
    runs: list[_Run] = []
    junk, place = 0, id3_size(data, 0)
    fresh = True  # whether what comes next need not belong to the stream before
    while place + 4 <= len(data):
        header = _header(data[place : place + 4])
        fresh |= bool(runs and header and runs[-1].header.kind != header.kind)
        if header is None or (fresh and not _goes_on(data, place, header)):
            following = _skip(data, place)
            junk += 0 if _is_tag(data, place) else following - place
            place, fresh = following, True
            continue
        end = place + header.size
        if end > len(data):  # the last frame is cut
            break
        told = _told(data, place, end, header)
        if told or not runs or runs[-1].header.kind != header.kind:
            runs.append(_Run(header, data[place:end] if told else None, told[1] if told else None))
        if not told:
            runs[-1].add(place, end)
        place, fresh = end, False
    return [run for run in runs if run.frames], junk


def _is_tag(data: Data, place: int) -> bool:
    """Whether it is ID3 of either version, an APE tag, lyrics, or zeros that programs fill up with."""
    return data[place : place + 3] in (b"ID3", b"TAG") or data[place : place + 8] in (
        b"APETAGEX",
        b"LYRICSBE",
        bytes(8),
    )


def _skip(data: Data, place: int) -> int:
    """The next place at which a frame may begin."""
    size = id3_size(data, place)
    if size:
        return min(place + size, len(data))
    if data[place : place + 3] == b"TAG" and len(data) - place == _TAG_BYTES:
        return len(data)
    found = data.find(b"\xff", place + 1)
    return len(data) if found < 0 else found


def _goes_on(data: Data, place: int, header: _Header) -> bool:
    """Whether another frame of the kind, the end, or a tag follows the frame that seems to begin here."""
    end = place + header.size
    if end >= len(data) or _is_tag(data, end):
        return end <= len(data)
    following = _header(data[end : end + 4])
    return following is not None and following.kind == header.kind


@lru_cache(maxsize=4096)
def _header(four: bytes) -> _Header | None:
    """Read the four bytes of a frame's header; None if they are none, or the frame is of "free" size."""
    if len(four) < 4:
        return None
    (bits,) = struct.unpack(">I", four)
    version, layer_bits, rate = bits >> 19 & 3, bits >> 17 & 3, bits >> 10 & 3
    index, padding, mono = bits >> 12 & 15, bits >> 9 & 1, bits >> 6 & 3 == 3
    if bits >> 21 != 0x7FF or version == 1 or layer_bits == 0 or rate == 3 or index in (0, 15):
        return None
    layer, first = 4 - layer_bits, version == 3
    rate_hz = _HZ[rate] >> {3: 0, 2: 1, 0: 2}[version]
    bit_rate = 1000 * _KBPS[first, layer][index]
    if layer == 1:
        size, samples = (12 * bit_rate // rate_hz + padding) * 4, 384
    else:
        samples = 576 if layer == 3 and not first else 1152
        size = samples // 8 * bit_rate // rate_hz + padding
    return _Header(size, rate_hz, samples, 1 if mono else 2, (version, layer, rate, mono))


def _told(data: Data, begin: int, end: int, header: _Header) -> tuple[int, int | None] | None:
    """The place of a Xing or Info frame's data, and the number of frames that it promises; None for sound."""
    if header.kind[1] != 3:
        return None
    place = begin + 4 + _side(header)
    if data[place : place + 4] in (b"Xing", b"Info") and place + 12 <= end:
        flags, count = struct.unpack_from(">II", data, place + 4)
        return place, count if flags & 1 else None
    if data[begin + 36 : begin + 40] == b"VBRI" and begin + 54 <= end:
        return begin + 36, struct.unpack_from(">I", data, begin + 50)[0]
    return None


def _side(header: _Header) -> int:
    """The bytes of side information; the Xing frame's data follow them."""
    first, mono = header.kind[0] == 3, header.channels == 1
    return (17 if mono else 32) if first else (9 if mono else 17)


def _stream(run: _Run) -> Stream:
    """The frames after a first frame that counts them: the stream's own, corrected, or a new one."""
    spans: list[Span] = [(begin, end) for begin, end in run.spans]
    size = sum(end - begin for begin, end in run.spans)
    header = run.header
    if header.kind[1] != 3:
        return Stream(tuple(spans))
    place = 4 + _side(header)
    if run.promised and run.told is not None and run.told[place : place + 4] in (b"Xing", b"Info"):
        first = bytearray(run.told)
    else:
        first = _empty_frame(run)
        first[place : place + 8] = b"Info" + struct.pack(">I", 3)
    struct.pack_into(">I", first, place + 8, run.frames)
    if first[place + 7] & 2:  # it says how many bytes there are, too
        struct.pack_into(">I", first, place + 12, size + len(first))
    return Stream((bytes(first), *spans))


def _empty_frame(run: _Run) -> bytearray:
    """A frame of the stream's kind without sound, long enough for the data (64 kbit/s and more are)."""
    version, layer, rate, mono = run.header.kind
    for index in range(1, 15):
        bits = (
            0x7FF << 21
            | version << 19
            | (4 - layer) << 17
            | 1 << 16
            | index << 12
            | rate << 10
            | (3 if mono else 0) << 6
        )
        header = _header(struct.pack(">I", bits))
        if header is not None and header.size >= 64:
            return bytearray(struct.pack(">I", bits) + bytes(header.size - 4))
    raise AssertionError("the highest bit rate has room")  # 160 kbit/s at 24 kHz: 480 bytes
