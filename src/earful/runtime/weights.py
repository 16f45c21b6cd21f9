"""The weights of a model folder as arrays, each in its stored form; without torch."""

import json
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from earful.errors import CheckpointError
from earful.reading import check_regular

Floats = NDArray[np.float32]
SCALE = ".scale"
_LARGEST = 127
_KINDS = {"F32": np.float32, "F16": np.float16, "I8": np.int8, "BF16": np.uint16}
_BFLOAT16_BITS = 16  # a bfloat16 is the upper half of a float32


@dataclass(frozen=True)
class Weight:
    """An array: float32, or int8 `[N, …, K]` with the scale `[N, …]` of each row of its last dimension."""

    values: NDArray[Any]
    scale: Floats | None = None

    @property
    def full(self) -> Floats:
        """Its values as float32."""
        if self.scale is None:
            return self.values.astype(np.float32, copy=False)
        return self.values.astype(np.float32) * self.scale[..., None]

    def part(self, number: int) -> Floats:
        """One of the first dimension, as float32."""
        return Weight(self.values[number], None if self.scale is None else self.scale[number]).full

    @property
    def rows(self) -> tuple[NDArray[np.int8], Floats]:
        """A matrix `[N, K]` as int8 and the scale of each row: as stored, or rounded now."""
        if self.scale is not None:
            return self.values, self.scale
        scale_N = np.abs(self.values).max(1).astype(np.float32) / _LARGEST
        steps_N1 = np.where(scale_N == 0, np.float32(1), scale_N)[:, None]
        return np.rint(self.values / steps_N1).clip(-_LARGEST, _LARGEST).astype(np.int8), scale_N


Weights = Mapping[str, Weight]


@final
class Stored(Mapping[str, Weight]):
    """The weights of a file by name, each read on demand, so that memory never holds two copies of a model."""

    def __init__(self, path: Path, header: Mapping[str, Any], begin: int) -> None:
        self._path, self._header, self._begin = path, header, begin

    def __getitem__(self, name: str) -> Weight:
        scale = self._array(f"{name}{SCALE}").astype(np.float32) if f"{name}{SCALE}" in self._header else None
        return Weight(self._array(name), scale)

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._header if not name.endswith(SCALE))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _array(self, name: str) -> NDArray[Any]:
        entry = self._header[name]
        kind = _KINDS.get(entry["dtype"])
        if kind is None:
            known = ", ".join(_KINDS)
            raise CheckpointError(f"{self._path}: {name} is {entry['dtype']}, must be one of {known}; copy it again")
        begin, end = entry["data_offsets"]
        count = (end - begin) // np.dtype(kind).itemsize
        found = np.fromfile(self._path, kind, count, offset=self._begin + begin).reshape(entry["shape"])
        if entry["dtype"] == "BF16":
            found = (found.astype(np.uint32) << _BFLOAT16_BITS).view(np.float32)
        if found.dtype != np.int8 and not np.isfinite(found).all():
            raise CheckpointError(f"{self._path}: {name} holds NaN or infinity; the model is damaged: copy it again")
        return found


def read_weights(path: Path) -> Stored:
    """The weights of a `model.safetensors`. Raises CheckpointError: missing, damaged or foreign."""
    try:
        check_regular(path)
        with safe_open(path, "np"):  # it checks that header and file belong together
            pass
        with path.open("rb") as file:
            (size,) = struct.unpack("<Q", file.read(8))
            header = json.loads(file.read(size))
    except FileNotFoundError:
        raise CheckpointError(f"{path}: missing; the folder is not a whole model: copy it again") from None
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(f"{path}: damaged ({error}); copy the model again") from error
    header.pop("__metadata__", None)
    for name, entry in header.items():
        beside = header.get(f"{name.removesuffix('.bias')}.weight") if name.endswith(".bias") else None
        if beside and entry["shape"] != beside["shape"][:1]:
            raise CheckpointError(
                f"{path}: {name} is {entry['shape']}, which does not fit its matrix {beside['shape']}; copy it again"
            )
    return Stored(path, header, 8 + size)
