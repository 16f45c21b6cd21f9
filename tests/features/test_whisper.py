"""Whisper's log-mel spectrogram, beside the one of transformers."""

import warnings
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from earful.features.whisper import slaney_matrix, whisper_logmel


@pytest.fixture(scope="module")
def transformers() -> Any:
    """The library, imported once, which takes seconds."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("transformers")


def sound(seconds: float) -> Tensor:
    t = torch.arange(round(16_000 * seconds)) / 16_000
    hiss = torch.randn(len(t), generator=torch.Generator().manual_seed(0))
    return 0.3 * torch.sin(2 * torch.pi * (100 + 100 * t) * t) + 0.01 * hiss


def extracted(transformers: Any, samples_T: Tensor, bins: int) -> Tensor:
    extractor = transformers.WhisperFeatureExtractor(feature_size=bins)
    return extractor(samples_T.numpy(), sampling_rate=16_000, return_tensors="pt").input_features[0].T  # type: ignore[no-any-return]


@pytest.mark.parametrize("bins", [80, 128])
def test_30_s_are_as_in_transformers(transformers: Any, bins: int) -> None:
    found_FM = whisper_logmel(sound(30.0), bins)
    assert found_FM.shape == (3000, bins)
    torch.testing.assert_close(found_FM, extracted(transformers, sound(30.0), bins), atol=1e-4, rtol=0)


def test_a_short_clip_is_the_beginning_of_a_padded_one(transformers: Any) -> None:
    """All but the last two frames, whose windows reach beyond the end."""
    found_FM = whisper_logmel(sound(1.0))
    assert found_FM.shape == (100, 80)
    torch.testing.assert_close(found_FM[:98], extracted(transformers, sound(1.0), 80)[:98], atol=1e-4, rtol=0)


def test_filters_are_slaneys(transformers: Any) -> None:
    from transformers.audio_utils import mel_filter_bank

    expected = mel_filter_bank(201, 80, 0.0, 8000.0, 16_000, norm="slaney", mel_scale="slaney")
    torch.testing.assert_close(slaney_matrix(80, torch.float64), torch.from_numpy(expected), atol=1e-12, rtol=1e-9)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 1000))
def test_a_frame_every_10_ms_and_at_least_one(count: int) -> None:
    frames_FM = whisper_logmel(sound(1.0)[:count])
    assert frames_FM.shape == (max(1, count // 160), 80)
    assert bool(torch.isfinite(frames_FM).all())
    assert float(frames_FM.max() - frames_FM.min()) <= 2.0 + 1e-6  # 80 dB


def test_silence_is_level() -> None:
    assert whisper_logmel(torch.zeros(1600)).unique().tolist() == [-1.5]


def test_fast_arithmetic_does_not_round_it() -> None:
    expected_FM = whisper_logmel(sound(1.0))
    with torch.autocast("cpu", torch.bfloat16):
        found_FM = whisper_logmel(sound(1.0))
    assert torch.equal(found_FM, expected_FM)
