"""Every encoder through the same checks: lengths, padding, derivatives, precision, export."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from earful.encoder.build import build_encoder
from earful.encoder.encoder import KINDS, SUBSAMPLINGS, Encoder, EncoderConfig
from earful.errors import ConfigError

SMALL = EncoderConfig("conformer", bins=8, width=16, layers=2, heads=2, kernel=5, expansion=2)
TINY = EncoderConfig("conformer", bins=4, width=4, layers=1, heads=1, kernel=3, expansion=1, dropout=0.0)
WITH_VMAP = ("conformer", "transformer")

Parameters = dict[str, Tensor]


def small(kind: str, subsampling: int = 4, seed: int = 0) -> Encoder:
    config = replace(SMALL, kind=kind, subsampling=subsampling)
    return build_encoder(config, torch.Generator().manual_seed(seed)).eval()


def noise(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).to(dtype)


@contextmanager
def without_onednn() -> Iterator[None]:
    """oneDNN's LSTM has no forward-mode rule in float32; the flag warns about TF32 on machines that have none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with torch.backends.mkldnn.flags(enabled=False):
            yield


def scalar_of(kind: str, dtype: torch.dtype = torch.float64) -> tuple[Callable[[Parameters], Tensor], Parameters]:
    """A smooth scalar function of the parameters of a tiny encoder, on two items of different lengths."""
    encoder = build_encoder(replace(TINY, kind=kind), torch.Generator().manual_seed(3)).to(dtype)
    frames_BFM, counts_B = noise(2, 13, 4, dtype=dtype), torch.tensor([13, 6])

    def scalar(parameters: Parameters) -> Tensor:
        hidden_BFD, _ = torch.func.functional_call(encoder, parameters, (frames_BFM, counts_B))
        return (hidden_BFD.sin() * hidden_BFD).sum()

    return scalar, {name: value.detach() for name, value in encoder.named_parameters()}


def directions(parameters: Parameters, seed: int = 7) -> Parameters:
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.randn(v.shape, generator=generator).to(v.dtype) for name, v in parameters.items()}


def stepped(parameters: Parameters, direction: Parameters, step: float) -> Parameters:
    return {name: value + step * direction[name] for name, value in parameters.items()}


def reverse_over_reverse(scalar: Callable[[Parameters], Tensor], at: Parameters, along: Parameters) -> Parameters:
    leaves = {name: value.clone().requires_grad_() for name, value in at.items()}
    first = torch.autograd.grad(scalar(leaves), list(leaves.values()), create_graph=True)
    slope = torch.stack([(g * along[name]).sum() for name, g in zip(leaves, first, strict=True)]).sum()
    return dict(zip(leaves, torch.autograd.grad(slope, list(leaves.values())), strict=True))


def assert_same(one: Parameters, other: Parameters, tolerance: float) -> None:
    """Equal up to `tolerance` of the largest element of the tree."""
    largest = max(float(value.abs().max()) for value in other.values())
    for name in other:
        error = float((one[name].detach().double() - other[name].double()).abs().max())
        assert error <= tolerance * largest, f"{name}: off by {error:.3g} where the largest element is {largest:.3g}"


# PyTorch compiles its forward-mode decompositions with a function that it has itself deprecated.
forward_mode = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("subsampling", SUBSAMPLINGS)
def test_counts_are_the_ceiling_at_every_length(kind: str, subsampling: int) -> None:
    encoder = small(kind, subsampling)
    for frame_count in range(1, 15):
        counts_B = torch.tensor([frame_count])
        hidden_BFD, hidden_counts_B = encoder(noise(1, frame_count, 8), counts_B)
        expected = -(-frame_count // subsampling)
        assert hidden_BFD.shape == (1, expected, encoder.width)
        assert hidden_counts_B.tolist() == [expected]
        assert encoder.output_counts(counts_B).tolist() == [expected]
        assert bool(hidden_BFD.isfinite().all())


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=12, deadline=None)
@given(
    counts=st.lists(st.integers(1, 30), min_size=1, max_size=4),
    extra=st.integers(0, 9),
    subsampling=st.sampled_from(SUBSAMPLINGS),
    garbage=st.sampled_from([0.0, 1e4, float("nan")]),
)
def test_an_item_is_the_same_alone_and_in_any_batch(
    kind: str, counts: list[int], extra: int, subsampling: int, garbage: float
) -> None:
    encoder = small(kind, subsampling)
    frames_BFM = torch.full((len(counts), max(counts) + extra, 8), garbage)
    for index, count in enumerate(counts):
        frames_BFM[index, :count] = noise(count, 8, seed=index)
    hidden_BFD, hidden_counts_B = encoder(frames_BFM, torch.tensor(counts))
    for index, count in enumerate(counts):
        alone_BFD, _ = encoder(frames_BFM[index : index + 1, :count], torch.tensor([count]))
        valid = int(hidden_counts_B[index])
        torch.testing.assert_close(hidden_BFD[index, :valid], alone_BFD[0], atol=1e-5, rtol=1e-5)
        assert not hidden_BFD[index, valid:].any()


