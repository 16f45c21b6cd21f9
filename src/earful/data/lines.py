"""Text files that describe clips: read as UTF-8, with line numbers, and with one message for all that is wrong."""

from collections.abc import Sequence
from pathlib import Path

from earful.errors import ManifestError
from earful.reading import read_whole

Problem = tuple[int, str]  # line number, message


def read_bytes(path: Path, expected: str) -> bytes:
    """Read a whole file; `expected` says in the error what it should have been."""
    try:
        return read_whole(path)
    except FileNotFoundError:
        raise ManifestError(f"{path}: no such file; expected {expected}, check the path") from None
    except OSError as error:
        raise ManifestError(f"{path}: cannot read: {error.strerror}; expected {expected}") from error


def read_text(path: Path, expected: str) -> str:
    """Read a UTF-8 file, with or without a byte order mark.

    Raises ManifestError that names the line where the file is not UTF-8.
    """
    content = read_bytes(path, expected).removeprefix(b"\xef\xbb\xbf")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ManifestError(f"{path}:{line}: not UTF-8; save the file as UTF-8") from None


def raise_first(path: Path, problems: Sequence[Problem]) -> None:
    """Raise a ManifestError for the first line that is wrong, if there is one, and say how many more there are."""
    if problems:
        number, first = min(problems)
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise ManifestError(f"{path}:{number}: {first}{more}")
