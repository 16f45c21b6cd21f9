"""Output in UTF-8 in any locale: no letter silently becomes an escape or a question mark."""

import os
import re
import sys
from typing import Any, TextIO

UTF_8 = ("utf8", "utf-8")
# Control characters except line ends and tabs, and characters that change the direction of text.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def plain(text: str) -> str:
    """The text with control characters as escapes: text from a file must not move the cursor or rename a window.

    >>> plain("a\x1b[2Jb")
    'a\\x1b[2Jb'
    """
    return _CONTROL.sub(lambda found: ascii(found[0])[1:-1], text)


class Terminal:
    """A terminal stream without control characters. `raw` is the stream for drawing."""

    def __init__(self, raw: TextIO) -> None:
        self.raw = raw

    def write(self, text: str) -> int:
        """Write the `plain` text; return the length of the original."""
        self.raw.write(plain(text))
        return len(text)

    def writelines(self, lines: Any) -> None:
        """Write each line."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.raw, name)


def raw_of(stream: Any) -> Any:
    """The stream itself, for a caller that draws on it and uses `plain` itself."""
    return stream.raw if isinstance(stream, Terminal) else stream


def in_utf8() -> None:
    """Restart this process with UTF-8 for arguments and file names if the locale has another encoding.

    Python itself uses UTF-8 in the locale C by default.
    """
    told = sys.flags.ignore_environment or "utf8" in sys._xoptions or os.environ.get("PYTHONUTF8") == "1"
    if sys.getfilesystemencoding() == "utf-8" or told:
        return
    os.environ["PYTHONUTF8"] = "1"
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def set_streams() -> None:
    """Set stdout and stderr to UTF-8, with escapes for undecodable bytes of file names.

    PYTHONIOENCODING may set another encoding. A character that it lacks is an error, on stderr an escape.
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
    if hasattr(stream, "reconfigure"):  # a stream of a test may lack it
        stream.reconfigure(encoding=encoding, errors=errors)


def _name(encoding: str) -> str:
    return encoding.lower().replace("_", "-")


def not_in(error: UnicodeEncodeError) -> str:
    """The message for text that the output encoding lacks; UTF-8 lacks only undecodable bytes."""
    letters = error.object[error.start : error.end]
    if _name(error.encoding) in UTF_8:
        return f"a name holds {letters!a}, bytes that are no UTF-8, and cannot be written; rename the file or folder"
    return f"{error.encoding} has no code for {letters!a}; unset PYTHONIOENCODING, or set it to utf-8"
