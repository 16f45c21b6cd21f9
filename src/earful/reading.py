"""Reading of whole files: only regular ones, and none that would fill the memory.

A pipe would wait for ever, `/dev/zero` never ends, and a manifest of gigabytes is usually a mistake.
"""

import errno
import gzip
import io
import os
import stat
import zlib
from pathlib import Path

LARGEST = "EARFUL_LARGEST_MB"
"""The environment variable that allows larger files."""
DEFAULT_LARGEST_MB = 256
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISSOCK, "a socket"),
)


def read_whole(path: Path) -> bytes:
    """The content of a file of text or settings.

    Raises OSError, with the reason in `strerror`: it cannot be read, is no regular file, or is too large.
    """
    if "\0" in str(path):
        raise OSError(errno.EINVAL, "its name holds a NUL", str(path).replace("\0", "\\0"))
    check_regular(path)
    # it may have become a pipe meanwhile, and one that nobody writes to must not be waited for
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | getattr(os, "O_NONBLOCK", 0))) as file:
        size = check_regular(path, os.fstat(file.fileno()))
        most = largest_bytes()
        if size > most:
            raise OSError(
                errno.EFBIG,
                f"holds {size / 1e6:.0f} MB, over the {most / 1e6:.0f} MB that are read; set {LARGEST} to allow more",
                str(path),
            )
        return file.read(most)  # a file that grows meanwhile is cut, and so found to be damaged


def unzipped(content: bytes) -> bytes:
    """The content of a gzip file. Raises OSError if it is damaged, or larger than the limit for files."""
    most = largest_bytes()
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
            found = file.read(most + 1)
    except (EOFError, zlib.error) as error:
        raise OSError(errno.EINVAL, f"is damaged: {error}") from error
    if len(found) > most:
        raise OSError(errno.EFBIG, f"unpacks to over {most / 1e6:.0f} MB; set {LARGEST} to allow more")
    return found


def check_regular(path: Path, found: os.stat_result | None = None) -> int:
    """The size of a regular file. Raises OSError for a pipe, a device, a socket or a folder, without opening it."""
    found = found or path.stat()
    for is_kind, name in _KINDS:
        if is_kind(found.st_mode):
            number = errno.EISDIR if name == "a folder" else errno.EINVAL
            raise OSError(number, f"expected a regular file, got {name}", str(path))
    return found.st_size


def largest_bytes() -> int:
    """The most bytes of a file that is read whole: `EARFUL_LARGEST_MB` megabytes, by default 256."""
    asked = os.environ.get(LARGEST, "")
    return (int(asked) if asked.isdecimal() and len(asked) < 10 else DEFAULT_LARGEST_MB) * 1_000_000
