"""The real content of FLAC files: the samples in their frames, whatever the description says; several files in one.

A decoder stops where, by the description, the sound ends. Source: RFC 9639.
"""

import struct
from typing import NamedTuple

from earful.audio.source import Data, Source
from earful.audio.stream import Span, Stream, truncated

_MARK = b"fLaC\x00\x00\x00\x22"  # the description comes first, 34 bytes long; in \x80 it is the only block
_ALONE = b"fLaC\x80\x00\x00\x22"
_FIRST, _SIZE = 8, 34
_TAIL = 1 << 18  # bytes at the end in which the last two frames are looked for
_SLACK_S = 0.1
_SIZES = {1: 192, 2: 576, 3: 1152, 4: 2304, 5: 4608} | {code: 256 << (code - 8) for code in range(8, 16)}


class _Description(NamedTuple):
    """STREAMINFO: samples in a block where all have the same, the rate, and samples in all (0: not known)."""

    block: int
    rate_hz: int
    channels: int
    total: int


class _Frame(NamedTuple):
    """A frame's header: which samples it holds."""

    begin: int
    samples: int


def flac_streams(source: Source, data: Data) -> tuple[tuple[Stream, ...], tuple[str, ...]]:
    """The FLAC files one after the other, each with a correct count; none if the decoder needs no help.

    Raises AudioError if over 1 % and 0.1 s of what a description promises is missing.
    """
    begins = _begins(data)
    if not begins:  # the decoder will say what it is
        return (), ()
    streams, warnings = list[Stream](), list[str]()
    for begin, end in zip(begins, [*begins[1:], len(data)], strict=True):
        told, held = _described(data, begin), _held(data, begin, end)
        spans: tuple[Span, ...] = ((begin, end),)
        if told and held and told.total and told.total != held:
            slack = max(_SLACK_S * told.rate_hz, 0.01 * told.total)
            if told.total - held > slack:
                raise truncated(source, f"the sound ends {(told.total - held) / told.rate_hz:.2f} s early")
            said, there = told.total / told.rate_hz, held / told.rate_hz
            warnings.append(f"its header promises {said:.2f} s of sound; {there:.2f} s are there, and are read")
            spans = (data[begin : begin + _FIRST] + _mended(data, begin, held), (begin + _FIRST + _SIZE, end))
        streams.append(Stream(spans))
    if len(begins) > 1:
        warnings.insert(0, f"holds {len(begins)} FLAC files one behind the other; all are read")
    return (tuple(streams), tuple(warnings)) if warnings else ((), ())


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


def _mended(data: Data, begin: int, total: int) -> bytes:
    """The description with another count of samples, and no checksum of them (16 zeros: not known)."""
    block = bytearray(data[begin + _FIRST : begin + _FIRST + _SIZE])
    (bits,) = struct.unpack_from(">Q", block, 10)
    struct.pack_into(">Q", block, 10, bits >> 36 << 36 | total)
    block[18:] = bytes(16)
    return bytes(block)


def _held(data: Data, begin: int, end: int) -> int:
    """The number of samples, by the last two frames that follow each other; 0 if these are not found."""
    told = _described(data, begin)
    if told is None:
        return 0
    tail = data[max(begin + _FIRST + _SIZE, end - _TAIL) : end]
    before, found, place = _Frame(-1, 0), 0, tail.find(b"\xff")
    while place >= 0:
        frame = _frame(tail[place : place + 16], told)
        if frame is not None and frame.begin in (0, before.begin + before.samples):
            found = frame.begin + frame.samples
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
    place += {12: 1, 13: 2, 14: 2}.get(head[2] & 15, 0)
    if place >= len(head) or _crc8(head[:place]) != head[place]:
        return None
    begin = number if head[1] & 1 else number * (told.block or samples)
    return _Frame(begin, samples)


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
