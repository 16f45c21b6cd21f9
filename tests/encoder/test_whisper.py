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
    with pytest.raises(ConfigError, match="fewer than `pool`, 61"):
        replace(CONFIG, pool=61)


def spoken(samples: int, seed: int = 0) -> Tensor:
    return torch.randn(samples, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("frozen", [0, 1, 2])
def test_amid_a_bed_each_frame_attends_to_it_too(frozen: int) -> None:
    """As by hand: softmax over the keys of the bed and of the clip, which stands at the positions after the bed."""
    backbone = small(layers=2, frozen=frozen, pool=1)
    bed_T, samples_T = spoken(3200), spoken(4800, 1)
    with torch.no_grad():
        heard = backbone.amid(bed_T)
        frames_FD = heard.lower(samples_T)
        (found_FD,), _ = heard.upper(frames_FD[None], torch.tensor([len(frames_FD)]))
        bed_1FD, x_1FD = backbone._entered(bed_T, 0), backbone._entered(samples_T, 10)
        for layer in backbone.layers:
            both_1FD = torch.cat([bed_1FD, x_1FD], 1)
            x_1FD, bed_1FD = layer(both_1FD, wall(10, 25))[:, 10:], layer(bed_1FD)
    assert heard.config.bed == 10
    # keys and values are kept in float16
    torch.testing.assert_close(found_FD, backbone.norm_out(x_1FD)[0], atol=2e-3, rtol=1e-3)


def wall(bed: int, frames: int) -> Tensor:
    """The bias that keeps the bed from hearing the clip."""
    bias_FF = torch.zeros(frames, frames)
    bias_FF[:bed, bed:] = -1e4
    return bias_FF[None, None]


def test_a_bed_is_heard_by_padded_batches_as_by_single_clips() -> None:
    heard = small(layers=2, frozen=1, pool=1).amid(spoken(3200))
    with torch.no_grad():
        clips = [heard.lower(spoken(count, count)) for count in (3200, 6400)]
        counts_B = torch.tensor([len(each) for each in clips])
        found_BFD, _ = heard.upper(torch.nn.utils.rnn.pad_sequence(clips, batch_first=True), counts_B)
        for clip_FD, row_FD in zip(clips, found_BFD, strict=True):
            alone_1FD, _ = heard.upper(clip_FD[None], torch.tensor([len(clip_FD)]))
            torch.testing.assert_close(row_FD[: len(clip_FD)], alone_1FD[0])


def test_another_bed_takes_the_place_of_the_first() -> None:
    backbone, samples_T = small(layers=2, frozen=2), spoken(3200, 2)
    with torch.no_grad():
        twice, once = backbone.amid(spoken(3200)).amid(spoken(6400, 1)), backbone.amid(spoken(6400, 1))
        torch.testing.assert_close(twice.lower(samples_T), once.lower(samples_T))
        none = twice.amid(torch.zeros(0))
        torch.testing.assert_close(none.lower(samples_T), backbone.lower(samples_T))
    assert none.config == backbone.config


def test_clips_that_the_bed_leaves_no_room_for_are_heard_in_pieces() -> None:
    heard, samples_T = small().amid(spoken(12_800)), spoken(12_800, 1)  # 40 of 60 positions
    with torch.no_grad():
        pieces = [heard.lower(samples_T[:6400]), heard.lower(samples_T[6400:])]
        torch.testing.assert_close(heard.lower(samples_T), torch.cat(pieces))


def test_a_bed_is_no_longer_than_there_is_room() -> None:
    assert small().amid(spoken(32_000)).config.bed == 58
    with pytest.raises(ConfigError, match="of its 60 positions the bed takes 59"):
        replace(CONFIG, bed=59)
