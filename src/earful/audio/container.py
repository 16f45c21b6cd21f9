"""The real content of a sound file whose header is wrong: its pieces of sound, and what is wrong with it.

Formats are detected by content, never by name. The decoder gets a correct file unchanged. Of another file it gets the
sound alone under a correct header: of a WAV whose recorder crashed, an MP3 without a count of its frames, several
streams one after the other.
"""

import io
import os
from bisect import bisect_right
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from earful.audio.flac import flac_streams
from earful.audio.media import conversion, is_installed, missing
from earful.audio.mpeg import id3_size, mpeg_streams
from earful.audio.ogg import ogg_streams
from earful.audio.riff import riff_streams
from earful.audio.source import Data, Held, Source, all_of, opened, suffix_of
from earful.audio.stream import Span, Stream, holds
from earful.audio.wave64 import MARK, wave64_streams
from earful.errors import AudioError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_FOREIGN: tuple[tuple[int, bytes, str], ...] = (  # where in the file, what stands there, what it is
    (4, b"ftyp", "MPEG-4 (M4A, MP4)"),
    (0, b"\x1a\x45\xdf\xa3", "Matroska or WebM"),
    (0, b"\x30\x26\xb2\x75", "Windows Media (WMA)"),
    (0, b"#!AMR", "AMR"),
    (0, b"wvpk", "WavPack"),
    (0, b"MAC ", "Monkey's Audio"),
    (0, b"FLV\x01", "Flash video"),
    (8, b"AVI ", "AVI video"),
    (0, b"DSD ", "DSD"),
    (0, b"ADIF", "AAC"),
    (0, b"\x0b\x77", "AC-3"),
    (0, b"TTA1", "TTA"),
    (0, b"MPCK", "Musepack"),
    (0, b"MP+", "Musepack"),
    (0, b".RMF", "RealMedia"),
    (0, b"\x00\x00\x01\xba", "MPEG video"),
)
_UNREAD = ((0, b"#!SILK", "SILK"), (0, b"\x02#!SILK", "SILK"))
_TRANSPORT = 188  # bytes of a packet of MPEG-TS, each of which begins with G
_MPEG_SUFFIXES = (".mp3", ".mp2", ".mpga", ".mpa")
_AU_HEADER = 24
_AU_TAIL = 1_600  # bytes behind the sound that may be no sound; 0.1 s of a telephone's
_AU_UNKNOWN = b"\xff\xff\xff\xff"


class Contents(NamedTuple):
    """The streams of sound in a file, in order, and what is wrong with it. No streams: the decoder takes the file."""

    streams: tuple[Stream, ...] = ()
    warnings: tuple[str, ...] = ()


def examine(source: Source) -> Contents:
    """Examine the bytes of a sound file that exists and is not empty.

    Raises AudioError for a format that is not read, and for a file that lacks much of what its header promises.
    """
    if isinstance(source, Held):
        return _seen(source)
    found = source.stat()
    return _examined(source, found.st_mtime_ns, found.st_size)


class Spliced(io.RawIOBase):
    """Spans of a file, and bytes from elsewhere, as one file to read and seek in. Close it."""

    def __init__(self, source: Source, spans: Sequence[Span]) -> None:
        self._file = opened(source)
        self._spans = tuple(spans)
        sizes = (len(span) if isinstance(span, bytes) else span[1] - span[0] for span in spans)
        *self._begins, self._size = accumulate(sizes, initial=0)
        self._place = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        begin = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._size}[whence]
        self._place = max(0, begin + offset)
        return self._place

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Fill the buffer, except at the end: a short read means the end of the file to the decoder."""
        wanted, filled = memoryview(buffer).cast("B"), 0
        while filled < len(wanted) and self._place < self._size:
            part = self._some(len(wanted) - filled)
            if not part:
                break
            wanted[filled : filled + len(part)] = part
            filled += len(part)
            self._place += len(part)
        return filled

    def close(self) -> None:
        self._file.close()
        super().close()

    def _some(self, most: int) -> bytes:
        number = bisect_right(self._begins, self._place) - 1
        span, inside = self._spans[number], self._place - self._begins[number]
        if isinstance(span, bytes):
            return span[inside : inside + most]
        self._file.seek(span[0] + inside)
        return self._file.read(min(most, span[1] - span[0] - inside))


@lru_cache(maxsize=4096)
def _examined(path: Path, _changed_ns: int, size: int) -> Contents:
    return _seen(path)


def _seen(source: Source) -> Contents:
    with all_of(source) as data:
        begin = id3_size(data, 0)
        _refuse_unread(source, data)
        kind = _foreign(data, begin)
        if kind and not is_installed():
            raise missing(source, kind)
        if kind:
            return Contents((Stream((), kind),))
        streams, warnings = _reader(source, data, begin)(source, data)
    return Contents(tuple(streams), tuple(warnings))


def _refuse_unread(source: Source, data: Data) -> None:
    kind = next((kind for place, magic, kind in _UNREAD if holds(data, place, magic)), None)
    if kind:
        raise AudioError(f"{source}: holds {kind}, which is not read; convert it, as with: {conversion(source)}")


def _foreign(data: Data, begin: int) -> str | None:
    """The kind of a file that libsndfile does not read; None for a file that it may read."""
    kind = next((kind for place, magic, kind in _FOREIGN if holds(data, place, magic)), None)
    if kind is None and _is_adts(data, begin):
        return "AAC"
    packets = range(0, min(len(data), 5 * _TRANSPORT), _TRANSPORT)
    if kind is None and len(packets) == 5 and all(data[place] == ord("G") for place in packets):
        return "MPEG-TS"
    return kind


def _is_adts(data: Data, begin: int) -> bool:
    """Whether AAC frames begin here: like MPEG's, with layer 0, and the next one where the first says (13 bits)."""
    head = data[begin : begin + 7]
    if len(head) < 7 or head[0] != 0xFF or head[1] & 0xF6 != 0xF0:
        return False
    following = begin + ((head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5)
    return following > begin + 7 and data[following : following + 2] == head[:2]


Found = tuple[Sequence[Stream], Sequence[str]]


def _reader(source: Source, data: Data, begin: int) -> Callable[[Source, Data], Found]:
    magic = data[:4]
    if magic in (b"RIFF", b"RF64"):
        return riff_streams
    if holds(data, 0, MARK):
        return wave64_streams
    if magic == b"OggS":
        return ogg_streams
    if magic == b".snd":
        return _au_streams
    if data[begin : begin + 4] == b"fLaC":
        return flac_streams
    if begin or data[0] == 0xFF or suffix_of(source) in _MPEG_SUFFIXES:
        return mpeg_streams
    return lambda source, data: ((), ())


def _au_streams(source: Source, data: Data) -> Found:
    """An AU file whose recorder wrote 0 where the length belongs, or whose header says less than is there."""
    if len(data) <= _AU_HEADER:
        return (), ()
    begin, told = max(_AU_HEADER, int.from_bytes(data[4:8], "big")), int.from_bytes(data[8:12], "big")
    held = len(data) - begin
    if held - told <= (_AU_TAIL if told else 0):
        return (), ()
    says = f"holds {told} bytes of sound" if told else "holds no sound"
    warning = f"its header says that it {says}; {held} bytes of sound are there, and are read"
    header = data[:4] + begin.to_bytes(4, "big") + _AU_UNKNOWN
    return (Stream((header, (12, len(data)))),), (warning,)
