"""Hugging Face's settings of encoders and names of weights, translated into those of earful."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, TypeVar

from torch import Tensor

from earful.config import from_mapping
from earful.encoder.wav2vec2 import RATE_HZ, Wav2Vec2Config
from earful.encoder.whisper import WhisperConfig
from earful.errors import ConfigError

T = TypeVar("T")


@dataclass(frozen=True)
class _Whisper:
    """The keys of `config.json` that a Whisper encoder needs."""

    num_mel_bins: int
    d_model: int
    encoder_layers: int
    encoder_attention_heads: int
    encoder_ffn_dim: int
    max_source_positions: int
    activation_function: Literal["gelu"] = "gelu"


@dataclass(frozen=True)
class _Wav2Vec2:
    """The keys that an encoder of the wav2vec 2.0 family needs; keys that old files lack are optional."""

    conv_dim: tuple[int, ...]
    conv_kernel: tuple[int, ...]
    conv_stride: tuple[int, ...]
    conv_bias: bool
    feat_extract_norm: Literal["group", "layer"]
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    num_conv_pos_embeddings: int
    num_conv_pos_embedding_groups: int
    do_stable_layer_norm: bool = False
    num_buckets: int = 320
    max_bucket_distance: int = 800
    feat_proj_layer_norm: bool = True
    conv_pos_batch_norm: bool = False
    adapter_attn_dim: int | None = None
    hidden_act: Literal["gelu"] = "gelu"
    feat_extract_activation: Literal["gelu"] = "gelu"
    layer_norm_eps: float = 1e-5


@dataclass(frozen=True)
class _Sound:
    """The needed keys of `preprocessor_config.json`."""

    do_normalize: bool = True
    sampling_rate: int = RATE_HZ


def whisper_config(theirs: Mapping[str, Any]) -> WhisperConfig:
    """The encoder's configuration, all its layers frozen. Raises ConfigError."""
    t = _read(_Whisper, theirs, "config.json")
    return WhisperConfig(
        kind="whisper",
        mels=t.num_mel_bins,
        width=t.d_model,
        layers=t.encoder_layers,
        heads=t.encoder_attention_heads,
        inner=t.encoder_ffn_dim,
        positions=t.max_source_positions,
        frozen=t.encoder_layers,
    )


def wav2vec2_config(theirs: Mapping[str, Any], sound: Mapping[str, Any]) -> Wav2Vec2Config:
    """The encoder's configuration, all its layers frozen; `sound` has the content of `preprocessor_config.json`.

    Heads, quantisers and other parts above the last layer are left out. Raises ConfigError.
    """
    t, s = _read(_Wav2Vec2, theirs, "config.json"), _read(_Sound, sound, "preprocessor_config.json")
    _check(t, s)
    kind = theirs["model_type"]
    return Wav2Vec2Config(
        kind=kind,
        channels=t.conv_dim,
        kernels=t.conv_kernel,
        strides=t.conv_stride,
        convolution_bias=t.conv_bias,
        norm=t.feat_extract_norm,
        normalise_input=s.do_normalize,
        projection_norm=t.feat_proj_layer_norm or kind != "hubert",
        width=t.hidden_size,
        layers=t.num_hidden_layers,
        heads=t.num_attention_heads,
        inner=t.intermediate_size,
        pre_norm=t.do_stable_layer_norm,
        position_kernel=t.num_conv_pos_embeddings,
        position_groups=t.num_conv_pos_embedding_groups,
        buckets=t.num_buckets if kind == "wavlm" else 0,
        farthest=t.max_bucket_distance,
        frozen=t.num_hidden_layers,
    )


def _read(cls: type[T], theirs: Mapping[str, Any], where: str) -> T:
    known = {field.name for field in fields(cls)}  # type: ignore[arg-type]
    return from_mapping(cls, {key: value for key, value in theirs.items() if key in known}, where)


def _check(t: _Wav2Vec2, sound: _Sound) -> None:
    """Refuse settings with which the result would differ from the original."""
    if t.adapter_attn_dim is not None and t.do_stable_layer_norm:
        raise ConfigError(
            f"adapter_attn_dim is {t.adapter_attn_dim}: its layers have an adapter for each language (MMS), "
            "which earful does not read; take a model without, such as facebook/mms-300m"
        )
    if t.conv_pos_batch_norm:
        raise ConfigError(
            "conv_pos_batch_norm is true: positions with batch normalisation, which earful does not read; "
            "take another HuBERT"
        )
    if t.layer_norm_eps != 1e-5:
        raise ConfigError(f"layer_norm_eps is {t.layer_norm_eps}, earful reads 1e-05; take another model")
    if sound.sampling_rate != RATE_HZ:
        raise ConfigError(f"sampling_rate is {sound.sampling_rate} Hz, earful hears 16000; take another model")


