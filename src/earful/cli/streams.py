"""What is printed is UTF-8, whatever the locale: a letter never becomes an escape or a question mark in silence."""

import os
import sys
from typing import TextIO

UTF_8 = ("utf8", "utf-8")


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
