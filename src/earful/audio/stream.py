"""One stream of sound inside a file: its bytes and their header."""

from typing import NamedTuple

from earful.audio.source import Data, Source
from earful.errors import AudioError

Span = bytes | tuple[int, int]  # bytes that are not in the file, or where a stretch of it begins and ends


class Stream(NamedTuple):
    """The input of a decoder in place of the file: spans, one after the other.

    `container` names the format of the whole file if another decoder reads it (`audio.media`).
    """

    spans: tuple[Span, ...]
    container: str = ""


def holds(data: Data, place: int, magic: bytes) -> bool:
    """Whether the file has these bytes at this place."""
    return data[place : place + len(magic)] == magic


def truncated(source: Source, reason: str) -> AudioError:
    """The error of a file that lacks much of its sound."""
    return AudioError(f"{source}: the file is truncated or damaged: {reason}; copy or record it again")