_WHISPER_LAYER = {
    "self_attn.q_proj": "query",
    "self_attn.k_proj": "key",
    "self_attn.v_proj": "value",
    "self_attn.out_proj": "out",
    "self_attn_layer_norm": "norm_attention",
    "final_layer_norm": "norm_feed",
    "fc1": "widen",
    "fc2": "narrow",
}
_WHISPER_WHOLE = {"conv1": "first", "conv2": "second", "layer_norm": "norm_out"}


def whisper_name(theirs: str) -> str | None:
    """`model.encoder.layers.0.fc1.weight` → `layers.0.widen.weight`; None for other parts' weights."""
    inner = theirs.removeprefix("model.")
    if not inner.startswith("encoder."):
        return None
    inner = inner.removeprefix("encoder.")
    return "positions_FD" if inner == "embed_positions.weight" else _renamed(inner, _WHISPER_LAYER, _WHISPER_WHOLE)


_LAYER = {
    "attention.q_proj": "query",
    "attention.k_proj": "key",
    "attention.v_proj": "value",
    "attention.out_proj": "out",
    "attention.gru_rel_pos_linear": "gate.project",
    "layer_norm": "norm_attention",
    "final_layer_norm": "norm_feed",
    "feed_forward.intermediate_dense": "widen",
    "feed_forward.output_dense": "narrow",
}
_POSITIONS = "encoder.pos_conv_embed.conv"
_DIRECTIONS, _LENGTHS = "positions.directions", "positions.lengths"
_WHOLE = {
    "feature_projection.layer_norm": "norm_features",
    "feature_projection.projection": "project",
    _POSITIONS: "positions",
    "encoder.layers.0.attention.rel_attn_embed": "distances",
}
_SINGLE = {
    f"{_POSITIONS}.weight_v": _DIRECTIONS,
    f"{_POSITIONS}.weight_g": _LENGTHS,
    f"{_POSITIONS}.parametrizations.weight.original1": _DIRECTIONS,
    f"{_POSITIONS}.parametrizations.weight.original0": _LENGTHS,
}


def wav2vec2_name(theirs: str, config: Wav2Vec2Config) -> str | None:
    """`wav2vec2.encoder.layers.0.layer_norm.bias` → `layers.0.norm_attention.bias`; None for other parts' weights.

    The positions' weight has two factors (Salimans & Kingma 2016), which `folded` multiplies.
    """
    inner = theirs
    for prefix in ("wav2vec2.", "hubert.", "wavlm."):
        inner = inner.removeprefix(prefix)
    if inner in _SINGLE:
        return _SINGLE[inner]
    if inner.endswith(".attention.gru_rel_pos_const"):
        return inner.removeprefix("encoder.").replace("attention.gru_rel_pos_const", "gate.scale_1H11")
    if inner.startswith("feature_extractor.conv_layers."):
        numbered = inner.removeprefix("feature_extractor.conv_").replace(".conv.", ".convolve.")
        return numbered.replace("layers.", "features.", 1).replace(".layer_norm.", ".norm.")
    whole = _WHOLE | {"encoder.layer_norm": "norm_out" if config.pre_norm else "norm_in"}
    return _renamed(inner, _LAYER, whole)


def _renamed(theirs: str, layer: Mapping[str, str], whole: Mapping[str, str]) -> str | None:
    """A weight's name by the tables of parts of a layer and of the whole."""
    module, _, part = theirs.rpartition(".")
    if module in whole:
        return f"{whole[module]}.{part}"
    inner = module.removeprefix("encoder.")
    if not inner.startswith("layers."):
        return None
    _, number, name = (*inner.split(".", 2), "", "")[:3]
    return f"layers.{number}.{layer[name]}.{part}" if name in layer else None


def folded(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights with the two factors of the positions' weight multiplied: w = g v / ‖v‖, for each place of the kernel."""
    if _DIRECTIONS not in weights or _LENGTHS not in weights:
        return dict(weights)
    directions = weights[_DIRECTIONS]
    weight = directions * (weights[_LENGTHS] / directions.norm(dim=(0, 1), keepdim=True))
    rest = {name: tensor for name, tensor in weights.items() if name not in (_DIRECTIONS, _LENGTHS)}
    return rest | {"positions.weight": weight}
