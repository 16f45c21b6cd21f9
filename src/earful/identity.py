"""The identity of runs: digests of plain values, tensors and files, and the differences of two runs."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from earful.config import to_mapping

_BLOCK = 1 << 20
_LENGTH = 16


class _Raw(Protocol):
    """Data in one piece of memory, such as a NumPy array."""

    def tobytes(self) -> bytes: ...


def digest(value: Any) -> str:
    """The digest of plain values, dataclasses and paths: different values have different digests.

    >>> digest({"seed": 1}) == digest({"seed": 1}), digest({"seed": 1}) == digest({"seed": 2})
    (True, False)
    """
    return hashlib.sha256(json.dumps(to_mapping(value), default=str).encode()).hexdigest()[:_LENGTH]


def digest_of_tensors(tensors: Mapping[str, Tensor]) -> str:
    """The digest of named tensors on any device: names, shapes, types and every bit, in any order."""
    found = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        found.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}\n".encode())
        found.update(tensor.flatten().view(torch.uint8).numpy().data)
    return found.hexdigest()[:_LENGTH]


def digest_of_arrays(arrays: Iterable[_Raw]) -> str:
    """The digest of arrays in their order: every bit, and the end of each."""
    found = hashlib.sha256()
    for array in arrays:
        content = array.tobytes()
        found.update(len(content).to_bytes(8, "little"))
        found.update(content)
    return found.hexdigest()[:_LENGTH]


def digest_of_file(path: Path) -> str:
    """The digest of a file's content. Raises OSError if it cannot be read."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            found.update(block)
    return found.hexdigest()[:_LENGTH]


def parts_of(recipe: Any, but: Iterable[str]) -> dict[str, str]:
    """The digest of each setting of a recipe (a dataclass), except those in `but`, on which no saved result depends."""
    return {name: digest(value) for name, value in to_mapping(recipe).items() if name not in set(but)}


def differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """The names of the parts that differ.

    >>> differences({"seed": "a", "clips": "b"}, {"seed": "a", "clips": "c"})
    ['clips']
    """
    return [name for name in dict.fromkeys([*one, *other]) if one.get(name) != other.get(name)]
