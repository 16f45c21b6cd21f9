"""Ogg files of several streams one behind the other ("chained"), or with pages missing. Source: RFC 3533."""

import struct

from earful.audio.source import Data, Source
from earful.audio.stream import Stream

_FIRST = 0x02  # the flag of a stream's first page


def ogg_streams(source: Source, data: Data) -> tuple[tuple[Stream, ...], tuple[str, ...]]:
    """The chained streams, or groups of streams side by side; none where the decoder can do by itself."""
    begins: list[int] = []
    numbers: dict[bytes, int] = {}
    lost = junk = place = 0
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
        place = following
    warnings = []
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


def _page_end(data: Data, place: int) -> int | None:
    """Where the page ends that begins here; None if there is none, or it is cut."""
    if data[place : place + 4] != b"OggS" or place + 27 > len(data):
        return None
    lacing = data[place + 27 : place + 27 + data[place + 26]]
    end = place + 27 + len(lacing) + sum(lacing)
    return end if len(lacing) == data[place + 26] and end <= len(data) else None
