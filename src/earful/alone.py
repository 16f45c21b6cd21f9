"""One run at a time in a folder: two that save their state in one place would each undo what the other has done."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from earful.errors import ConfigError

LOCK = "lock"


@contextmanager
def alone(folder: Path, remedy: str) -> Iterator[None]:
    """Keep other runs out of a folder, which is made where there is none, and goes again where nothing was put into it.

    The lock is the operating system's, so a run that was killed holds none. Raises ConfigError, which ends in `remedy`,
    where another run is in it, or where nothing can be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / LOCK, timeout=0)
        lock.acquire()
        if not (folder / LOCK).exists():  # it was another run's, which has just ended
            lock.release()
            raise Timeout(lock.lock_file)
    except Timeout:
        busy = "another run of earful is at work there; wait until it has ended"
        raise ConfigError(f"{folder}: {busy}, or {remedy}") from None
    except OSError as error:
        raise ConfigError(f"{folder}: {error.strerror}; {remedy}") from None
    try:
        yield
    finally:
        with suppress(OSError):  # where an open file cannot be removed it stays; or what was inside has removed it
            (folder / LOCK).unlink()
        lock.release()
        with suppress(OSError):  # what was put into it stays
            folder.rmdir()
