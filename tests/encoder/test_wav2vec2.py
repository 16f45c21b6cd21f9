"""wav2vec 2.0 and its kin: every frame as transformers computes it, on clips of any length."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from earful.config import from_mapping, to_mapping
from earful.encoder import wav2vec2
from earful.encoder.pretrained import build_backbone, load_backbone
from earful.encoder.wav2vec2 import Wav2Vec2, Wav2Vec2Config, standardised
from earful.errors import ConfigError
from earful.features.fbank import FbankConfig
from earful.model import ModelConfig

WAV2VEC2, HUBERT = ("wav2vec2", "wav2vec2-xlsr", "wav2vec2-mixed"), ("hubert", "hubert-large", "distilhubert")
SMALL: dict[str, Any] = {"width": 16, "layers": 1, "heads": 2, "inner": 16, "frozen": 1, "channels": (4,) * 7}
CONFIG = Wav2Vec2Config("wav2vec2", position_kernel=4, position_groups=2, **SMALL)


def small(**changes: Any) -> Wav2Vec2:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        backbone = build_backbone(replace(CONFIG, **changes)).eval()
    assert isinstance(backbone, Wav2Vec2)
    return backbone


def whole(backbone: Any, samples_T: Tensor) -> Tensor:
    """The frames of one clip, through both parts."""
    with torch.no_grad():
        frames_FD = backbone.lower(samples_T)
        return backbone.upper(frames_FD[None], torch.tensor([len(frames_FD)]))[0][0]  # type: ignore[no-any-return]


@pytest.mark.parametrize("frozen", [0, 1, 3])
@pytest.mark.parametrize("name", [*WAV2VEC2, *HUBERT, "wavlm", "wavlm-large"])
def test_frames_are_those_of_transformers(
    name: str, frozen: int, original: Callable[..., Any], voice: Callable[[float], Tensor]
) -> None:
    folder, run = original(name)
    backbone = load_backbone(folder, frozen=frozen, pool=1)
    expected_FD = run(voice(1.7))
    torch.testing.assert_close(whole(backbone, voice(1.7)), expected_FD, atol=1e-4, rtol=0)
    assert expected_FD.std(0).mean() > 0.05  # not the same everywhere


@pytest.mark.parametrize("name", ["wav2vec2", "wavlm-large"])
@pytest.mark.parametrize("count", [400, 719, 720, 1500])
def test_short_clips(name: str, count: int, original: Callable[..., Any], voice: Callable[[float], Tensor]) -> None:
    folder, run = original(name)
    samples_T = voice(0.1)[:count]
    found_FD = whole(load_backbone(folder, pool=1), samples_T)
    torch.testing.assert_close(found_FD, run(samples_T), atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", ["wav2vec2", "wavlm-large"])
def test_pooling_is_the_mean_of_two(name: str, original: Callable[..., Any], voice: Callable[[float], Tensor]) -> None:
    folder, run = original(name)
    means = [pair.mean(0) for pair in torch.split(run(voice(0.5)), 2)]
    torch.testing.assert_close(whole(load_backbone(folder), voice(0.5)), torch.stack(means), atol=1e-4, rtol=0)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 4000), st.integers(1, 3))
def test_a_frame_every_20_ms_and_at_least_one(count: int, pool: int) -> None:
    frames_FD = small(pool=pool).lower(torch.zeros(count))
    assert len(frames_FD) == -(-max(1, (count - 80) // 320) // pool)
    assert bool(torch.isfinite(frames_FD).all())


@pytest.mark.parametrize(("frozen", "pool"), [(1, 2), (1, 3), (0, 2)])
def test_long_clips_in_pieces(monkeypatch: pytest.MonkeyPatch, frozen: int, pool: int) -> None:
    """As many frames as in one go, the same ones away from the joins, and no piece longer than the longest."""
    backbone = small(frozen=frozen, pool=pool, norm="layer", layers=1)
    samples_T = torch.randn(50_000, generator=torch.Generator().manual_seed(0))
    pieces: list[int] = []
    inside = backbone._lower
    monkeypatch.setattr(backbone, "_lower", lambda piece_T: pieces.append(len(piece_T)) or inside(piece_T))
    monkeypatch.setattr(wav2vec2, "LONGEST_S", 1.2)
    with torch.no_grad():
        found_FD = backbone.lower(samples_T)
        alone_FD = inside(standardised(samples_T))
        beginning_FD = inside(standardised(samples_T)[: pieces[0]])
    assert len(pieces) == 3 and max(pieces) <= 1.2 * 16_000
    assert len(found_FD) == len(alone_FD)
    torch.testing.assert_close(found_FD[: len(beginning_FD)], beginning_FD)
    if frozen == 0:  # what enters the layers knows only its neighbours
        near = (found_FD - alone_FD).abs().amax(1) < 1e-5
        assert int((~near).sum()) <= 2 * 4


def test_loudness_counts_only_where_it_is_not_normalised() -> None:
    samples_T = torch.randn(4000, generator=torch.Generator().manual_seed(0))
    for normalise, same in ((True, True), (False, False)):
        backbone = small(normalise_input=normalise, norm="layer", convolution_bias=True)
        one, other = backbone.lower(samples_T), backbone.lower(0.1 * samples_T + 0.05)
        assert torch.allclose(one, other, atol=1e-3) == same


def test_standardised() -> None:
    samples_T = standardised(3 * torch.randn(4000, generator=torch.Generator().manual_seed(0)) + 2)
    assert abs(float(samples_T.mean())) < 1e-5 and float(samples_T.var(correction=0)) == pytest.approx(1, abs=1e-4)
    assert not standardised(torch.ones(9)).any() and len(standardised(torch.zeros(0))) == 0


def test_rates_come_from_the_strides() -> None:
    assert (CONFIG.stride, CONFIG.reach, CONFIG.stride_s, CONFIG.hop_s) == (320, 400, 0.02, 0.04)
    assert CONFIG.bins == CONFIG.width
    other = replace(CONFIG, channels=(4, 4), kernels=(10, 8), strides=(5, 4), frozen=0)
    assert (other.stride, other.reach, other.hop_s) == (20, 45, 0.00125)


def test_a_model_stores_it() -> None:
    stored = json.loads(json.dumps(to_mapping(CONFIG)))
    assert from_mapping(Wav2Vec2Config, stored, "model.json") == CONFIG
    union = {"alphabet": {"symbols": ["a"]}, "features": stored, "encoder": {"bins": 16, "subsampling": 1}}
    assert from_mapping(ModelConfig, union, "model.json").features == CONFIG
    plain = {"alphabet": {"symbols": ["a"]}, "features": to_mapping(FbankConfig())}
    assert from_mapping(ModelConfig, plain, "model.json").features == FbankConfig()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"position_groups": 3}, r"width is 16, must be a multiple of position_groups \(3\)"),
        ({"position_kernel": 0}, "position_kernel at least 1"),
        ({"kernels": (10, 3)}, r"as many, got \(7, 2, 7\)"),
        ({"channels": (), "kernels": (), "strides": ()}, "as many"),
        ({"strides": (0,) * 7}, "must be at least 1"),
        ({"buckets": 3}, "buckets is 3, must be 0, or"),
        ({"buckets": 320, "farthest": 80}, "buckets is 320"),
    ],
)
def test_dimensions_that_cannot_be(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        replace(CONFIG, **change)
