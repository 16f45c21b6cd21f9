"""One run at a time in a folder: two runs that save their state in one place would overwrite each other's."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from earful.errors import ConfigError

LOCK = "lock"


@contextmanager
def alone(folder: Path, remedy: str) -> Iterator[None]:
    """Keep other runs out of a folder. The folder is made if there is none, and removed if it stays empty.

    The lock is the operating system's, so a killed run holds none. Raises ConfigError, which ends in `remedy`, if
    another run is in the folder, or if nothing can be written there.
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
