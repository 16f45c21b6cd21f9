"""Debian packages: fetched with `apt-get download` into a cache, and unpacked with `dpkg-deb` where they are needed."""

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from earful.writing import replacing
from recipes.corpora.errors import CorpusError

NOTED = ".sha256"
"""What the name of a file with a package's hash ends in, in the form of `sha256sum`."""
_FACT = re.compile(r"^(Version|Architecture|SHA256): (\S+)$", re.MULTILINE)
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
    """Unpack .deb files into one folder.

    Raises CorpusError for a file that is not what Debian published, or damaged, or where `dpkg-deb` is missing.
    """
    for package in packages:
        check_hash(package)
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


def check_hash(package: Path) -> None:
    """Compare a .deb file with its SHA-256 in Debian's index, or else with that of when it was downloaded.

    Raises CorpusError where they differ. One that neither knows is taken as it is: it was given with --from.
    """
    told = published(package) or noted(package)
    if told is None:
        return
    with package.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != told:
        raise CorpusError(
            f"{package}: is not what Debian published (SHA-256 {found[:12]}…, expected {told[:12]}…); delete it and "
            "run again"
        )


def published(package: Path) -> str | None:
    """The SHA-256 that apt's index, which is signed, has for a file of this name; None where it has none, or no apt."""
    name, _, _ = package.name.partition("_")
    if shutil.which("apt-cache") is None:
        return None
    result = _run(["apt-cache", "show", "--", name])
    for stanza in result.stdout.split("\n\n"):
        facts = dict(_FACT.findall(stanza))
        version = facts.get("Version", "").replace(":", "%3a")
        if package.name == f"{name}_{version}_{facts.get('Architecture', '')}.deb":
            return facts.get("SHA256")
    return None


def noted(package: Path) -> str | None:
    """The SHA-256 that was noted when it was downloaded, as apt had checked it then."""
    try:
        words = package.with_name(package.name + NOTED).read_text("ascii", "replace").split()
    except OSError:
        return None
    return words[0] if words else None


def _download(names: Sequence[str], cache: Path) -> None:
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".download-", dir=cache) as folder:
            _run_apt(names, Path(folder))
            for package in Path(folder).glob("*.deb"):
                with package.open("rb") as file:
                    digest = hashlib.file_digest(file, "sha256").hexdigest()
                with replacing(cache / (package.name + NOTED)) as beside:
                    beside.write_text(f"{digest}  {package.name}\n", "ascii", newline="\n")
                package.replace(cache / package.name)
    except OSError as error:
        raise CorpusError(f"{cache}: cannot write: {error.strerror}; free some space or set XDG_CACHE_HOME") from error


def _run(command: Sequence[str], folder: Path | None = None) -> "subprocess.CompletedProcess[str]":
    """Run a program of apt's in a folder, with English messages."""
    return subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        check=False,
        env=os.environ | {"LC_ALL": "C"},
    )


def _run_apt(names: Sequence[str], folder: Path) -> None:
    if shutil.which("apt-get") is None:
        raise CorpusError(f"downloading {', '.join(names)} needs apt-get, which is not here; {_OTHERWISE}")
    result = _run(["apt-get", "download", *names], folder)
    if result.returncode != 0 or len(find_packages(folder, names)) < len(names):
        raise CorpusError(
            f"apt-get could not download {', '.join(names)} ({_last_line(result.stderr)}); "
            f"check the network and run `apt-get update`, or {_OTHERWISE}"
        )


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else "it gave no reason"
