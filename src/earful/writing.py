"""Files that appear whole or not at all: written beside their place, then renamed."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to; what is there in the end takes the place of `path`. A failure leaves nothing.

    Raises OSError where it cannot be renamed; whoever writes says what that means for his file.

    >>> with replacing(Path("notes.txt")) as beside:  # doctest: +SKIP
    ...     beside.write_text("all or nothing", "utf-8")
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        yield beside
        beside.replace(path)
    finally:  # after Ctrl-C too
        with suppress(OSError):  # the folder is not writable or not a folder: nothing was left there
            beside.unlink(missing_ok=True)
