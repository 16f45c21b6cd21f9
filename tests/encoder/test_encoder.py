from dataclasses import FrozenInstanceError, replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from earful.encoder.encoder import Dropout, Encoder, EncoderConfig, MeanNorm, initialise, subtract_mean, valid_frames
from earful.errors import ConfigError


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("kind", "perceiver"),
        ("bins", 0),
        ("width", 145),
        ("width", 144.0),
        ("layers", True),
        ("heads", -1),
        ("kernel", 8),
        ("expansion", 0),
        ("dropout", 1.0),
        ("dropout", float("nan")),
        ("subsampling", 5),
        ("subsampling", 0),
    ],
)
def test_a_bad_value_is_refused_by_the_name_of_its_key(key: str, value: object) -> None:
    with pytest.raises(
        ConfigError, match=rf"encoder: {key} is .*, must be .*; correct `{key}` in the \[encoder\] table"
    ):
        replace(EncoderConfig("conformer"), **{key: value})


def test_recurrent_kinds_do_not_care_for_heads() -> None:
    assert EncoderConfig(kind="bigru", width=145).width == 145


def test_config_is_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        EncoderConfig().width = 1  # type: ignore[misc]


def test_encoder_is_abstract() -> None:
    with pytest.raises(TypeError, match="abstract"):
        Encoder()  # type: ignore[abstract]


def test_valid_frames() -> None:
    assert valid_frames(torch.tensor([2, 0, 3]), 3).int().tolist() == [[1, 1, 0], [0, 0, 0], [1, 1, 1]]


@settings(max_examples=30, deadline=None)
@given(counts=st.lists(st.integers(0, 12), min_size=1, max_size=4), offset=st.floats(-50, 50))
def test_subtract_mean_leaves_zero_mean_and_zero_padding(counts: list[int], offset: float) -> None:
    frames_BFM = torch.randn(len(counts), 12, 3, generator=torch.Generator().manual_seed(1)) + offset
    valid_BF = valid_frames(torch.tensor(counts), 12)
    frames_BFM[~valid_BF] = torch.nan
    normal_BFM = subtract_mean(frames_BFM, valid_BF)
    for item_FM, count in zip(normal_BFM, counts, strict=True):
        assert not item_FM[count:].any()
        if count:
            assert float(item_FM[:count].mean(dim=0).abs().max()) < 1e-4


def test_variance_is_left_alone() -> None:
    frames_BFM = torch.randn(1, 50, 4, generator=torch.Generator().manual_seed(1))
    valid_BF = torch.ones(1, 50, dtype=torch.bool)
    torch.testing.assert_close(subtract_mean(5 * frames_BFM, valid_BF), 5 * subtract_mean(frames_BFM, valid_BF))


def test_mean_norm_scales_each_bin_by_its_own_factor() -> None:
    norm = MeanNorm(2)
    with torch.no_grad():
        norm.scale_M.copy_(torch.tensor([1.0, 10.0]))
    frames_BFM = torch.tensor([[[1.0, 1.0], [3.0, 3.0]]])
    assert norm(frames_BFM, torch.ones(1, 2, dtype=torch.bool)).tolist() == [[[-1.0, -10.0], [1.0, 10.0]]]


@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 0.9])
def test_dropout_drops_the_share_it_says_and_keeps_the_mean(p: float) -> None:
    torch.manual_seed(0)
    dropped = Dropout(p)(torch.ones(300, 333))
    assert float((dropped == 0).float().mean()) == pytest.approx(p, abs=0.006)
    assert float(dropped.mean()) == pytest.approx(1.0, abs=0.02)


def test_dropout_mask_has_no_pattern_across_the_bytes_of_a_word() -> None:
    torch.manual_seed(0)
    kept = Dropout(0.5)(torch.ones(20_000, 8)).ne(0).float()
    assert float((kept.mean(dim=0) - 0.5).abs().max()) < 0.02
    correlation = torch.corrcoef(kept.T) - torch.eye(8)
    assert float(correlation.abs().max()) < 0.04


def test_dropout_keeps_dtype_and_rests_in_evaluation() -> None:
    x = torch.ones(3, 5, dtype=torch.bfloat16)
    assert Dropout(0.5)(x).dtype == torch.bfloat16
    assert Dropout(0.5).eval()(x) is x


def test_initialise_follows_the_generator_and_the_fan_in() -> None:
    def drawn(seed: int) -> nn.Linear:
        layer = nn.Linear(400, 300)
        initialise(layer, torch.Generator().manual_seed(seed))
        return layer

    assert torch.equal(drawn(0).weight, drawn(0).weight)
    assert not torch.equal(drawn(0).weight, drawn(1).weight)
    assert float(drawn(0).weight.detach().std()) == pytest.approx(400**-0.5, rel=0.01)
    assert not drawn(0).bias.any()
