"""Files and folders that appear whole or not at all: written beside their place, then renamed or exchanged with it.

The temporary name contains this machine and this process, so that the next run recognises leftovers of dead runs.
"""

import ctypes
import errno
import hashlib
import os
import re
import shutil
import socket
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from itertools import count
from pathlib import Path

_LONGEST = 255  # bytes of a name, of nearly all file systems
_KEPT = 180  # bytes of the place's own name that the name beside it keeps
_AT_CWD, _EXCHANGE = -100, 2  # of renameat2(2)
_PARTIAL, _REPLACED = "partial", "replaced"
_LEFT = re.compile(r"^\..*\.(?P<home>[0-9a-f]{8})-(?P<pid>\d+)-\d+\.(?P<kind>partial|replaced)$", re.DOTALL)
_numbers = count()
_cleared: set[tuple[str, int]] = set()


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to; in the end its file replaces `path`. A failure leaves nothing.

    Raises OSError if it cannot be renamed; the caller explains what that means for its file.

    >>> with replacing(Path("notes.txt")) as beside:  # doctest: +SKIP
    ...     beside.write_text("all or nothing", "utf-8")
    """
    clear_leftovers(path.parent)
    beside = _beside(path, _PARTIAL)
    try:
        with _naming(path):
            yield beside
            beside.replace(path)
    finally:  # after Ctrl-C too
        with suppress(OSError):  # the folder is not writable or not a folder: nothing was left there
            beside.unlink(missing_ok=True)


@contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """The same for a folder: an empty folder beside it, which in the end replaces it in one step.

    If the system can exchange two names (Linux), the old or the new folder is there at any moment. Elsewhere there is
    none for a moment. A run that dies then leaves the old folder beside, and `clear_leftovers` puts it back.

    Raises OSError as `replacing`.
    """
    clear_leftovers(folder.parent)
    beside = _beside(folder, _PARTIAL)
    try:
        with _naming(folder):
            beside.mkdir()
            yield beside
            if not folder.exists():
                beside.replace(folder)
            elif not _exchange(beside, folder):
                _in_two_steps(beside, folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Add the file's name to an error of writing; the error of a full disk has none."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno is not None:
            error.filename = str(path)
        raise


def clear_leftovers(folder: Path) -> None:
    """Remove half-written files of dead processes of this machine from a folder; each folder once per process.

    A folder whose replacement died between its two steps is put back.
    """
    key = (str(folder), os.getpid())
    if key in _cleared or os.name == "nt":  # there, asking whether a process lives ends it
        return
    _cleared.add(key)
    with suppress(OSError):  # whoever writes there will say what is wrong with it
        for place in sorted(folder.iterdir()):
            found = _LEFT.match(place.name)
            if found and found["home"] == _home() and not _lives(int(found["pid"])):
                _clear(place, found["kind"])


def one_file(path: Path, system: str = sys.platform) -> str:
    """A key that is equal for two paths if their names mean the same file.

    Windows and macOS do not distinguish capital and small letters, and macOS not the two spellings of accents.
    """
    if system not in ("win32", "darwin"):
        return str(path)
    return unicodedata.normalize("NFC", str(path)).casefold()


def check_name(path: Path) -> None:
    """Refuse a name that the file system cannot hold. Raises OSError (ENAMETOOLONG)."""
    if any(len(os.fsencode(part)) > _LONGEST for part in path.parts):
        raise OSError(errno.ENAMETOOLONG, f"a name of more than {_LONGEST} bytes", _shortened(str(path)))
    if "\0" in str(path):
        raise OSError(errno.EINVAL, "a name that holds a NUL", str(path).replace("\0", "\\0"))


def _shortened(text: str) -> str:
    return text if len(text) <= _KEPT else text[:_KEPT] + "…"


def _beside(path: Path, kind: str) -> Path:
    """A new temporary name at each call, no longer than names may be."""
    kept = os.fsencode(path.name)
    name = path.name if len(kept) <= _KEPT else hashlib.sha256(kept).hexdigest()[:16]
    return path.with_name(f".{name}.{_home()}-{os.getpid()}-{next(_numbers)}.{kind}")


@lru_cache(maxsize=1)
def _home() -> str:
    """Identifies the space of process numbers: the machine, and the container if there is one."""
    try:
        space = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        space = ""
    return hashlib.sha256(f"{socket.gethostname()} {space}".encode()).hexdigest()[:8]


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # another user's
        return True
    return True


def _clear(place: Path, kind: str) -> None:
    if kind == _REPLACED and (meant := _meant(place)) is not None and not meant.exists():
        place.replace(meant)
    elif place.is_dir() and not place.is_symlink():
        shutil.rmtree(place, ignore_errors=True)
    else:
        place.unlink(missing_ok=True)


def _meant(place: Path) -> Path | None:
    """The original place of a replaced folder; None if its name was too long to be kept."""
    name = place.name[1:].rsplit(".", 2)[0]
    return place.with_name(name) if name else None


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two names in one step; False if the system or the file system cannot."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):  # an old C library
        return False
    if rename(_AT_CWD, os.fsencode(one), _AT_CWD, os.fsencode(other), _EXCHANGE) == 0:
        return True
    failed = ctypes.get_errno()
    if failed in (
        errno.EINVAL,
        errno.ENOSYS,
        errno.ENOTSUP,
        errno.EPERM,
    ):  # the file system, or the kernel, has no such
        return False
    raise OSError(failed, os.strerror(failed), str(other))


def _in_two_steps(beside: Path, folder: Path) -> None:
    old = _beside(folder, _REPLACED)
    folder.replace(old)
    try:
        beside.replace(folder)
    except OSError:
        old.replace(folder)
        raise
    shutil.rmtree(old, ignore_errors=True)
