"""Arrays in one safetensors file, with their kind and a checksum. safetensors has no checksum, so a flipped bit in a
count would not be noticed."""

import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from earful.errors import CheckpointError
from earful.reading import check_regular
from earful.writing import replacing

Arrays = dict[str, NDArray[Any]]


def write_arrays(path: Path, arrays: Arrays, about: Mapping[str, Any], format_: str) -> None:
    """Write a file beside its place, then rename it. Raises CheckpointError: it cannot be written."""
    said = json.dumps(about)
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}  # else written as they lie
    header = {"format": format_, "about": said, "crc32": _checksum(said, arrays)}
    try:
        with replacing(path) as beside:
            beside.write_bytes(_in_order(save(arrays, header)))
    except (OSError, SafetensorError) as error:
        raise CheckpointError(
            f"{path}: the language model cannot be written ({error}); free some space or name another place"
        ) from error


def read_arrays(path: Path, format_: str, what: str = "language model") -> tuple[dict[str, Any], Arrays]:
    """Read what `write_arrays` wrote. Raises CheckpointError: missing, foreign, damaged, or of another format."""
    try:
        check_regular(path)
        with safe_open(path, "numpy") as file:
            header, arrays = file.metadata() or {}, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise CheckpointError(f"{path}: there is no such {what}; learn it first") from None
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path}: damaged ({error}); copy or learn the {what} again") from error
    if header.get("format") != format_:
        got = header.get("format", "another kind of file")
        raise CheckpointError(f"{path}: expected a {what} of format {format_}, got {got}; learn it again")
    if header.get("crc32") != _checksum(header.get("about", ""), arrays):
        raise CheckpointError(f"{path}: damaged (the checksum differs); copy or learn the {what} again")
    try:
        about: dict[str, Any] = json.loads(header["about"])
    except (ValueError, LookupError) as error:
        raise CheckpointError(f"{path}: damaged ({error}); copy or learn the {what} again") from error
    return about, arrays


def _in_order(content: bytes) -> bytes:
    """The same file with its metadata sorted by name: safetensors has a random order, and bytes would differ."""
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:end])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    written = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    written += b" " * (-len(written) % 8)  # the arrays are aligned
    return len(written).to_bytes(8, "little") + written + content[end:]


def _checksum(about: str, arrays: Arrays) -> str:
    crc = zlib.crc32(about.encode())
    for name in sorted(arrays):
        crc = zlib.crc32(np.ascontiguousarray(arrays[name]).data, zlib.crc32(name.encode(), crc))
    return f"{crc:08x}"
