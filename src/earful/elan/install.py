"""Installation of the recogniser where ELAN looks for it, on Linux, macOS and Windows."""

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import gettempdir
from typing import NamedTuple

from earful.checkpoint import load_checkpoint
from earful.elan.cmdi import cmdi
from earful.elan.settings import NAME as SETTINGS
from earful.elan.settings import Settings, named, read_settings, write_settings
from earful.errors import ConfigError
from earful.writing import replacing

FOLDER, DESCRIPTION = "earful", "earful.cmdi"
SHELL, BATCH, RESULT = "earful.sh", "earful.bat", "earful-tiers.xml"
_MODULE = "-P -m earful.elan.answer"
_PLACES: Mapping[str, Sequence[tuple[str, str]]] = {
    "linux": (
        ("HOME", "ELAN*/app/extensions"),
        ("HOME", "*/ELAN*/app/extensions"),
        ("/", "opt/[Ee][Ll][Aa][Nn]*/app/extensions"),
        ("/", "opt/[Ee][Ll][Aa][Nn]*/lib/app/extensions"),
        ("/", "usr/local/ELAN*/app/extensions"),
    ),
    "darwin": (
        ("/", "Applications/ELAN*.app/Contents/app/extensions"),
        ("HOME", "Applications/ELAN*.app/Contents/app/extensions"),
    ),
    "win32": (
        ("LOCALAPPDATA", "ELAN*/app/extensions"),
        ("LOCALAPPDATA", "Programs/ELAN*/app/extensions"),
        ("PROGRAMFILES", "ELAN*/app/extensions"),
        ("PROGRAMFILES(X86)", "ELAN*/app/extensions"),
    ),
}
"""The places of ELAN's installers: a folder, or an environment variable that names one, and the path below it."""


class Installed(NamedTuple):
    """The place of the recogniser, and the models that ELAN offers."""

    folder: Path
    models: tuple[str, ...]


def find_extensions(environment: Mapping[str, str], system: str = sys.platform, root: Path = Path("/")) -> list[Path]:
    """The folders `extensions` of the ELANs on this computer, the newest version first.

    `root` stands for the top of the file system. A folder `app` counts where `extensions` is not there yet.
    """
    found = dict.fromkeys(_found(environment, system, root))
    return sorted(found, key=lambda path: (_version(path), str(path)), reverse=True)


def _found(environment: Mapping[str, str], system: str, root: Path) -> Iterator[Path]:
    for where, pattern in _PLACES.get(system, _PLACES["linux"]):
        folder = root if where == "/" else Path(environment[where]) if environment.get(where) else None
        if folder is not None and folder.is_dir():
            yield from (app / "extensions" for app in folder.glob(pattern.removesuffix("/extensions")) if app.is_dir())


def _version(path: Path) -> tuple[int, ...]:
    """The version in the name of ELAN's folder: ELAN_7-0, ELAN_6.9.app."""
    name = next((part for part in path.parts[::-1] if part.lower().startswith("elan")), "")
    return tuple(map(int, re.findall(r"\d+", name)))


def install(extensions: Path, models: Sequence[str], home: Path, python: Path = Path(sys.executable)) -> Installed:
    """Write the recogniser's folder into `extensions`; models that were installed before stay in the list.

    `models` are folders or names of shipped bases; `home` is the folder for models made in ELAN. Files of an earlier
    installation are replaced, one by one.

    Raises:
        CheckpointError: a model cannot be read.
        ConfigError: another program's folder is at the place, or the interpreter's path holds a quotation mark.
        OSError: the place cannot be written.
    """
    folder = extensions / FOLDER
    if folder.exists() and not (folder / DESCRIPTION).is_file() and any(folder.iterdir()):
        raise ConfigError(f"{folder}: holds what is not earful's; move it away, or name another place by --extensions")
    if '"' in str(python) or "\n" in str(python):
        raise ConfigError(f"{python}: a launcher cannot name this path; install earful at another place")
    known = dict(read_settings(folder).models) if (folder / SETTINGS).is_file() else {}
    for model in models:
        load_checkpoint(model)
        place = str(Path(model).resolve()) if Path(model).is_dir() else model
        if place not in known.values():
            known[named(model, known)] = place
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / SHELL, _shell(python), executable=True)
    _write(folder / BATCH, _batch(python))
    write_settings(folder, Settings(known, home))
    describe(folder, python)
    return Installed(folder, tuple(known))


def describe(folder: Path, python: Path = Path(sys.executable)) -> None:
    """Write the description again, with the models of the settings. Raises ConfigError; OSError.

    On Windows ELAN cannot stop a program that a batch file has started, so it calls the interpreter itself if its path
    has no space.
    """
    models = read_settings(folder).models
    direct = f"{python} {_MODULE}" if " " not in str(python) else f"cmd /c {BATCH}"
    _write(folder / DESCRIPTION, cmdi(models, Path(gettempdir()) / RESULT, f"./{SHELL}", f"./{SHELL}", direct))


def _shell(python: Path) -> str:
    quoted = "'" + str(python).replace("'", "'\\''") + "'"
    return f"#!/bin/sh\n# ELAN calls this in its own folder, without a PATH.\nexec {quoted} {_MODULE}\n"


def _batch(python: Path) -> str:
    return f'@echo off\r\nchcp 65001 >nul\r\n"{str(python).replace("%", "%%")}" {_MODULE}\r\n'


def _write(place: Path, text: str, *, executable: bool = False) -> None:
    with replacing(place) as beside:
        beside.write_bytes(text.encode())
        if executable:
            beside.chmod(0o755)
