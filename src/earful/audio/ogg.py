"""Ogg files of several streams one after the other ("chained"), or with missing pages. Source: RFC 3533."""

import struct
import zlib

from earful.audio.source import Data, Source
from earful.audio.stream import Stream, truncated

_FIRST = 0x02  # the flag of a stream's first page
_BEARABLE = 0.01  # the share of pages that may be damaged, and is then named
_MOST = 0xFFFF_FFFF
_TURNED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def ogg_streams(source: Source, data: Data) -> tuple[tuple[Stream, ...], tuple[str, ...]]:
    """The chained streams, or groups of parallel streams; none if the decoder needs no help.

    Raises AudioError if over 1 % of the pages are damaged.
    """
    begins: list[int] = []
    numbers: dict[bytes, int] = {}
    lost = junk = place = damaged = count = 0
    in_head = False
    while 0 <= place < len(data):
        following = _page_end(data, place)
        if following is None:
            found = data.find(b"OggS", place + 1)
            if found < 0:
                break
            junk, place = junk + found - place, found
            continue
        is_first = bool(data[place + 5] & _FIRST)
        if is_first and not in_head:
            begins.append(place)
        in_head, serial = is_first, data[place + 14 : place + 18]
        (number,) = struct.unpack_from("<I", data, place + 18)
        if not is_first and serial in numbers:
            lost += max(0, number - numbers[serial] - 1)
        numbers[serial] = number
        damaged, count = damaged + (not _is_whole(data[place:following])), count + 1
        place = following
    if damaged > _BEARABLE * count:
        raise truncated(source, f"{damaged} of its {count} Ogg pages {'is' if damaged == 1 else 'are'} damaged")
    warnings = []
    if damaged:
        warnings.append(f"{damaged} of its {count} Ogg pages are damaged, and their sound is missing")
    if len(begins) > 1:
        warnings.append(f"holds {len(begins)} Ogg streams one behind the other; all are read")
    if lost:
        warnings.append(f"{lost} pages of it are missing, and their sound with them")
    elif junk:
        warnings.append(f"{junk} bytes in it are no Ogg, and are left out")
    if len(begins) < 2:
        return (), tuple(warnings)
    spans = zip(begins, [*begins[1:], len(data)], strict=True)
    return tuple(Stream((span,)) for span in spans), tuple(warnings)


def _is_whole(page: bytes) -> bool:
    """Whether a page agrees with its checksum. Decoders silently leave out pages that do not.

    Ogg's CRC takes bits in the opposite order to zlib's: reversed, it is the same.
    """
    told = int.from_bytes(page[22:26], "little")
    turned = (page[:22] + bytes(4) + page[26:]).translate(_TURNED)
    crc = zlib.crc32(turned, _MOST) ^ _MOST
    return int(f"{crc:032b}"[::-1], 2) == told


def _page_end(data: Data, place: int) -> int | None:
    """The end of the page that begins here; None if there is none, or it is cut."""
    if data[place : place + 4] != b"OggS" or place + 27 > len(data):
        return None
    lacing = data[place + 27 : place + 27 + data[place + 26]]
    end = place + 27 + len(lacing) + sum(lacing)
    return end if len(lacing) == data[place + 26] and end <= len(data) else None
