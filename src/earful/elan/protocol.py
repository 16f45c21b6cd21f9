"""The protocol between ELAN and a local recogniser: parameters on stdin, then lines on stdout.

It follows ELAN's sources (6.9) and a plug-in for ELAN 7. stderr and stdout are one stream for ELAN, which reads it in
Java's default charset; only ASCII is the same in all charsets.
"""

import re
import sys
from collections.abc import Mapping
from html import unescape
from pathlib import Path
from typing import BinaryIO

from earful.errors import ConfigError

DONE, FAILED = "RESULT: DONE.", "RESULT: FAILED."
_PARAM = re.compile(r"<param\s+name=([\"'])(?P<name>.*?)\1\s*>(?P<value>.*?)</param>", re.DOTALL)


def read_request(stream: BinaryIO) -> dict[str, str]:
    """The parameters of a call, by name, read to the end of the stream.

    ELAN declares UTF-8, but writes in Java's default charset, which on Windows before Java 18 is the system's own.

    >>> import io
    >>> read_request(io.BytesIO(b'<PARAM>\\n<param name="model">A &amp;amp; B</param>\\n</PARAM>'))
    {'model': 'A & B'}
    """
    content = stream.read()
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        text = content.decode("cp1252", "replace")
    return {unescape(each["name"]): unescape(each["value"]).strip() for each in _PARAM.finditer(text)}


def path_in(request: Mapping[str, str], name: str) -> Path | None:
    """A file that a parameter names, with `file:` before it or without; None where there is none."""
    value = request.get(name, "")
    plain = re.sub(r"^/+(?=[A-Za-z]:)", "", re.sub(r"^file:(?://(?=/))?", "", value))
    return Path(plain) if plain else None


def needed(request: Mapping[str, str], name: str, what: str) -> Path:
    """A file that must be named. Raises ConfigError with what to choose in ELAN."""
    if (path := path_in(request, name)) is None:
        raise ConfigError(f"no {what} was chosen (parameter {name}); choose one in the recogniser's panel")
    return path


class Answer:
    """The output to ELAN, line by line, in ASCII, without buffering."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def say(self, line: str) -> None:
        """A line for ELAN's report."""
        plain = " ".join(line.split()).encode("ascii", "backslashreplace")
        self._stream.write(plain + b"\n")
        self._stream.flush()

    def progress(self, done: float, message: str) -> None:
        """The progress from 0 to 1, and the current activity."""
        self.say(f"PROGRESS: {min(max(done, 0.0), 1.0):.2f} {message}")

    def end(self, done: bool) -> None:
        """The last line: whether there is a result."""
        self.say(DONE if done else FAILED)


def in_ascii() -> None:
    """Make stdout and stderr ASCII, so that output of libraries cannot break the stream."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="ascii", errors="backslashreplace", line_buffering=True)
