"""WAV files with wrong headers: crashed recorders, lengths that were not filled in, chunks without padding.

Source: IBM and Microsoft 1991, "Multimedia programming interface and data specifications"; EBU Tech 3306 (RF64).
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from earful.audio.source import Data, Source
from earful.audio.stream import Stream, truncated

STREAM_BYTES = 0x7FFF_0000  # what recorders write for "length unknown" lies between 2^31 and 2^32
_MOST = 0xFFFF_FFFF
_SLACK_S = 0.1  # less than that missing at the end is worth a warning, not the clip
_TAGS = (b"ID3", b"TAG", b"APETAGEX", b"LYRICS")  # what programs for music write behind the sound
_TAIL = 1 << 16
_BEFORE = (b"data", b"fmt ", b"fact", b"LIST", b"bext", b"JUNK")
_BEHIND = frozenset(  # chunks that stand behind the sound; some say wrongly how long they are
    (
        b"LIST",
        b"id3 ",
        b"ID3 ",
        b"bext",
        b"cue ",
        b"smpl",
        b"iXML",
        b"_PMX",
        b"fact",
        b"afsp",
        b"LGWV",
        b"minf",
        b"elm1",
    )
) | frozenset((b"regn", b"umid", b"junk", b"JUNK", b"PAD ", b"FLLR", b"acid", b"inst", b"plst", b"axml", b"chna"))


class _Wave(NamedTuple):
    """One WAV file inside the file: the beginning and end of its sound, and what is wrong with it."""

    format: bytes
    begin: int
    end: int
    next: int  # where the next file would begin
    warnings: tuple[str, ...]
    clean: bool  # whether the decoder reads the same by itself


class _Chunk(NamedTuple):
    name: bytes
    begin: int
    size: int
    unpadded: bool


def riff_streams(source: Source, data: Data) -> tuple[tuple[Stream, ...], tuple[str, ...]]:
    """The WAV files in a file, usually one; none if the decoder needs no help.

    Raises AudioError if the header is valid but over 0.1 s of what it promises is missing.
    """
    waves: list[_Wave] = []
    place = 0
    while data[place : place + 4] in (b"RIFF", b"RF64") and data[place + 8 : place + 12] == b"WAVE":
        wave = _wave(source, data, place)
        if wave is None:
            break
        waves.append(wave)
        place = wave.next
    warnings = tuple(warning for wave in waves for warning in wave.warnings)
    if len(waves) < 2 and all(wave.clean for wave in waves):
        return (), warnings
    if len(waves) > 1:
        warnings = (f"holds {len(waves)} WAV files one behind the other; all are read", *warnings)
    return tuple(Stream((_header(wave), (wave.begin, wave.end))) for wave in waves), warnings


def _wave(source: Source, data: Data, place: int) -> _Wave | None:
    """The WAV file that begins at `place`; None if it has no sound chunk, or no description before it."""
    described, promised_64, unpadded = b"", None, False
    for chunk in _chunks(data, place + 12):
        unpadded |= chunk.unpadded
        if chunk.name == b"ds64" and min(chunk.size, len(data) - chunk.begin) >= 16:
            (promised_64,) = struct.unpack_from("<Q", data, chunk.begin + 8)
        if chunk.name == b"fmt ":
            described = data[chunk.begin : chunk.begin + chunk.size]
        if chunk.name == b"data":
            if len(described) < 16:
                return None
            promised = promised_64 if chunk.size == _MOST and promised_64 is not None else chunk.size
            (riff,) = struct.unpack_from("<I", data, place + 4)
            return _measured(source, data, described, (place, riff, chunk.begin, promised), unpadded)
    return None


def _chunks(data: Data, place: int) -> Iterator[_Chunk]:
    """Chunks up to the one with the sound. A byte of padding should follow a chunk of odd length; some lack it."""
    while place + 8 <= len(data):
        name, (size,) = data[place : place + 4], struct.unpack_from("<I", data, place + 4)
        end = place + 8 + size
        here, padded = data[end : end + 4], data[end + 1 : end + 5]
        unpadded = bool(size % 2) and (here in _BEFORE or (_is_name(here) and not _is_name(padded)))
        yield _Chunk(name, place + 8, size, unpadded and name != b"data")
        place = end + (size % 2) - unpadded


def _is_name(name: bytes) -> bool:
    return len(name) == 4 and all(0x20 <= byte < 0x7F for byte in name)


def _measured(source: Source, data: Data, described: bytes, header: tuple[int, int, int, int], unpadded: bool) -> _Wave:
    """Compare the header (place, size of all, place of the sound, its size) with what is there."""
    place, riff, begin, promised = header
    byte_rate, align = struct.unpack_from("<IH", described, 8)
    slack = max(align, round(_SLACK_S * byte_rate))
    held, riff_end = len(data) - begin, place + 8 + riff
    warnings = ("a chunk before the sound lacks its byte of padding",) if unpadded else ()
    after = begin + promised + promised % 2
    if promised <= held:
        if promised and _is_in_order(data, begin + promised, slack):
            return _Wave(described, begin, begin + promised, _next_file(data, begin + promised), warnings, not unpadded)
        end = _without_tail(data, begin)
        if end == begin:
            return _Wave(described, begin, begin, after, warnings, True)
        said = f"its header promises {promised} bytes of sound; {end - begin} are there, and are read"
        return _Wave(described, begin, end, len(data), (*warnings, said), False)
    if promised >= STREAM_BYTES and promised <= _MOST:
        return _Wave(described, begin, len(data), len(data), warnings, not unpadded)
    crashed = begin + promised > riff_end + 1  # a header that was filled in has both lengths
    if promised - held > slack and not crashed:
        raise truncated(source, f"its header promises {promised} bytes of sound, the file holds {held}")
    said = f"its header promises {promised} bytes of sound, the file holds {held}; these are read"
    return _Wave(described, begin, len(data), len(data), (*warnings, said), False)


def _is_in_order(data: Data, end: int, slack: int) -> bool:
    """Whether the sound ends where the header says: the file ends there, or chunks, tags or silence follow."""
    if len(data) - end < max(8, slack):
        return True
    if data[end : end + 8].startswith(_TAGS) or _next_file(data, end) < len(data):
        return True
    for place in (end, end + 1) if end % 2 and end + 9 <= len(data) else (end,):
        (size,), name = struct.unpack_from("<I", data, place + 4), data[place : place + 4]
        if name in _BEHIND or (_is_name(name) and place + 8 + size <= len(data) + 1):
            return True
    return not any(data[place] for place in range(end, len(data), max(1, (len(data) - end) // 997)))


def _next_file(data: Data, end: int) -> int:
    """The beginning of another WAV file after the sound, with possible chunks before it; else the end of the file."""
    for start in (end, end + 1):
        place = start
        while place + 12 <= len(data):
            if data[place : place + 4] in (b"RIFF", b"RF64") and data[place + 8 : place + 12] == b"WAVE":
                return place
            if not _is_name(data[place : place + 4]):
                break
            (size,) = struct.unpack_from("<I", data, place + 4)
            place += 8 + size + size % 2
    return len(data)


def _without_tail(data: Data, begin: int) -> int:
    """The end of sound of unknown length: the file's end, or the beginning of a last chunk."""
    first = max(begin, len(data) - _TAIL)
    tail = data[first:]
    for name in _BEHIND:
        place = tail.rfind(name)
        if 0 <= place <= len(tail) - 8:
            (size,) = struct.unpack_from("<I", tail, place + 4)
            if len(tail) - 1 <= place + 8 + size <= len(tail) + 1:
                return first + place
    return len(data)


def _header(wave: _Wave) -> bytes:
    """A correct WAV header."""
    size = min(wave.end - wave.begin, _MOST)
    described = b"fmt " + struct.pack("<I", len(wave.format)) + wave.format + b"\0" * (len(wave.format) % 2)
    return (
        b"RIFF"
        + struct.pack("<I", min(4 + len(described) + 8 + size, _MOST))
        + b"WAVE"
        + described
        + b"data"
        + struct.pack("<I", size)
    )
