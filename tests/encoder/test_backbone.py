"""What holds for every backbone: the cut, padding, low-rank adapters, derivatives; and pooling and pieces."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.func import functional_call, grad, jvp

from earful.encoder.backbone import (
    ADAPTERS,
    Backbone,
    in_pieces,
    merged,
    moves,
    padding_bias,
    pooled,
    pooling_above,
    recut,
)
from earful.encoder.pretrained import BackboneConfig, build_backbone
from earful.encoder.wav2vec2 import Wav2Vec2Config
from earful.encoder.whisper import WhisperConfig
from earful.errors import ConfigError

CUT: dict[str, Any] = {"width": 16, "layers": 3, "heads": 2, "inner": 24, "frozen": 1, "pool": 2}
SMALL: dict[str, Any] = CUT | {"channels": (8,) * 7, "position_kernel": 6, "position_groups": 2}
CONFIGS: dict[str, BackboneConfig] = {
    "whisper": WhisperConfig("whisper", mels=80, positions=60, **CUT),
    "wav2vec2": Wav2Vec2Config("wav2vec2", **SMALL),
    "xlsr": Wav2Vec2Config("wav2vec2", norm="layer", pre_norm=True, convolution_bias=True, **SMALL),
    "wavlm": Wav2Vec2Config("wavlm", buckets=8, farthest=12, **SMALL),
}


def built(config: BackboneConfig, dtype: torch.dtype = torch.float32) -> Backbone:
    """A backbone none of whose weights is 0 or 1, so that each has its effect; adapters start as they do."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        backbone = build_backbone(config)
        for name, parameter in backbone.named_parameters():
            if not name.endswith(ADAPTERS):
                parameter.add_(0.1 * torch.randn(parameter.shape))
    return backbone.to(dtype).eval()


