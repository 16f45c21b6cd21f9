"""Text files that describe clips: UTF-8 with line numbers, and one message for all errors."""

from collections.abc import Sequence
from pathlib import Path

from earful.errors import ManifestError
from earful.reading import read_whole

Problem = tuple[int, str]  # line number, message


def read_bytes(path: Path, expected: str) -> bytes:
    """Read a whole file; `expected` describes the expected file in the error."""
    try:
        return read_whole(path)
    except FileNotFoundError:
        raise ManifestError(f"{path}: no such file; expected {expected}, check the path") from None
    except OSError as error:
        raise ManifestError(f"{path}: cannot read: {error.strerror}; expected {expected}") from error


def read_text(path: Path, expected: str) -> str:
    """Read a UTF-8 file, with or without a byte order mark.

    Raises ManifestError, which names the line that is not UTF-8.
    """
    content = read_bytes(path, expected).removeprefix(b"\xef\xbb\xbf")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ManifestError(f"{path}:{line}: not UTF-8; save the file as UTF-8") from None


def raise_first(path: Path, problems: Sequence[Problem]) -> None:
    """Raise a ManifestError for the first wrong line, if there is one, with the number of the others."""
    if problems:
        number, first = min(problems)
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise ManifestError(f"{path}:{number}: {first}{more}")
