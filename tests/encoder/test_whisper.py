"""The encoder of Whisper: every frame as transformers computes it, on clips of any length."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from earful.config import from_mapping, to_mapping
from earful.encoder.pretrained import build_backbone, load_backbone
from earful.encoder.whisper import Whisper, WhisperConfig
from earful.errors import ConfigError

# 60 positions: the longest piece is 1.2 s.
CONFIG = WhisperConfig("whisper", width=16, layers=1, heads=2, inner=16, positions=60, frozen=1)


def small(**changes: Any) -> Whisper:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        backbone = build_backbone(replace(CONFIG, **changes)).eval()
    assert isinstance(backbone, Whisper)
    torch.nn.init.normal_(backbone.positions_FD, generator=torch.Generator().manual_seed(1))
    return backbone


@pytest.mark.parametrize("frozen", [0, 1, 3])
def test_frames_are_those_of_transformers(
    frozen: int, original: Callable[..., Any], voice: Callable[[float], Tensor]
) -> None:
    """On a clip as long as the model's input (2 s here, 30 s in public ones): transformers hears nothing else."""
    folder, run = original("whisper")
    backbone = load_backbone(folder, frozen=frozen, pool=1)
    with torch.no_grad():
        frames_FD = backbone.lower(voice(2.0))
        (found_FD,), counts_B = backbone.upper(frames_FD[None], torch.tensor([len(frames_FD)]))
    expected_FD = run(voice(2.0))
    assert counts_B.tolist() == [100]
    torch.testing.assert_close(found_FD, expected_FD, atol=1e-4, rtol=0)
    assert expected_FD.std(0).mean() > 0.05  # not the same everywhere


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 60_000), st.integers(1, 7), st.integers(0, 1))
def test_a_frame_every_20_ms_and_at_least_one(count: int, pool: int, frozen: int) -> None:
    """Also across pieces, and where `pool` does not divide the longest piece."""
    frames_FD = small(pool=pool, frozen=frozen).lower(torch.zeros(count))
    mels = max(1, count // 160)
    assert len(frames_FD) == -(-mels // (2 * pool if frozen else 2))
    assert bool(torch.isfinite(frames_FD).all())


def test_long_clips_in_pieces() -> None:
    backbone = small()
    samples_T = torch.randn(30_000, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        found_FD = backbone.lower(samples_T)
        pieces = [backbone.lower(piece_T) for piece_T in (samples_T[:14_720], samples_T[14_720:])]
    torch.testing.assert_close(found_FD, torch.cat(pieces))


def test_rates() -> None:
    assert (CONFIG.stride_s, CONFIG.hop_s, replace(CONFIG, frozen=0).hop_s) == (0.02, 0.04, 0.02)
    assert CONFIG.bins == CONFIG.width
    assert from_mapping(WhisperConfig, to_mapping(CONFIG), "model.json") == CONFIG


def test_dimensions_that_cannot_be() -> None:
    with pytest.raises(ConfigError, match="pool is 61, must be at most its 60 positions"):
        replace(CONFIG, pool=61)
