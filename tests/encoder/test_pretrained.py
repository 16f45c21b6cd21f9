"""Folders in Hugging Face's layout: whole ones are read in every spelling, others refused in a sentence."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from earful.encoder.pretrained import load_backbone, read_pretrained
from earful.encoder.wav2vec2 import Wav2Vec2Config
from earful.encoder.whisper import WhisperConfig
from earful.errors import CheckpointError, ConfigError

Edited = Callable[..., Path]
WEIGHTS = "model.safetensors"


def rewrite(folder: Path, change: Callable[[dict[str, Tensor]], dict[str, Tensor]]) -> None:
    """Change the weights of a saved model."""
    save_file({name: t.contiguous() for name, t in change(load_file(folder / WEIGHTS)).items()}, folder / WEIGHTS)


def assert_same(folder: Path, other: Path, tolerance: float = 0.0) -> None:
    (config, found), (other_config, expected) = read_pretrained(folder), read_pretrained(other)
    assert config == other_config and found.keys() == expected.keys()
    for name in expected:
        assert found[name].dtype == torch.float32
        torch.testing.assert_close(found[name], expected[name], atol=tolerance, rtol=tolerance)


def test_configurations(edited: Edited) -> None:
    config, weights = read_pretrained(edited("wav2vec2-xlsr"))
    assert isinstance(config, Wav2Vec2Config) and config.kind == "wav2vec2"
    assert (config.norm, config.pre_norm, config.convolution_bias) == ("layer", True, True) and config.normalise_input
    assert (config.frozen, config.layers, config.width, config.buckets) == (3, 3, 32, 0)
    assert "norm_out.weight" in weights and "norm_in.weight" not in weights
    config, weights = read_pretrained(edited("hubert"))
    assert isinstance(config, Wav2Vec2Config) and config.kind == "hubert" and not config.normalise_input
    assert (config.norm, config.pre_norm, config.convolution_bias) == ("group", False, False)
    assert "norm_in.weight" in weights and "norm_out.weight" not in weights
    config, _ = read_pretrained(edited("wavlm-large"))
    assert isinstance(config, Wav2Vec2Config) and (config.buckets, config.farthest) == (32, 40)
    config, weights = read_pretrained(edited("whisper"))
    assert isinstance(config, WhisperConfig) and (config.layers, config.positions, config.mels) == (3, 100, 80)
    assert not any("decoder" in name for name in weights)


@pytest.mark.parametrize(("name", "prefix"), [("wav2vec2", "wav2vec2."), ("hubert", "hubert."), ("wavlm", "wavlm.")])
def test_a_model_with_a_head(name: str, prefix: str, edited: Edited, original: Callable[..., Any]) -> None:
    """Names have a prefix where a head stands beside the encoder; what is not the encoder's is left."""
    folder = edited(name)
    more = {"lm_head.weight": torch.ones(5, 32), "quantizer.codevectors": torch.ones(2)}
    rewrite(folder, lambda weights: {prefix + key: tensor for key, tensor in weights.items()} | more)
    assert_same(folder, original(name).folder)


@pytest.mark.parametrize("prefix", ["encoder.", "model.encoder."])
def test_whisper_with_and_without_a_decoder(prefix: str, edited: Edited, original: Callable[..., Any]) -> None:
    folder, old = edited("whisper"), "model.encoder."
    rewrite(folder, lambda weights: {k.replace(old, prefix): t for k, t in weights.items() if k.startswith(old)})
    assert_same(folder, original("whisper").folder)


@pytest.mark.parametrize("spelling", ["weight_{}", "parametrizations.weight.original{}"])
def test_both_spellings_of_weight_norm(spelling: str, edited: Edited, original: Callable[..., Any]) -> None:
    folder, conv = edited("wav2vec2"), "encoder.pos_conv_embed.conv."
    numbered = "original" in spelling

    def change(weights: dict[str, Tensor]) -> dict[str, Tensor]:
        factors = [next(n for n in weights if n.endswith(ends)) for ends in (("_g", "original0"), ("_v", "original1"))]
        names = [conv + spelling.format(place) for place in ((0, 1) if numbered else ("g", "v"))]
        moved = {ours: weights[theirs] for ours, theirs in zip(names, factors, strict=True)}
        return {name: tensor for name, tensor in weights.items() if name not in factors} | moved

    rewrite(folder, change)
    assert_same(folder, original("wav2vec2").folder)


def test_weight_norm_already_folded(edited: Edited, original: Callable[..., Any]) -> None:
    folder, conv = edited("wav2vec2"), "encoder.pos_conv_embed.conv."
    _, expected = read_pretrained(folder)
    rewrite(
        folder,
        lambda weights: (
            {name: t for name, t in weights.items() if not name.startswith(conv) or name.endswith(".bias")}
            | {f"{conv}weight": expected["positions.weight"]}
        ),
    )
    assert_same(folder, original("wav2vec2").folder)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float16, 2e-3), (torch.bfloat16, 1.5e-2)])
