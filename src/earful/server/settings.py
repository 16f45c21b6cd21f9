"""What a server is told when it starts: where it listens, where its state is, and how much it takes."""

import ipaddress
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

MEGABYTE = 2**20
MOST_FIELDS, MOST_FIELD_BYTES = 1000, 8 * MEGABYTE
"""Of a form: what is no file."""


def home_of_user() -> Path:
    """Where state is kept unless told: `XDG_DATA_HOME/earful`, by default `~/.local/share/earful`."""
    given = os.environ.get("XDG_DATA_HOME", "")
    return (Path(given) if Path(given).is_absolute() else Path.home() / ".local" / "share") / "earful"


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True)
class Settings:
    """Where the server listens, what it serves, and its bounds.

    `models` are folders, known by their names; `token` is asked of every request, if not "". `names` are other host
    names by which browsers reach it. `upload_bytes` bounds a request, `longest_s` a recording, `most_files` the files
    of one request. With `keeps_originals` a recording is kept as it came, too. Decoding may take `decode_s` seconds of
    a processor and `decode_bytes` of memory. `loaded` models are in memory at once, `workers` transcriptions run at
    once, and `waiting` more may wait. Adaptations give way to all else by so many steps of `nice`.
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
        """Recordings, each named by its hash."""
        return self.home / "recordings"

    @property
    def originals(self) -> Path:
        """Recordings as they came, each named by its hash."""
        return self.home / "originals"

    @property
    def made(self) -> Path:
        """Models that were made here."""
        return self.home / "models"

    @property
    def incoming(self) -> Path:
        """What is being received or packed; emptied at every start."""
        return self.home / "incoming"

    @property
    def trash(self) -> Path:
        """What was deleted: nothing is ever lost."""
        return self.home / "trash"


def is_loopback(host: str) -> bool:
    """Whether only programs of this machine reach an address."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def new_token() -> str:
    """A token that nobody guesses."""
    return secrets.token_urlsafe(24)