def noise(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(params=CONFIGS)
def config(request: pytest.FixtureRequest) -> BackboneConfig:
    return CONFIGS[request.param]


@pytest.mark.parametrize("frozen", [1, 3])
def test_every_cut_gives_the_same(config: BackboneConfig, frozen: int) -> None:
    whole, cut = built(recut(config, frozen=0)), built(recut(config, frozen=frozen))
    samples_T = 0.1 * noise(9_000)
    (expected, _), (found, counts_B) = (each.upper(*_batch(each.lower(samples_T))) for each in (whole, cut))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
    assert counts_B.tolist() == [found.shape[1]] and found.shape[2] == config.bins


def _batch(frames_FD: Tensor) -> tuple[Tensor, Tensor]:
    return frames_FD[None], torch.tensor([len(frames_FD)])


def test_no_gradient_and_gradient_agree(config: BackboneConfig) -> None:
    """The fused kernels run without gradients, the products written out with them."""
    backbone = built(config)
    frames, counts = noise(2, 11, 16), torch.tensor([11, 7])
    with_gradient, _ = backbone.upper(frames, counts)
    with torch.no_grad():
        without, _ = backbone.upper(frames, counts)
    assert with_gradient.requires_grad
    torch.testing.assert_close(without, with_gradient.detach(), atol=1e-5, rtol=0)


@pytest.mark.parametrize("gradient", [True, False])
def test_padding_is_never_read(config: BackboneConfig, gradient: bool) -> None:
    backbone = built(config)
    clips = [noise(count, 16, seed=count) for count in (9, 4, 1)]
    padded = torch.full((4, 12, 16), torch.nan)
    for row, clip in zip(padded, clips, strict=False):
        row[: len(clip)] = clip
    with torch.set_grad_enabled(gradient):
        found, counts = backbone.upper(padded, torch.tensor([9, 4, 1, 0]))
        alone = [backbone.upper(*_batch(clip))[0][0] for clip in clips]
    assert counts.tolist() == [5, 2, 1, 0]
    for row, count, expected in zip(found, counts.tolist(), [*alone, torch.zeros(0, 16)], strict=True):
        torch.testing.assert_close(row[:count], expected, atol=1e-5, rtol=0)
        assert not row[count:].any()


def test_in_bfloat16_too(config: BackboneConfig) -> None:
    """A clip without frames gives no NaN, and the layers add up in float32, so that the result is near."""
    backbone, counts = built(config), torch.tensor([9, 0])
    frames, samples_T = noise(2, 9, 16), 0.1 * noise(9_000)
    with torch.no_grad():
        exact = backbone.lower(samples_T), backbone.upper(frames, counts)[0]
        with torch.autocast("cpu", torch.bfloat16):
            rounded = backbone.lower(samples_T), backbone.upper(frames, counts)[0]
    with torch.autocast("cpu", torch.bfloat16):
        moving = backbone.upper(frames, counts)[0]
    for found, expected in zip((*rounded, moving), (*exact, exact[1]), strict=True):
        assert found.dtype == torch.float32
        assert (found - expected).norm() < 0.02 * expected.norm()


def test_what_moves(config: BackboneConfig) -> None:
    names = [name for name, _ in built(config).named_parameters()]
    pre_norm = any(name.startswith("norm_out.") for name in names)
    assert {name.split(".")[1] for name in names if moves(config, name) and name.startswith("layers.")} == {"1", "2"}
    above = {name.split(".")[0] for name in names if moves(config, name)}
    assert above == {"layers", "norm_out"} if pre_norm else above == {"layers"}
    low = replace(config, rank=2)
    moving = [name for name, _ in built(low).named_parameters() if moves(low, name)]
    assert len(moving) == 2 * 6 * 2 and all(name.endswith(ADAPTERS) for name in moving)
    frozen = recut(config, frozen=3)
    assert not any(moves(frozen, name) for name in names)


def test_adapters_start_as_nothing_and_merge(config: BackboneConfig) -> None:
    plain, low = built(config), built(replace(config, rank=2))
    low.load_state_dict(plain.state_dict(), strict=False)
    batch = noise(2, 11, 16), torch.tensor([11, 7])
    start, expected = low.upper(*batch)[0], plain.upper(*batch)[0]
    torch.testing.assert_close(start, expected, atol=1e-6, rtol=0)
    with torch.no_grad():
        for name, parameter in low.named_parameters():
            if name.endswith(".up"):
                parameter.add_(0.3 * noise(*parameter.shape))
    adapted, _ = low.upper(*batch)
    assert (adapted - start).abs().max() > 0.1
    params = merged({f"backbone.{name}": tensor for name, tensor in low.state_dict().items()}, "backbone.")
    plain.load_state_dict({name.removeprefix("backbone."): tensor for name, tensor in params.items()})
    torch.testing.assert_close(plain.upper(*batch)[0], adapted, atol=1e-5, rtol=0)


def test_merging_leaves_what_is_not_the_backbone() -> None:
    params = {"encoder.x.down": torch.ones(1, 2), "backbone.y.weight": torch.ones(2, 2)}
    assert merged(params, "backbone.") == params


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")  # in PyTorch's own jvp
@pytest.mark.parametrize("rank", [0, 2])
def test_second_derivatives(config: BackboneConfig, rank: int) -> None:
    """The derivative of the gradient, by double backward, is what differences of the gradient say."""
    cut = replace(config, rank=rank)
    backbone = built(cut, torch.float64)
    batch = noise(2, 7, 16).double(), torch.tensor([7, 4])
    fixed = {name: tensor.detach() for name, tensor in backbone.named_parameters()}
    params = {name: 0.1 * noise(*fixed[name].shape).double() + fixed[name] for name in fixed if moves(cut, name)}
    along = {name: noise(*tensor.shape, seed=2).double() for name, tensor in params.items()}

    def loss(moving: dict[str, Tensor]) -> Tensor:
        frames_BFD, _ = functional_call(backbone, fixed | moving, batch)  # type: ignore[no-untyped-call]
        return frames_BFD.square().sum() + frames_BFD.sin().sum()

    backbone.forward = backbone.upper
    double = grad(lambda p: sum((grad(loss)(p)[name] * along[name]).sum() for name in along))(params)
    ahead, behind = (grad(loss)({n: p + step * along[n] for n, p in params.items()}) for step in (1e-6, -1e-6))
    for name in params:
        expected = (ahead[name] - behind[name]) / 2e-6
        torch.testing.assert_close(double[name], expected, atol=1e-4 * max(1.0, float(expected.abs().max())), rtol=0)
    assert any(double[name].abs().max() > 1e-3 for name in double)
    _, forward_over_reverse = jvp(grad(loss), (params,), (along,))
    for name in params:
        torch.testing.assert_close(forward_over_reverse[name], double[name])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"frozen": 4}, "frozen is 4, must be from 0 to its 3 layers"),
        ({"frozen": -1}, "frozen is -1"),
        ({"rank": -1}, "rank must be at least 0"),
        ({"pool": 0}, "pool at least 1"),
        ({"heads": 3}, "3 heads and width 16; all must be at least 1, the width a multiple"),
        ({"heads": 0}, "must be at least 1"),
    ],
)
def test_cuts_that_cannot_be(config: BackboneConfig, change: dict[str, int], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        replace(config, **change)


def test_pooling_comes_after_the_last_layer(config: BackboneConfig) -> None:
    assert (pooling_above(config), pooling_above(recut(config, frozen=3))) == (2, 1)
    assert config.hop_s == pytest.approx(0.02) and recut(config, frozen=3).hop_s == pytest.approx(0.04)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=3), st.integers(1, 4))