def test_half_precision(dtype: torch.dtype, tolerance: float, edited: Edited, original: Callable[..., Any]) -> None:
    folder = edited("wavlm")
    rewrite(folder, lambda weights: {name: tensor.to(dtype) for name, tensor in weights.items()})
    assert_same(folder, original("wavlm").folder, tolerance)


def sharded(folder: Path) -> Path:
    """Split the weights into two files with an index, as transformers does with large models."""
    weights = load_file(folder / WEIGHTS)
    places = {name: f"model-0000{1 + n % 2}-of-00002.safetensors" for n, name in enumerate(weights)}
    for place in set(places.values()):
        save_file({name: weights[name] for name in weights if places[name] == place}, folder / place)
    (folder / f"{WEIGHTS}.index.json").write_text(json.dumps({"metadata": {}, "weight_map": places}), "utf-8")
    (folder / WEIGHTS).unlink()
    return folder


def test_several_files(edited: Edited, original: Callable[..., Any]) -> None:
    assert_same(sharded(edited("hubert")), original("hubert").folder)


@pytest.mark.parametrize("where", ["preprocessor_config.json", "processor_config.json", None])
def test_what_says_how_sound_is_prepared(where: str | None, edited: Edited) -> None:
    folder = edited("hubert")
    (folder / "preprocessor_config.json").unlink()
    settings = {"do_normalize": False}
    if where:
        nested = settings if where.startswith("pre") else {"feature_extractor": settings}
        (folder / where).write_text(json.dumps(nested), "utf-8")
    config, _ = read_pretrained(folder)
    assert isinstance(config, Wav2Vec2Config) and config.normalise_input == (where is None)


def test_loading_cuts_it(edited: Edited) -> None:
    backbone = load_backbone(edited("wavlm"), frozen=1, rank=2, pool=3, generator=torch.Generator().manual_seed(7))
    assert (backbone.config.frozen, backbone.config.rank, backbone.config.pool) == (1, 2, 3)
    assert not backbone.training and not any(tensor.is_meta for tensor in backbone.state_dict().values())
    downs = [tensor for name, tensor in backbone.named_parameters() if name.endswith(".down")]
    assert len(downs) == 2 * 6 and all(tensor.any() for tensor in downs)
    assert not any(tensor.any() for name, tensor in backbone.named_parameters() if name.endswith(".up"))


def test_adapters_are_drawn_from_the_generator(original: Callable[..., Any]) -> None:
    one, same, other = (
        load_backbone(original("wavlm").folder, frozen=1, rank=2, generator=torch.Generator().manual_seed(seed))
        for seed in (7, 7, 8)
    )
    name = "layers.1.query.down"
    assert torch.equal(one.get_parameter(name), same.get_parameter(name))
    assert not torch.equal(one.get_parameter(name), other.get_parameter(name))


def test_a_cut_that_cannot_be(original: Callable[..., Any]) -> None:
    with pytest.raises(ConfigError, match="frozen is 9, must be from 0 to its 3 layers"):
        load_backbone(original("hubert").folder, frozen=9)


@pytest.mark.parametrize(
    ("name", "keys", "message"),
    [
        ("hubert", {"model_type": "bert"}, "model_type is 'bert'; earful reads whisper, wav2vec2, hubert and wavlm"),
        ("hubert", {"model_type": None}, "model_type is None"),
        ("hubert", {"hidden_size": None}, "config.json: the key 'hidden_size' is missing"),
        ("hubert", {"hidden_size": "wide"}, 'config.json: hidden_size: expected a whole number, got "wide"'),
        ("hubert", {"conv_dim": [16, "x"]}, r"conv_dim\[1\]: expected a whole number"),
        ("hubert", {"conv_stride": [5, 2]}, "must be as many"),
        ("hubert", {"feat_extract_norm": "batch"}, "feat_extract_norm: expected one of 'group', 'layer', got"),
        ("hubert", {"hidden_act": "relu"}, "hidden_act: expected one of 'gelu', got \"relu\""),
        ("hubert", {"num_attention_heads": 5}, "5 heads and width 32"),
        ("hubert", {"conv_pos_batch_norm": True}, "conv_pos_batch_norm is true"),
        ("wav2vec2", {"layer_norm_eps": 1e-6}, "layer_norm_eps is 1e-06, earful reads 1e-05"),
        ("wav2vec2-xlsr", {"adapter_attn_dim": 16}, r"adapter_attn_dim is 16: .* \(MMS\)"),
        ("whisper", {"d_model": None}, "the key 'd_model' is missing"),
        ("whisper", {"activation_function": "relu"}, "activation_function: expected one of 'gelu'"),
        ("whisper", {"encoder_layers": 4}, "the weight layers.3.key.weight is missing"),
        ("wav2vec2", {"num_hidden_layers": 2}, "the weight layers.2.key.bias is unknown"),
        ("wav2vec2", {"intermediate_size": 40}, r"widen.weight is \(48, 32\), config.json says \(40, 32\)"),
    ],
)
def test_configurations_that_are_refused(name: str, keys: dict[str, Any], message: str, edited: Edited) -> None:
    folder = edited(name, **keys)
    with pytest.raises(CheckpointError, match=message) as raised:
        read_pretrained(folder)
    assert str(raised.value).startswith(str(folder))


