"""Wave64 files with chunks behind their sound, which libsndfile reads as sound.

Source: Sony Pictures Digital Networks 2006, "Wave64 file format specification": like RIFF, but a chunk is named by a
GUID, its length has 64 bits and counts its head, and every chunk begins at a multiple of 8.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from earful.audio.source import Data, Source
from earful.audio.stream import Stream

MARK = b"riff" + bytes.fromhex("2E91CF11A5D628DB04C10000")
_FAMILIES = (  # what all names of chunks end in
    bytes.fromhex("2F91CF11A5D628DB04C10000"),
    bytes.fromhex("F3ACD3118CD100C04F8EDB8A"),
)
_HEAD, _FIRST = 24, 40
_SLACK = 1_600  # bytes behind the sound that may be no chunk


class _Chunk(NamedTuple):
    name: bytes
    begin: int
    end: int


def wave64_streams(source: Source, data: Data) -> tuple[tuple[Stream, ...], tuple[str, ...]]:
    """The file up to the end of its sound, if something follows; none if the decoder needs no help."""
    sound = next((chunk for chunk in _chunks(data, _FIRST) if chunk.name == b"data"), None)
    if sound is None or len(data) - sound.end < _HEAD:
        return (), ()
    if next(_chunks(data, sound.end + -sound.end % 8), None):
        return (Stream(((0, sound.end),)),), ()
    if len(data) - sound.end <= _SLACK:
        return (), ()
    told, held = sound.end - sound.begin, len(data) - sound.begin
    return (), (f"its header promises {told} bytes of sound; {held} are there, and are read",)


def _chunks(data: Data, place: int) -> Iterator[_Chunk]:
    """Chunks that are well-formed, from `place` on."""
    while place + _HEAD <= len(data):
        name, (size,) = data[place : place + 16], struct.unpack_from("<Q", data, place + 16)
        if name[4:] not in _FAMILIES or not _HEAD <= size <= len(data) - place + 7:
            return
        yield _Chunk(name[:4], place + _HEAD, min(place + size, len(data)))
        place += size + -size % 8
