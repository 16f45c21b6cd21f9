"""Silence for decoders that print: libmpg123, inside libsndfile, writes its opinion of a file on the screen."""

import os
import re
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

_DECODERS = re.compile(
    rb"^(?:\[[^\]]*mpg123[^\]]*\]|(?:Note|Warning|Error): |\s*$|.*(?:mpg123|part2_3|Xing|MPEG|resync|big_values))"
)
_lock = threading.Lock()


class _State:
    """How many threads are inside, where stderr went before, and the file that catches what is written meanwhile."""

    inside = 0
    before = -1
    caught: IO[bytes]


@contextmanager
def hushed() -> Iterator[None]:
    """Hide what C decoders print to stderr while the block runs. Other lines are printed after it.

    stderr belongs to the process, not to a thread: while any thread is inside, everything written to it is caught.
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
    _State.caught = tempfile.TemporaryFile(prefix="earful-")  # noqa: SIM115 (closed by `_release`)
    os.dup2(_State.caught.fileno(), 2)


def _release() -> None:
    if _State.before < 0:
        return
    os.dup2(_State.before, 2)
    os.close(_State.before)
    with _State.caught as caught:
        caught.seek(0)
        if lines := caught.read().splitlines(keepends=True):
            os.write(2, b"".join(line for line in lines if not _DECODERS.match(line)))