@pytest.mark.parametrize("kind", KINDS)
def test_every_valid_frame_reaches_the_output(kind: str) -> None:
    encoder = small(kind)
    frames_BFM = noise(1, 21, 8).requires_grad_()
    hidden_BFD, _ = encoder(frames_BFM, torch.tensor([18]))
    hidden_BFD.sin().sum().backward()
    assert frames_BFM.grad is not None
    reached_F = frames_BFM.grad[0].abs().sum(dim=1) > 0
    assert reached_F.tolist() == [True] * 18 + [False] * 3


@pytest.mark.parametrize("kind", KINDS)
def test_every_parameter_has_a_gradient(kind: str) -> None:
    encoder = small(kind)
    hidden_BFD, _ = encoder(noise(2, 25, 8), torch.tensor([25, 17]))
    hidden_BFD.sin().square().sum().backward()
    still = [name for name, p in encoder.named_parameters() if p.grad is None or not p.grad.any()]
    assert still == []


@pytest.mark.parametrize("kind", KINDS)
def test_second_derivative_in_the_frames_passes_gradgradcheck(kind: str) -> None:
    encoder = build_encoder(replace(TINY, kind=kind), torch.Generator().manual_seed(3)).double()
    frames_BFM = noise(2, 6, 4, dtype=torch.float64).requires_grad_()
    counts_B = torch.tensor([6, 3])
    assert torch.autograd.gradgradcheck(lambda frames: encoder(frames, counts_B)[0], (frames_BFM,), fast_mode=True)


