"""Debian packages: fetched with `apt-get download` into a cache, and unpacked with `dpkg-deb` where they are needed."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from earful.errors import CorpusError

_OTHERWISE = "get the .deb files on another machine and name their folder with --from FOLDER"


def default_cache() -> Path:
    """The folder for what was downloaded: earful in $XDG_CACHE_HOME, by default ~/.cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "earful"


@contextmanager
def unpacked(
    names: Sequence[str], source: str | Path | None, cache: str | Path | None, sounds: Sequence[str] = ("*.ogg",)
) -> Iterator[Path]:
    """A folder with what is in the packages: `source` where it holds `sounds` (patterns), else a temporary one.

    The packages are looked for in `source`, else in `cache` (default: the user's), into which missing ones are
    downloaded. Raises CorpusError for a folder that is not there, and where fetching or unpacking fails.
    """
    source = None if source is None else Path(source)
    if source is not None and not source.is_dir():
        raise CorpusError(f"{source}: no such folder; name the one that holds {', '.join(names)}")
    if source is not None and any(next(source.rglob(sound), None) for sound in sounds):
        yield source
        return
    packages = fetch_packages(names, Path(cache or default_cache())) if source is None else find_packages(source, names)
    with tempfile.TemporaryDirectory(prefix="earful-corpus-") as folder:
        unpack(packages, Path(folder))
        yield Path(folder)


def fetch_packages(names: Sequence[str], cache: Path) -> list[Path]:
    """Download the packages that the cache lacks; return the .deb files. A download that fails leaves nothing behind.

    Raises CorpusError without apt-get, without network or for an unknown package.
    """
    missing = [name for name in names if not find_packages(cache, [name])]
    if missing:
        _download(missing, cache)
    return find_packages(cache, names)


def find_packages(folder: Path, names: Sequence[str]) -> list[Path]:
    """The newest .deb file of each package, at any depth of a folder; packages that are not there are left out."""
    found = [sorted(folder.rglob(f"{name}_*.deb")) for name in names]
    return [files[-1] for files in found if files]


def unpack(packages: Sequence[Path], into: Path) -> None:
    """Unpack .deb files into one folder. Raises CorpusError for a damaged file or where `dpkg-deb` is missing."""
    for package in packages:
        try:
            result = subprocess.run(
                ["dpkg-deb", "-x", package, into],
                capture_output=True,
                text=True,
                encoding="utf-8",
                errors="replace",
                check=False,
            )
        except FileNotFoundError as error:
            raise CorpusError(
                f"{package}: unpacking needs dpkg-deb, which is not here; unpack it elsewhere and name the folder with "
                "--from FOLDER"
            ) from error
        if result.returncode != 0:
            raise CorpusError(f"{package}: cannot unpack: {_last_line(result.stderr)}; delete it and run again")


def _download(names: Sequence[str], cache: Path) -> None:
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".download-", dir=cache) as folder:
            _run_apt(names, Path(folder))
            for package in Path(folder).glob("*.deb"):
                package.replace(cache / package.name)
    except OSError as error:
        raise CorpusError(f"{cache}: cannot write: {error.strerror}; free some space or set XDG_CACHE_HOME") from error


def _run_apt(names: Sequence[str], folder: Path) -> None:
    if shutil.which("apt-get") is None:
        raise CorpusError(f"downloading {', '.join(names)} needs apt-get, which is not here; {_OTHERWISE}")
    result = subprocess.run(
        ["apt-get", "download", *names],
        cwd=folder,
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        check=False,
        env=os.environ | {"LC_ALL": "C"},
    )
    if result.returncode != 0 or len(find_packages(folder, names)) < len(names):
        raise CorpusError(
            f"apt-get could not download {', '.join(names)} ({_last_line(result.stderr)}); "
            f"check the network and run `apt-get update`, or {_OTHERWISE}"
        )


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else "it gave no reason"
