"""Praat's TextGrids: text, long or short, in any encoding that Praat writes, and binary.

Format: Boersma and Weenink, Praat's manual, "TextGrid file formats": in a text file numbers that stand free, texts in
quotes and flags in <> count, all else is comment; hence long and short files are one.
"""

import math
import re
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, NoReturn

from earful.data.lines import read_bytes
from earful.data.readers.recording import beside
from earful.data.tiers import Annotated, Span, Tier
from earful.errors import ManifestError

_EXPECTED = "a TextGrid of Praat's"
_BINARY = b"ooBinaryFile\x08TextGrid"
_ENCODINGS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xfe\xff", "utf-16-be"), (b"\xff\xfe", "utf-16-le"))
# a text in quotes (a quote inside is doubled), a number or a flag between spaces; a comment from ! to the line's end
_TOKEN = re.compile(
    r'"(?P<text>(?:[^"]|"")*)"|(?<!\S)(?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)(?!\S)'
    r"|(?<!\S)<(?P<flag>\w+)>|(?<!\S)![^\n]*|[^\s\"]+|\""
)


class _Parts(NamedTuple):
    """What a TextGrid is made of, one after the other; each raises ManifestError where something else comes."""

    number: Callable[[], float]
    size: Callable[[], int]
    text: Callable[[], str]
    kind: Callable[[], str]
    flag: Callable[[], str]
    end: Callable[[], None]


def read(path: str | Path) -> tuple[Annotated, ...]:
    """Read a TextGrid; its recording has its name. Tiers of points have no spans.

    Raises ManifestError, naming the line, for what is no TextGrid, or one that holds more or less than it says.
    """
    path = Path(path)
    content = read_bytes(path, _EXPECTED)
    parts = _binary(path, content) if content.startswith(_BINARY) else _written(path, _decoded(path, content))
    parts.number(), parts.number()
    tiers = tuple(_tier(parts) for _ in range(parts.size())) if parts.flag() == "exists" else ()
    parts.end()
    return (Annotated(path, beside(path), tiers),)


def _tier(parts: _Parts) -> Tier:
    kind, name = parts.kind(), parts.text()
    parts.number(), parts.number()
    count = parts.size()
    if kind == "IntervalTier":
        return Tier(name, tuple(Span(parts.number(), parts.number(), parts.text()) for _ in range(count)))
    for _ in range(count):
        parts.number(), parts.text()
    return Tier(name, ())


def _decoded(path: Path, content: bytes) -> str:
    encoding = next((encoding for mark, encoding in _ENCODINGS if content.startswith(mark)), "utf-8")
    try:
        return content.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        if encoding != "utf-8":
            raise ManifestError(f"{path}: not {encoding.upper()} ({error.reason}); save it again in Praat") from None
    # Praat writes ISO Latin-1 without a mark, by its default of old. Every sequence of bytes is that.
    return content.decode("latin-1")


def _written(path: Path, text: str) -> _Parts:
    """The parts of a text file."""
    tokens = _tokens(text)
    if (next(tokens, None), next(tokens, None)) != (("text", "ooTextFile", 1), ("text", "TextGrid", 2)):
        found = text[:40].split("\n")[0]
        raise ManifestError(
            f'{path}:1: expected {_EXPECTED}, which begins File type = "ooTextFile", got {found!r}; '
            "save it in Praat as a text file"
        )

    def need(kind: str, expected: str) -> tuple[str, int]:
        found, value, line = next(tokens, ("end", "", text.count("\n") + 1))
        if found != kind:
            _refuse(path, line, expected, "the end of the file" if found == "end" else repr(value[:40]))
        return value, line

    def size() -> int:
        value, line = need("number", "a count")
        if not value.isdecimal() or len(value) > 9:
            _refuse(path, line, "a count", value[:40])
        return int(value)

    def kind() -> str:
        value, line = need("text", "the class of a tier")
        if value not in ("IntervalTier", "TextTier"):
            _refuse(path, line, "the class of a tier, IntervalTier or TextTier", repr(value[:40]))
        return value

    def end() -> None:
        found, value, line = next(tokens, ("end", "", 0))
        if found != "end":
            _refuse(path, line, "the end of the file", repr(value[:40]))

    return _Parts(
        number=lambda: float(need("number", "a time")[0]),
        size=size,
        text=lambda: need("text", "a text in quotes")[0],
        kind=kind,
        flag=lambda: need("flag", "<exists>")[0],
        end=end,
    )


def _refuse(path: Path, line: int, expected: str, found: str) -> NoReturn:
    raise ManifestError(
        f"{path}:{line}: expected {expected}, got {found}: the file holds more or fewer tiers or intervals than it "
        "says, or is cut short; save it again in Praat"
    )


def _tokens(text: str) -> Iterator[tuple[str, str, int]]:
    """(kind, value, line) of each text, number and flag."""
    line, counted = 1, 0
    for found in _TOKEN.finditer(text):
        if found.lastgroup:
            line += text.count("\n", counted, found.start())
            counted = found.start()
            value = found[found.lastgroup]
            yield found.lastgroup, value.replace('""', '"') if found.lastgroup == "text" else value, line


def _binary(path: Path, content: bytes) -> _Parts:
    """The parts of a binary file: big-endian; a text is ASCII behind its length, or UTF-16 behind −1 and its length."""
    place = len(_BINARY)

    def take(length: int) -> bytes:
        nonlocal place
        if place + length > len(content):
            raise ManifestError(f"{path}: ends amid a tier, at byte {len(content)}: it is cut short; copy it again")
        place += length
        return content[place - length : place]

    def number() -> float:
        value: float = struct.unpack(">d", take(8))[0]
        if not math.isfinite(value):
            raise ManifestError(f"{path}: the time at byte {place - 8} is {value}; save the file again in Praat")
        return value

    def text() -> str:
        length = int.from_bytes(take(2), "big")
        if length != 0xFFFF:
            return take(length).decode("latin-1")
        return take(2 * int.from_bytes(take(2), "big")).decode("utf-16-be", "replace")

    def kind() -> str:
        value = take(take(1)[0]).decode("latin-1")
        if value not in ("IntervalTier", "TextTier"):
            raise ManifestError(
                f"{path}: expected the class of a tier at byte {place}, got {value[:40]!r}; it is damaged"
            )
        return value

    def end() -> None:
        if place != len(content):
            raise ManifestError(f"{path}: holds more than it says, from byte {place} on; save it again in Praat")

    return _Parts(
        number=number,
        size=lambda: int.from_bytes(take(4), "big"),
        text=text,
        kind=kind,
        flag=lambda: "exists" if take(1) != b"\0" else "absent",
        end=end,
    )
