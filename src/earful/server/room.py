"""Whether an error means that the disk is full."""

import errno
import os
import sqlite3
from collections.abc import Iterator

FULL = (errno.ENOSPC, errno.EDQUOT)


def is_full(error: BaseException) -> bool:
    """Whether this error, or one of its causes, means that the disk is full."""
    return any(map(_is_full, _chain(error)))


def _is_full(error: BaseException) -> bool:
    if isinstance(error, sqlite3.OperationalError):
        return "full" in str(error)
    if isinstance(error, OSError):
        return error.errno in FULL
    return any(os.strerror(number) in str(error) for number in FULL)  # errors of safetensors have no errno


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__
