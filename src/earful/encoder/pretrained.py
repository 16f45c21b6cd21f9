"""Backbones from folders in Hugging Face's layout: `config.json` and safetensors. Never pickle."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from earful.encoder.backbone import ADAPTERS, Backbone, first_adapter
from earful.encoder.huggingface import folded, wav2vec2_config, wav2vec2_name, whisper_config, whisper_name
from earful.encoder.wav2vec2 import Wav2Vec2, Wav2Vec2Config
from earful.encoder.whisper import Whisper, WhisperConfig
from earful.errors import CheckpointError, ConfigError
from earful.reading import check_regular, read_whole

BackboneConfig = WhisperConfig | Wav2Vec2Config
Name = Callable[[str], str | None]
CONFIG, WEIGHTS, INDEX = "config.json", "model.safetensors", "model.safetensors.index.json"
SOUND, PROCESSOR, PICKLED = "preprocessor_config.json", "processor_config.json", "pytorch_model.bin"


def build_backbone(config: BackboneConfig) -> Backbone:
    """The backbone that the configuration describes, its weights not loaded."""
    return Whisper(config) if isinstance(config, WhisperConfig) else Wav2Vec2(config)


def load_backbone(
    folder: str | Path,
    *,
    frozen: int | None = None,
    rank: int = 0,
    pool: int = 2,
    generator: torch.Generator | None = None,
) -> Backbone:
    """The pre-trained encoder of `folder`, its weights in place; `frozen` is the number of frozen layers, all if None.

    `generator` draws the low-rank adapters (PyTorch's own if None).

    Raises:
    CheckpointError: as `read_pretrained`.
    ConfigError: this cut is impossible.
    """
    config, weights = read_pretrained(folder)
    config = replace(config, frozen=config.layers if frozen is None else frozen, rank=rank, pool=pool)
    with torch.device("meta"):
        backbone = build_backbone(config)
    adapters = {
        name: first_adapter(name, parameter.shape, generator)
        for name, parameter in backbone.named_parameters()
        if name.endswith(ADAPTERS)
    }
    backbone.load_state_dict(weights | adapters, assign=True)
    return backbone.requires_grad_(False).eval()


def read_pretrained(folder: str | Path) -> tuple[BackboneConfig, dict[str, Tensor]]:
    """Configuration and float32 weights, by the backbone's own names, of an encoder that Hugging Face's library saved.

    All layers are frozen; `encoder.backbone.recut` makes some of them trainable.

    Raises:
        CheckpointError: missing, damaged, of an unknown kind, or without safetensors.
    """
    folder = Path(folder)
    try:
        config, name_of = _described(folder)
    except ConfigError as error:
        raise CheckpointError(f"{folder}: {error}") from error
    weights = folded(_weights(folder, name_of))
    _check_weights(weights, config, folder)
    return config, weights


def _described(folder: Path) -> tuple[BackboneConfig, Name]:
    """The configuration, and the function from Hugging Face's names of weights to the backbone's."""
    theirs = _json(folder / CONFIG)
    match theirs.get("model_type"):
        case "whisper":
            return whisper_config(theirs), whisper_name
        case "wav2vec2" | "hubert" | "wavlm":
            config = wav2vec2_config(theirs, _sound(folder))
            return config, partial(wav2vec2_name, config=config)
        case kind:
            known = "whisper, wav2vec2, hubert and wavlm"
            raise CheckpointError(
                f"{folder / CONFIG}: model_type is {kind!r}; earful reads {known}: give another model"
            )


def _sound(folder: Path) -> Mapping[str, Any]:
    """How sound is prepared for the model: from one of two files of the folder, or the defaults."""
    if (folder / SOUND).exists():
        return _json(folder / SOUND)
    if (folder / PROCESSOR).exists():
        return _json(folder / PROCESSOR).get("feature_extractor") or {}
    return {}


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(read_whole(path).decode("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: cannot be read ({error}); give a folder in Hugging Face's layout") from error
    if not isinstance(found, dict):
        raise CheckpointError(f"{path}: expected a table of settings; give a folder in Hugging Face's layout")
    return found


def _weights(folder: Path, name_of: Name) -> dict[str, Tensor]:
    """The encoder's tensors by our names, from one file or several; other tensors are never read."""
    found: dict[str, Tensor] = {}
    for path in _files(folder, name_of):
        try:
            check_regular(path)
            with safe_open(path, "pt") as file:
                ours = {theirs: name_of(theirs) for theirs in file.keys()}  # noqa: SIM118
                mine = {name: file.get_tensor(theirs) for theirs, name in ours.items() if name is not None}
        except (OSError, SafetensorError) as error:
            raise CheckpointError(f"{path}: missing or damaged ({error}); copy the model again") from error
        if odd := next((name for name, each in mine.items() if not each.is_floating_point()), None):
            raise CheckpointError(f"{path}: {odd} is {mine[odd].dtype}, which is no weight; give another model")
        found |= {name: each.float() for name, each in mine.items()}
    if not found:
        raise CheckpointError(f"{folder}: none of its weights belongs to an encoder; give another folder")
    return found


def _files(folder: Path, name_of: Name) -> Iterable[Path]:
    """The files that hold weights of the encoder."""
    if (folder / WEIGHTS).exists():
        return [folder / WEIGHTS]
    if (folder / INDEX).exists():
        places = _json(folder / INDEX).get("weight_map")
        if not isinstance(places, dict) or not all(isinstance(name, str) for name in places.values()):
            raise CheckpointError(f"{folder / INDEX}: expected `weight_map`, from weights to files; copy it again")
        wanted = sorted({places[key] for key in places if name_of(key) is not None})
        if odd := [name for name in wanted if not _is_plain(name)]:
            raise CheckpointError(
                f"{folder / INDEX}: {odd[0]!r} is no file of its folder, and is not opened; give a model that you trust"
            )
        return [folder / name for name in wanted]
    found = f"holds {PICKLED} but no {WEIGHTS}" if (folder / PICKLED).exists() else f"holds no {WEIGHTS}"
    remedy = "load it with transformers and save it with `model.save_pretrained(folder, safe_serialization=True)`"
    raise CheckpointError(f"{folder}: {found}; {remedy}: earful never loads a pickle")


def _is_plain(name: str) -> bool:
    """Whether it names a file directly in the folder, on any system."""
    return name not in ("", ".", "..") and not any(mark in name for mark in "/\\:\0")


def _check_weights(weights: Mapping[str, Tensor], config: BackboneConfig, folder: Path) -> None:
    with torch.device("meta"):
        expected = {name: tensor.shape for name, tensor in build_backbone(config).state_dict().items()}
    for name in sorted(expected.keys() ^ weights.keys()):
        problem = "is missing" if name in expected else "is unknown"
        raise CheckpointError(f"{folder}: the weight {name} {problem}; weights and {CONFIG} do not belong together")
    for name, shape in expected.items():
        if weights[name].shape != shape:
            raise CheckpointError(
                f"{folder}: {name} is {tuple(weights[name].shape)}, {CONFIG} says {tuple(shape)}; copy the model again"
            )
        if not bool(torch.isfinite(weights[name]).all()):
            raise CheckpointError(f"{folder}: {name} holds NaN or infinity; copy the model again")
