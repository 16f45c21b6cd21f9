"""What is printed is UTF-8, whatever the locale: a letter never becomes an escape or a question mark in silence."""

import os
import re
import sys
from typing import Any, TextIO

UTF_8 = ("utf8", "utf-8")
# Control characters but for the end of a line and tabs, and what turns the order of letters around.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def plain(text: str) -> str:
    """The text with control characters as escapes: what a file holds must not move the cursor or rename a window.

    >>> plain("a\x1b[2Jb")
    'a\\x1b[2Jb'
    """
    return _CONTROL.sub(lambda found: ascii(found[0])[1:-1], text)


class Terminal:
    """A stream that a person looks at: control characters do not reach it. `raw` is for those who draw there."""

    def __init__(self, raw: TextIO) -> None:
        self.raw = raw

    def write(self, text: str) -> int:
        """Write it as `plain` has it; answers as if it had been written as it is."""
        self.raw.write(plain(text))
        return len(text)

    def writelines(self, lines: Any) -> None:
        """Write each."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.raw, name)


def raw_of(stream: Any) -> Any:
    """The stream itself, for one who draws on it, and cares for `plain` himself."""
    return stream.raw if isinstance(stream, Terminal) else stream


def in_utf8() -> None:
    """Start this process again with UTF-8 for arguments and file names, where an old locale has another encoding.

    Python itself does so in the locale C, unless told otherwise.
    """
    told = sys.flags.ignore_environment or "utf8" in sys._xoptions or os.environ.get("PYTHONUTF8") == "1"
    if sys.getfilesystemencoding() == "utf-8" or told:
        return
    os.environ["PYTHONUTF8"] = "1"
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def set_streams() -> None:
    """stdout and stderr in UTF-8, where lone bytes of a file name are escaped.

    Who asks for another encoding by PYTHONIOENCODING gets it: what it has no code for is an error, on stderr an escape.
    """
    asked, _, how = os.environ.get("PYTHONIOENCODING", "").partition(":")
    for stream, lost in ((sys.stdout, how or "strict"), (sys.stderr, "backslashreplace")):
        if asked and _name(asked) not in UTF_8:
            _set(stream, asked, lost)
        else:
            _set(stream, "utf-8", "backslashreplace")
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if not isinstance(stream, Terminal) and stream is not None and stream.isatty():
            setattr(sys, name, Terminal(stream))


def _set(stream: TextIO, encoding: str, errors: str) -> None:
    if hasattr(stream, "reconfigure"):  # what tests put in its place may have nothing to set
        stream.reconfigure(encoding=encoding, errors=errors)


def _name(encoding: str) -> str:
    return encoding.lower().replace("_", "-")


def not_in(error: UnicodeEncodeError) -> str:
    """The line for text that the encoding cannot hold: one that was asked for, or UTF-8, which holds all but bytes."""
    letters = error.object[error.start : error.end]
    if _name(error.encoding) in UTF_8:
        return f"a name holds {letters!a}, bytes that are no UTF-8, and cannot be written; rename the file or folder"
    return f"{error.encoding} has no code for {letters!a}; unset PYTHONIOENCODING, or set it to utf-8"
