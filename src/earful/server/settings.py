"""The settings of a server: its address, its home folder and its limits."""

import ipaddress
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

MEGABYTE = 2**20
MOST_FIELDS, MOST_FIELD_BYTES = 1000, 8 * MEGABYTE
"""The most fields of a form that are not files, and the most bytes of one field."""


def home_of_user() -> Path:
    """The default home folder: `XDG_DATA_HOME/earful`, by default `~/.local/share/earful`."""
    given = os.environ.get("XDG_DATA_HOME", "")
    return (Path(given) if Path(given).is_absolute() else Path.home() / ".local" / "share") / "earful"


def processors() -> int:
    """The number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True)
class Settings:
    """The address of the server, its models and its limits.

    `models` are folders, served by their names; every request needs the `token`, if not "". `names` are further host
    names of the server. `upload_bytes` limits a request, `longest_s` a recording, `most_files` the files of one
    request. With `keeps_originals` original files are kept, too. Decoding may take `decode_s` seconds of processor time
    and `decode_bytes` of memory. `loaded` models are in memory at once, `workers` transcriptions run at once, and
    `waiting` more may wait. Adaptations run with a lower priority, by `nice`.
    """

    models: tuple[Path, ...] = ()
    home: Path = field(default_factory=home_of_user)
    host: str = "127.0.0.1"
    port: int = 8700
    wyoming_port: int | None = None
    token: str = ""
    names: tuple[str, ...] = ()
    upload_bytes: int = 512 * MEGABYTE
    longest_s: float = 6 * 3600.0
    most_files: int = 1000
    decode_s: float = 120.0
    decode_bytes: int = 2048 * MEGABYTE
    loaded: int = 3
    workers: int = field(default_factory=processors)
    waiting: int = 64
    nice: int = 10
    keeps_originals: bool = True

    @property
    def recordings(self) -> Path:
        """The folder of recordings, named by their hashes."""
        return self.home / "recordings"

    @property
    def originals(self) -> Path:
        """The folder of original files, named by their hashes."""
        return self.home / "originals"

    @property
    def made(self) -> Path:
        """The folder of models made by this server."""
        return self.home / "models"

    @property
    def incoming(self) -> Path:
        """The folder of unfinished uploads and exports; emptied at every start."""
        return self.home / "incoming"

    @property
    def trash(self) -> Path:
        """The folder of deleted files, which are never removed."""
        return self.home / "trash"


def is_loopback(host: str) -> bool:
    """Whether an address can only be reached from this machine."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def new_token() -> str:
    """A random token."""
    return secrets.token_urlsafe(24)