@pytest.mark.parametrize("kind", KINDS)
def test_hessian_vector_product_matches_finite_differences(kind: str) -> None:
    scalar, parameters = scalar_of(kind)
    along = directions(parameters)
    product = reverse_over_reverse(scalar, parameters, along)
    gradient, step = torch.func.grad(scalar), 1e-6
    ahead, behind = gradient(stepped(parameters, along, step)), gradient(stepped(parameters, along, -step))
    numeric = {name: (ahead[name] - behind[name]) / (2 * step) for name in parameters}
    assert_same(product, numeric, tolerance=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_float32_second_order_agrees_with_float64(kind: str) -> None:
    # The kernels differ between the two: oneDNN has an LSTM of its own for float32.
    exact_scalar, exact_at = scalar_of(kind)
    scalar, at = scalar_of(kind, torch.float32)
    exact = reverse_over_reverse(exact_scalar, exact_at, directions(exact_at))
    assert_same(reverse_over_reverse(scalar, at, directions(at)), exact, tolerance=1e-4)


@forward_mode
@pytest.mark.parametrize("kind", KINDS)
def test_forward_over_reverse_agrees_with_reverse_over_reverse(kind: str) -> None:
    scalar, parameters = scalar_of(kind)
    along = directions(parameters)
    _, product = torch.func.jvp(torch.func.grad(scalar), (parameters,), (along,))
    assert_same(product, reverse_over_reverse(scalar, parameters, along), tolerance=1e-10)


@forward_mode
@pytest.mark.parametrize("kind", KINDS)
def test_forward_mode_in_float32(kind: str) -> None:
    scalar, parameters = scalar_of(kind, torch.float32)
    along = directions(parameters)
    with without_onednn():
        _, slope = torch.func.jvp(scalar, (parameters,), (along,))
        gradient = torch.func.grad(scalar)(parameters)
    expected = torch.stack([(gradient[name] * along[name]).sum() for name in parameters]).sum()
    torch.testing.assert_close(slope, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("kind", WITH_VMAP)
def test_vmap_over_tasks_equals_a_loop(kind: str) -> None:
    encoder = small(kind)
    copies = [small(kind, seed=seed) for seed in range(3)]
    stacked, _ = torch.func.stack_module_state(copies)
    frames_TBFM, counts_TB = noise(3, 2, 19, 8), torch.tensor([[19, 7], [1, 19], [12, 13]])

    def loss(parameters: Parameters, frames_BFM: Tensor, counts_B: Tensor) -> Tensor:
        return torch.func.functional_call(encoder, parameters, (frames_BFM, counts_B))[0].sin().sum()

    together = torch.func.vmap(torch.func.grad(loss))(stacked, frames_TBFM, counts_TB)
    for task, copy in enumerate(copies):
        alone = torch.func.grad(loss)(
            {name: value.detach() for name, value in copy.named_parameters()}, frames_TBFM[task], counts_TB[task]
        )
        assert_same({name: value[task] for name, value in together.items()}, alone, tolerance=1e-5)


@pytest.mark.parametrize("kind", WITH_VMAP)
def test_vmap_with_dropout_gives_every_task_its_own_mask(kind: str) -> None:
    encoder = build_encoder(replace(SMALL, kind=kind, dropout=0.5), torch.Generator().manual_seed(0)).train()
    frames_TBFM = noise(1, 1, 9, 8).expand(2, 1, 9, 8)
    hidden_TBFD = torch.vmap(lambda x_BFM: encoder(x_BFM, torch.tensor([9]))[0], randomness="different")(frames_TBFM)
    assert not torch.equal(hidden_TBFD[0], hidden_TBFD[1])


@pytest.mark.parametrize("kind", KINDS)
def test_bfloat16_autocast_stays_near_float32(kind: str) -> None:
    encoder = small(kind)
    frames_BFM, counts_B = noise(2, 33, 8), torch.tensor([33, 12])
    exact_BFD, _ = encoder(frames_BFM, counts_B)
    with torch.autocast("cpu", torch.bfloat16):
        hidden_BFD, _ = encoder(frames_BFM, counts_B)
    assert hidden_BFD.dtype == torch.float32
    assert float((hidden_BFD - exact_BFD).detach().abs().mean()) < 0.02
    hidden_BFD.square().mean().backward()
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in encoder.parameters())


@pytest.mark.parametrize("kind", KINDS)
def test_dropout_is_the_only_randomness(kind: str) -> None:
    frames_BFM, counts_B = noise(1, 24, 8), torch.tensor([24])
    encoder = small(kind)
    assert torch.equal(encoder(frames_BFM, counts_B)[0], encoder(frames_BFM, counts_B)[0])
    encoder.train()
    assert not torch.equal(encoder(frames_BFM, counts_B)[0], encoder(frames_BFM, counts_B)[0])


@pytest.mark.parametrize("kind", KINDS)
def test_no_buffers_and_no_batch_norm(kind: str) -> None:
    encoder = small(kind)
    assert list(encoder.buffers()) == []
    assert not any("BatchNorm" in type(module).__name__ for module in encoder.modules())


@pytest.mark.parametrize("kind", KINDS)
def test_a_constant_added_to_a_bin_changes_nothing(kind: str) -> None:
    encoder = small(kind)
    frames_BFM, counts_B = noise(2, 20, 8), torch.tensor([20, 11])
    channel_M = noise(8, seed=5) * 4
    hidden_BFD, _ = encoder(frames_BFM, counts_B)
    torch.testing.assert_close(encoder(frames_BFM + channel_M, counts_B)[0], hidden_BFD, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_wrong_bins_are_refused(kind: str) -> None:
    with pytest.raises(ConfigError, match=r"expected frames of shape \[batch, frames, 8\], got \[1, 20, 13\].*`bins`"):
        small(kind)(noise(1, 20, 13), torch.tensor([20]))


@pytest.mark.parametrize("kind", WITH_VMAP)
def test_exported_with_dynamic_lengths(kind: str) -> None:
    encoder = small(kind)
    batch, frames = torch.export.Dim("batch", min=1, max=64), torch.export.Dim("frames", min=5, max=4096)
    program = torch.export.export(
        encoder,
        (noise(2, 40, 8), torch.tensor([40, 21])),
        dynamic_shapes=({0: batch, 1: frames}, {0: batch}),
    )
    frames_BFM, counts_B = noise(3, 57, 8), torch.tensor([57, 9, 30])
    expected_BFD, expected_counts_B = encoder(frames_BFM, counts_B)
    hidden_BFD, counts_B = program.module()(frames_BFM, counts_B)
    torch.testing.assert_close(hidden_BFD, expected_BFD, atol=1e-5, rtol=1e-5)
    assert torch.equal(counts_B, expected_counts_B)