def test_adapters_that_no_layer_has_are_no_hindrance(edited: Edited, original: Callable[..., Any]) -> None:
    assert_same(edited("wav2vec2", adapter_attn_dim=16), original("wav2vec2").folder)


def test_sound_at_another_rate(edited: Edited) -> None:
    folder = edited("hubert")
    (folder / "preprocessor_config.json").write_text('{"sampling_rate": 8000}', "utf-8")
    with pytest.raises(CheckpointError, match="sampling_rate is 8000 Hz, earful hears 16000"):
        read_pretrained(folder)


@pytest.mark.parametrize("content", [None, "{", "[]", b"\xff\xfe"])
def test_no_configuration(content: str | bytes | None, edited: Edited) -> None:
    folder = edited("hubert")
    (folder / "config.json").unlink()
    if content is not None:
        (folder / "config.json").write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(CheckpointError, match=r"config.json: .*; give a folder in Hugging Face's layout"):
        read_pretrained(folder)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"config.json: cannot be read"):
        read_pretrained(tmp_path / "nowhere")


def test_only_a_pickle(edited: Edited) -> None:
    folder = edited("hubert")
    (folder / WEIGHTS).rename(folder / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match=r"holds pytorch_model.bin but no .*save_pretrained\(folder, safe_seria"):
        read_pretrained(folder)
    (folder / "pytorch_model.bin").unlink()
    with pytest.raises(CheckpointError, match=r"holds no model.safetensors"):
        read_pretrained(folder)


@pytest.mark.parametrize("kept", [0, 5, 2000])
def test_a_damaged_file(kept: int, edited: Edited) -> None:
    folder = edited("hubert")
    (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:kept])
    with pytest.raises(CheckpointError, match=r"model.safetensors: missing or damaged \(.*\); copy the model again"):
        read_pretrained(folder)


def test_a_part_that_is_missing(edited: Edited) -> None:
    folder = sharded(edited("hubert"))
    (folder / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"model-00002-of-00002.safetensors: missing or damaged"):
        read_pretrained(folder)


@pytest.mark.parametrize("index", ["{}", '{"weight_map": []}', '{"weight_map": {"a": 1}}'])
def test_a_damaged_index(index: str, edited: Edited) -> None:
    folder = sharded(edited("hubert"))
    (folder / f"{WEIGHTS}.index.json").write_text(index, "utf-8")
    with pytest.raises(CheckpointError, match="expected `weight_map`, from weights to files"):
        read_pretrained(folder)


def test_weights_of_something_else(edited: Edited) -> None:
    folder = edited("hubert")
    rewrite(folder, lambda _: {"bert.embeddings.weight": torch.ones(2)})
    with pytest.raises(CheckpointError, match="none of its weights belongs to an encoder"):
        read_pretrained(folder)


@pytest.mark.parametrize("name", ["encoder.layer_norm.bias", "feature_extractor.conv_layers.3.conv.weight"])
def test_a_weight_that_is_missing(name: str, edited: Edited) -> None:
    folder = edited("wav2vec2")
    rewrite(folder, lambda weights: {key: tensor for key, tensor in weights.items() if key != name})
    with pytest.raises(CheckpointError, match=r"the weight .* is missing; weights and config.json do not belong"):
        read_pretrained(folder)


@pytest.mark.parametrize("name", ["../other/model.safetensors", "/etc/passwd", "..", "a\\b", "c:x", ""])
def test_an_index_that_points_out_of_its_folder_is_refused(tmp_path: Path, small_whisper: Path, name: str) -> None:
    (tmp_path / "config.json").write_bytes((small_whisper / "config.json").read_bytes())
    places = {"model.encoder.conv1.weight": name}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}), "utf-8")
    with pytest.raises(CheckpointError, match="is no file of its folder, and is not opened"):
        read_pretrained(tmp_path)
