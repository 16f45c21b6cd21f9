"""Quiet for decoders that print: libmpg123, inside libsndfile, writes what it thinks of a file on the screen."""

import os
import re
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_DECODERS = re.compile(
    rb"^(?:\[[^\]]*mpg123[^\]]*\]|(?:Note|Warning|Error): |\s*$|.*(?:mpg123|part2_3|Xing|MPEG|resync|big_values))"
)
_lock = threading.Lock()


class _State:
    """How many threads are inside, where stderr went before, and what caught what was written meanwhile."""

    inside = 0
    before = -1
    caught = -1


@contextmanager
def hushed() -> Iterator[None]:
    """Keep what C libraries print to stderr from the screen while the block runs; lines of others come after it.

    stderr belongs to the process, not to a thread: while any thread is inside, all that is written to it is caught.
    """
    with _lock:
        if _State.inside == 0:
            _catch()
        _State.inside += 1
    try:
        yield
    finally:
        with _lock:
            _State.inside -= 1
            if _State.inside == 0:
                _release()


def _catch() -> None:
    try:
        sys.stderr.flush()
        _State.before = os.dup(2)
    except (OSError, ValueError, AttributeError):  # there is no stderr
        _State.before = -1
        return
    file, name = tempfile.mkstemp(prefix="earful-")
    Path(name).unlink()
    os.dup2(file, 2)
    _State.caught = file


def _release() -> None:
    if _State.before < 0:
        return
    os.dup2(_State.before, 2)
    os.close(_State.before)
    size = os.lseek(_State.caught, 0, os.SEEK_END)
    if size:
        os.lseek(_State.caught, 0, os.SEEK_SET)
        lines = os.read(_State.caught, size).splitlines(keepends=True)
        os.write(2, b"".join(line for line in lines if not _DECODERS.match(line)))
    os.close(_State.caught)
