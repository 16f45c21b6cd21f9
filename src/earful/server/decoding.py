"""Decode uploads to WAV, 16 kHz mono, in processes that may crash and are limited in time and memory."""

import errno
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import LifoQueue
from typing import Any, BinaryIO, Literal, NamedTuple

from earful.errors import AudioError
from earful.server.companion import Companion, CompanionError
from earful.server.settings import Settings
from earful.writing import replacing

Kind = Literal["FLOAT", "PCM_16"]
_ROOM = 2**20  # with less free space the disk counts as full
_STRAY_S = 30.0  # the wall time that a decoder may take beyond its processor time


class Decoded(NamedTuple):
    """The duration of a file's sound, and warnings about a file that was read despite faults."""

    duration_s: float
    warnings: tuple[str, ...] = ()


class Decoders:
    """The decoding processes, one per concurrent transcription."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        arguments = (str(settings.decode_bytes), str(settings.decode_s))
        self._all = [Companion("earful.server.decoder", arguments) for _ in range(settings.workers)]
        self._free: LifoQueue[Companion] = LifoQueue()
        for each in self._all:
            self._free.put(each)

    def decode(self, source: Path, place: Path, name: str, kind: Kind = "FLOAT") -> Decoded:
        """Write the sound of a file to `place`, whole or not at all.

        `name` is the client's name of the file, for messages. Raises AudioError: it cannot be decoded within the
        limits; OSError: the disk is full.
        """
        with replacing(place) as beside:
            request: dict[str, Any] = {"source": str(source), "place": str(beside), "kind": kind}
            answered: dict[str, Any] = self._ask({**request, "longest_s": self._settings.longest_s}, name)
            if "error" in answered:
                _check_room(place, bool(answered.get("unwritten")) or answered.get("errno") == errno.ENOSPC)
                raise AudioError(f"{name}: {answered['error'].removeprefix(f'{source}: ')}")
        return Decoded(float(answered["duration_s"]), tuple(answered["warnings"]))

    def close(self) -> None:
        """Kill the processes."""
        for each in self._all:
            each.close()

    def _ask(self, request: dict[str, Any], name: str) -> dict[str, Any]:
        companion = self._free.get()
        try:
            return companion.ask(request, self._settings.decode_s + _STRAY_S)
        except CompanionError as error:
            why = "takes too long to decode" if error.late else "cannot be decoded within the limits of this server"
            raise AudioError(f"{name}: the file {why}; convert it to WAV or FLAC, or send it in parts") from error
        finally:
            self._free.put(companion)


@contextmanager
def received(file: BinaryIO, incoming: Path) -> Iterator[Path]:
    """An upload as a temporary file with a name of the server's choice, while the block runs."""
    place = incoming / secrets.token_hex(16)
    try:
        with place.open("xb") as out:
            shutil.copyfileobj(file, out, 2**20)
        yield place
    finally:
        with suppress(OSError):
            place.unlink(missing_ok=True)


def shown(name: str | None) -> str:
    """The client's name of a file for messages and lists: its last part, shortened, without invisible characters."""
    last = (name or "").replace("\\", "/").rsplit("/", 1)[-1]
    return "".join(c for c in last if c.isprintable()).strip()[:200] or "recording"


def _check_room(place: Path, unwritten: bool) -> None:
    if unwritten and shutil.disk_usage(place.parent).free < _ROOM:
        raise OSError(errno.ENOSPC, "no room", str(place))
    if unwritten:
        raise OSError(errno.EIO, "the sound could not be written", str(place))
