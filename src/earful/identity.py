"""What tells one run from another: digests of plain values, tensors and files, and in what two runs differ."""

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
    """What lies in memory in one piece: a NumPy array, say."""

    def tobytes(self) -> bytes: ...


def digest(value: Any) -> str:
    """Of plain values, dataclasses and paths: differs wherever they do.

    >>> digest({"seed": 1}) == digest({"seed": 1}), digest({"seed": 1}) == digest({"seed": 2})
    (True, False)
    """
    return hashlib.sha256(json.dumps(to_mapping(value), default=str).encode()).hexdigest()[:_LENGTH]


def digest_of_tensors(tensors: Mapping[str, Tensor]) -> str:
    """Of named tensors on any device: their names, shapes, types and every bit of them, in whatever order."""
    found = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        found.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}\n".encode())
        found.update(tensor.flatten().view(torch.uint8).numpy().data)
    return found.hexdigest()[:_LENGTH]


def digest_of_arrays(arrays: Iterable[_Raw]) -> str:
    """Of arrays in their order: every bit of them, and where each ends."""
    found = hashlib.sha256()
    for array in arrays:
        content = array.tobytes()
        found.update(len(content).to_bytes(8, "little"))
        found.update(content)
    return found.hexdigest()[:_LENGTH]


def digest_of_file(path: Path) -> str:
    """Of what is in a file. Raises OSError where it cannot be read."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            found.update(block)
    return found.hexdigest()[:_LENGTH]


def parts_of(recipe: Any, but: Iterable[str]) -> dict[str, str]:
    """The digest of each setting of a recipe (a dataclass), `but` for those of which nothing depends that is saved."""
    return {name: digest(value) for name, value in to_mapping(recipe).items() if name not in set(but)}


def differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """The names of the parts that are not the same in both.

    >>> differences({"seed": "a", "clips": "b"}, {"seed": "a", "clips": "c"})
    ['clips']
    """
    return [name for name in dict.fromkeys([*one, *other]) if one.get(name) != other.get(name)]