def test_pooled_are_means(counts: list[int], pool: int) -> None:
    frames = noise(len(counts), max(1, *counts, 1), 3)
    found, found_counts = pooled(frames, torch.tensor(counts), pool)
    assert found_counts.tolist() == [-(-count // pool) for count in counts]
    for item, frames_FD, count in zip(found, frames, counts, strict=True):
        means = [part.mean(0) for part in torch.split(frames_FD[:count], pool)] if count else []
        assert not item[len(means) :].any()
        for mean_D, expected_D in zip(item, means, strict=False):
            torch.testing.assert_close(mean_D, expected_D)


@given(st.integers(1, 400), st.integers(1, 8), st.integers(0, 8), st.integers(0, 60))
def test_pieces_lose_no_frame(count: int, hop: int, overlap: int, more: int) -> None:
    """Windows of hop + overlap samples, one a hop: heard in pieces they are those of the whole clip."""
    overlap, longest = min(overlap, hop), 6 * hop + more
    samples_T = noise(count + hop + overlap)
    heard = []

    def encode(piece_T: Tensor) -> Tensor:
        heard.append(len(piece_T))
        return piece_T.unfold(0, hop + overlap, hop)

    found = in_pieces(samples_T, longest, hop, encode, overlap)
    assert torch.equal(found, samples_T.unfold(0, hop + overlap, hop))
    assert max(heard) <= longest and max(heard) - min(heard) <= 2 * hop + overlap
    assert (len(heard) == 1) == (len(samples_T) <= longest)


def test_pieces_are_of_like_length() -> None:
    heard: list[int] = []
    in_pieces(torch.zeros(2 * 480_000 - 1), 480_000, 640, lambda piece_T: heard.append(len(piece_T)) or piece_T)
    assert len(heard) == 2 and max(heard) <= 480_000 and min(heard) > 479_000
    assert heard[0] % 640 == 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_padding_has_no_weight_and_is_finite(dtype: torch.dtype) -> None:
    bias = padding_bias(torch.tensor([[True, False]]), torch.float32).to(dtype)
    assert bool(torch.isfinite(bias).all())
    assert (bias + torch.tensor([0.0, 60.0])).softmax(-1).flatten().tolist() == [1.0, 0.0]
