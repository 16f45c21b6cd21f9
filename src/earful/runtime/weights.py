"""The weights of a model folder as arrays, each in the form in which it is stored; without torch."""

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from earful.errors import CheckpointError

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
        """The numbers that it stands for, as float32."""
        if self.scale is None:
            return self.values.astype(np.float32, copy=False)
        return self.values.astype(np.float32) * self.scale[..., None]

    @property
    def rows(self) -> tuple[NDArray[np.int8], Floats]:
        """A matrix `[N, K]` as int8 and the scale of each row: as it is stored, or rounded to that now."""
        if self.scale is not None:
            return self.values, self.scale
        scale_N = np.abs(self.values).max(1).astype(np.float32) / _LARGEST
        steps_N1 = np.where(scale_N == 0, np.float32(1), scale_N)[:, None]
        return np.rint(self.values / steps_N1).clip(-_LARGEST, _LARGEST).astype(np.int8), scale_N


Weights = Mapping[str, Weight]


def read_weights(path: Path) -> dict[str, Weight]:
    """The weights of a `model.safetensors`, mapped into memory. Raises CheckpointError: missing, damaged or foreign."""
    try:
        with safe_open(path, "np"):  # it checks that header and file belong together
            pass
        with path.open("rb") as file:
            (size,) = struct.unpack("<Q", file.read(8))
            header = json.loads(file.read(size))
        data = np.memmap(path, np.uint8, "r", offset=8 + size)
    except FileNotFoundError:
        raise CheckpointError(f"{path}: missing; the folder is not a whole model: copy it again") from None
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(f"{path}: damaged ({error}); copy the model again") from error
    header.pop("__metadata__", None)
    arrays = {name: _array(path, name, entry, data) for name, entry in header.items()}
    return {
        name: Weight(array, arrays[f"{name}{SCALE}"].astype(np.float32))
        if f"{name}{SCALE}" in arrays
        else Weight(array)
        for name, array in arrays.items()
        if not name.endswith(SCALE)
    }


def _array(path: Path, name: str, entry: Mapping[str, Any], data: NDArray[np.uint8]) -> NDArray[Any]:
    kind = _KINDS.get(entry["dtype"])
    if kind is None:
        raise CheckpointError(f"{path}: {name} is {entry['dtype']}, must be one of {', '.join(_KINDS)}; copy it again")
    begin, end = entry["data_offsets"]
    found = np.frombuffer(data[begin:end].tobytes(), kind).reshape(entry["shape"])
    if entry["dtype"] == "BF16":
        found = (found.astype(np.uint32) << _BFLOAT16_BITS).view(np.float32)
    if found.dtype != np.int8 and not np.isfinite(found).all():
        raise CheckpointError(f"{path}: {name} holds NaN or infinity; the model is damaged: copy or adapt it again")
    return found
