"""The real content of FLAC files: the samples in their frames, and their rate, whatever the description says; several
files in one.

A decoder stops where, by the description, the sound ends. Source: RFC 9639.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from earful.audio.source import Data, Source
from earful.audio.stream import Span, Stream, truncated

_MARK = b"fLaC\x00\x00\x00\x22"  # the description comes first, 34 bytes long; in \x80 it is the only block
_ALONE = b"fLaC\x80\x00\x00\x22"
_FIRST, _SIZE = 8, 34
_TAIL = 1 << 18  # bytes at the end in which the last two frames are looked for
_SLACK_S = 0.1
_HUNDREDS = (882, 1764, 1920, 80, 160, 220.5, 240, 320, 441, 480, 960)  # of Hz, by code, from 1 on
_RATES_HZ = {code: round(100 * each) for code, each in enumerate(_HUNDREDS, 1)}
_SIZES = {1: 192, 2: 576, 3: 1152, 4: 2304, 5: 4608} | {code: 256 << (code - 8) for code in range(8, 16)}


class _Description(NamedTuple):
    """STREAMINFO: samples in a block where all have the same, the rate, and samples in all (0: not known)."""

    block: int
    rate_hz: int
    channels: int
    total: int


class _Frame(NamedTuple):
    """A frame's header: which samples it holds, and their rate (0: as described)."""

    begin: int
    samples: int
    rate_hz: int = 0

    @property
    def end(self) -> int:
        return self.begin + self.samples


def flac_streams(source: Source, data: Data) -> tuple[tuple[Stream, ...], tuple[str, ...]]:
    """The FLAC files one after the other, each with a correct count; none if the decoder needs no help.

    Raises AudioError if over 1 % and 0.1 s of what a description promises is missing.
    """
    begins = _begins(data)
    if not begins:  # the decoder will say what it is
        return (), ()
    streams, warnings = list[Stream](), list[str]()
    for begin, end in zip(begins, [*begins[1:], len(data)], strict=True):
        told, last = _described(data, begin), _last(data, begin, end)
        said = tuple(_lies(source, told, last)) if told and last else ()
        spans: tuple[Span, ...] = ((begin, end),)
        if told and last and said:
            total = last.end if told.total else 0
            mended = _mended(data, begin, last.rate_hz or told.rate_hz, total)
            spans = (data[begin : begin + _FIRST] + mended, (begin + _FIRST + _SIZE, end))
        warnings += said
        streams.append(Stream(spans))
    if len(begins) > 1:
        warnings.insert(0, f"holds {len(begins)} FLAC files one behind the other; all are read")
    return (tuple(streams), tuple(warnings)) if warnings else ((), ())


def _lies(source: Source, told: _Description, last: _Frame) -> Iterator[str]:
    """What a description says other than the frames, whose headers have a checksum."""
    rate_hz = last.rate_hz or told.rate_hz
    if rate_hz != told.rate_hz:
        yield f"its header says {told.rate_hz} samples a second, the sound itself {rate_hz}; it is read as the latter"
    if told.total in (0, last.end):
        return
    missing = told.total - last.end
    if missing > max(_SLACK_S * rate_hz, 0.01 * told.total):
        raise truncated(source, f"the sound ends {missing / rate_hz:.2f} s early")
    said, there = told.total / rate_hz, last.end / rate_hz
    yield f"its header promises {said:.2f} s of sound; {there:.2f} s are there, and are read"


def _begins(data: Data) -> list[int]:
    found = list[int]()
    for mark in (_MARK, _ALONE):
        place = data.find(mark)
        while place >= 0:
            found.append(place)
            place = data.find(mark, place + 4)
    return sorted(found)


def _described(data: Data, begin: int) -> _Description | None:
    block = data[begin + _FIRST : begin + _FIRST + _SIZE]
    if len(block) < _SIZE:
        return None
    least, most = struct.unpack_from(">HH", block)
    (bits,) = struct.unpack_from(">Q", block, 10)
    rate_hz, channels, total = bits >> 44, (bits >> 41 & 7) + 1, bits & ((1 << 36) - 1)
    return _Description(least if least == most else 0, rate_hz, channels, total) if rate_hz else None


def _mended(data: Data, begin: int, rate_hz: int, total: int) -> bytes:
    """The description with another rate and count of samples, and no checksum of them (16 zeros: not known)."""
    block = bytearray(data[begin + _FIRST : begin + _FIRST + _SIZE])
    (bits,) = struct.unpack_from(">Q", block, 10)
    kind = bits >> 36 & 0xFF  # channels, and bits of a sample
    struct.pack_into(">Q", block, 10, rate_hz << 44 | kind << 36 | total)
    block[18:] = bytes(16)
    return bytes(block)


def _last(data: Data, begin: int, end: int) -> _Frame | None:
    """The last frame that follows another one, or is the first; None if there is no such."""
    told = _described(data, begin)
    if told is None:
        return None
    tail = data[max(begin + _FIRST + _SIZE, end - _TAIL) : end]
    before, found, place = _Frame(-1, 0), None, tail.find(b"\xff")
    while place >= 0:
        frame = _frame(tail[place : place + 16], told)
        if frame is not None and frame.begin in (0, before.end):
            found = frame
        if frame is not None:
            before = frame
        place = tail.find(b"\xff", place + 1)
    return found


def _frame(head: bytes, told: _Description) -> _Frame | None:
    """The frame that begins here; None if none does (its header has a checksum of 8 bits)."""
    if len(head) < 6 or head[0] != 0xFF or head[1] & 0xFE != 0xF8 or head[2] >> 4 == 0 or head[2] & 15 == 15:
        return None
    if head[3] & 1 or head[3] >> 4 > 10 or ((head[3] >> 4) + 1 != told.channels and not _is_pair(head[3] >> 4, told)):
        return None
    number, size = _number(head[4:])
    if not size:
        return None
    place, code = 4 + size, head[2] >> 4
    samples = _SIZES.get(code, 0)
    if code in (6, 7):
        width = code - 5
        samples, place = int.from_bytes(head[place : place + width], "big") + 1, place + width
    rate_code = head[2] & 15
    width, unit_hz = {12: (1, 1000), 13: (2, 1), 14: (2, 10)}.get(rate_code, (0, 0))
    rate_hz = unit_hz * int.from_bytes(head[place : place + width], "big") or _RATES_HZ.get(rate_code, 0)
    place += width
    if place >= len(head) or _crc8(head[:place]) != head[place]:
        return None
    begin = number if head[1] & 1 else number * (told.block or samples)
    return _Frame(begin, samples, rate_hz)


def _is_pair(code: int, told: _Description) -> bool:
    """Whether two channels are stored as one and a difference."""
    return told.channels == 2 and 8 <= code <= 10


def _number(data: bytes) -> tuple[int, int]:
    """A number coded like UTF-8, up to 36 bits, and its number of bytes; 0 bytes if it is none."""
    first = data[0]
    if first < 0x80:
        return first, 1
    size = 8 - (first ^ 0xFF).bit_length()
    if not 2 <= size <= 7 or len(data) < size or any(byte & 0xC0 != 0x80 for byte in data[1:size]):
        return 0, 0
    number = first & (0x7F >> size)
    for byte in data[1:size]:
        number = number << 6 | byte & 0x3F
    return number, size


def _crc8(data: bytes) -> int:
    """The checksum of a frame's header: x⁸ + x² + x + 1."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ 0x07) & 0xFF if crc & 0x80 else crc << 1
    return crc
