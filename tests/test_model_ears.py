"""Frames for many clips: those of the model, to the bit, by matrices that are in bfloat16 already."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from earful.encoder.encoder import EncoderConfig
from earful.encoder.pretrained import BackboneConfig
from earful.encoder.wav2vec2 import Wav2Vec2Config
from earful.encoder.whisper import WhisperConfig
from earful.model import AcousticModel, ModelConfig, ears_of
from earful.text.alphabet import Alphabet

CUT: dict[str, Any] = {"width": 16, "layers": 3, "heads": 2, "inner": 24, "frozen": 2, "pool": 2}
SMALL: dict[str, Any] = CUT | {"channels": (8,) * 7, "position_kernel": 6, "position_groups": 2}
CONFIGS: dict[str, BackboneConfig] = {
    "whisper": WhisperConfig("whisper", mels=80, positions=60, bed=10, **CUT),
    "wav2vec2": Wav2Vec2Config("wav2vec2", **SMALL),
    "wavlm": Wav2Vec2Config("wavlm", buckets=8, farthest=12, **(SMALL | {"rank": 2})),
}
TINY = EncoderConfig("conformer", bins=16, width=8, layers=1, heads=2, kernel=3)


def model_of(features: Any) -> AcousticModel:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        config = ModelConfig(Alphabet.learn(["ab"]), features=features, encoder=TINY)
        return AcousticModel(config).eval().requires_grad_(False)


@pytest.mark.parametrize("name", CONFIGS)
def test_the_same_frames(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    model = model_of(CONFIGS[name])
    before = {key: weight.clone() for key, weight in model.state_dict().items()}
    samples_T = 0.1 * torch.randn(7000, generator=torch.Generator().manual_seed(1))
    ears = ears_of(model)
    assert torch.equal(ears(samples_T), model.frames_of(samples_T))
    cast = ears.args[0]  # type: ignore[attr-defined]
    layers = [layer for layer in cast.modules() if isinstance(layer, nn.Linear)]
    assert (
        layers and sum(layer.weight.dtype == torch.bfloat16 for layer in layers) >= len(layers) - 1
    )  # not one in parts
    assert all(torch.equal(weight, before[key]) for key, weight in model.state_dict().items())


def test_where_there_is_no_bfloat16_and_where_nothing_is_to_be_cast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    model = model_of(CONFIGS["whisper"])
    assert ears_of(model) == model.frames_of
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    plain = model_of(replace(ModelConfig(Alphabet.learn(["ab"])).features, bins=16))
    assert ears_of(plain) == plain.frames_of
