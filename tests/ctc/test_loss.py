"""The CTC loss: all paths counted one by one, torch's own, derivatives by differences, and its complaints."""

import itertools
from types import ModuleType, SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck
from torch.nn import functional

from earful.ctc import kernel_cpu, kernel_torch
from earful.ctc import loss as module
from earful.ctc.lattice import Lattice
from earful.ctc.loss import ctc_loss, occupancies

KERNELS = [kernel_cpu, kernel_torch]


@pytest.mark.parametrize(("device", "installed"), [("cpu", "kernel_cpu"), ("cuda", "kernel_cuda")])
def test_the_device_chooses_the_kernel(device: str, installed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tensor operations do for whatever has no kernel: no Triton, another device."""
    somewhere = SimpleNamespace(device=torch.device(device))
    for name in ("kernel_cpu", "kernel_cuda"):
        monkeypatch.setattr(module, name, SimpleNamespace(name=name))
    assert module._kernel(somewhere).name == installed
    assert module._kernel(SimpleNamespace(device=torch.device("meta"))) is kernel_torch
    monkeypatch.setattr(module, installed, None)
    assert module._kernel(somewhere) is kernel_torch


@pytest.fixture(params=KERNELS, ids=["numba", "tensors"])
def kernel(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setattr(module, "_kernel", lambda _: request.param)
    return request.param


def paths_to(labels: list[int], frames: int, symbols: int) -> list[list[int]]:
    paths = itertools.product(range(symbols), repeat=frames)
    return [list(path) for path in paths if [k for k, _ in itertools.groupby(path) if k != 0] == labels]


def enumerated(logp_FV: Tensor, labels: list[int]) -> Tensor:
    right = paths_to(labels, *logp_FV.shape)
    return -torch.logsumexp(torch.stack([logp_FV[range(len(path)), path].sum() for path in right]), 0)


@st.composite
def lattices(draw: st.DrawFn, frames: int = 8, batch: int = 3, symbols: int = 5) -> tuple[Tensor, Lattice, float]:
    """Log-probabilities (normalised or not, sharp or flat), a lattice, and the value of the impossible."""
    sizes = [draw(st.integers(1, most)) for most in (frames, batch, symbols - 1)]
    most_labels = draw(st.integers(0, 4))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    logp = torch.randn(sizes[0], sizes[1], sizes[2] + 1, dtype=torch.float64, generator=generator)
    logp = logp * draw(st.sampled_from([0.1, 1.0, 4.0, 30.0]))
    labels = torch.randint(1, sizes[2] + 1, (sizes[1], most_labels), generator=generator)
    counts = [torch.randint(0, most + 1, (sizes[1],), generator=generator) for most in (sizes[0], most_labels)]
    return logp, Lattice(labels, counts[0], counts[1], 0), draw(st.sampled_from([0.0, torch.nan]))


@pytest.mark.parametrize("labels", [[1, 2], [1, 1], [2], [], [1, 2, 1]])
def test_value_and_both_derivatives_are_those_of_the_sum_over_all_paths(kernel: ModuleType, labels: list[int]) -> None:
    logp = torch.randn(4, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    targets, frames, count = torch.tensor([[*labels, 0]]), [4], [len(labels)]

    def ours(x: Tensor) -> Tensor:
        return ctc_loss(x[:, None], targets, frames, count, reduction="sum")

    for function in (
        lambda f: f(logp),
        lambda f: torch.func.grad(f)(logp),
        lambda f: torch.autograd.functional.hessian(f, logp),
    ):
        torch.testing.assert_close(function(ours), function(lambda x: enumerated(x, labels)))


@given(lattices())
@settings(max_examples=60, deadline=None)
def test_the_compiled_kernel_and_the_tensors_give_the_same(case: tuple[Tensor, Lattice, float]) -> None:
    logp, lattice, impossible = case
    v = torch.randn(logp.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    for direction in (None, v):
        pairs = zip(*(each.shares(logp, lattice, impossible, direction) for each in KERNELS), strict=True)
        for compiled, tensors in pairs:
            torch.testing.assert_close(compiled, tensors, equal_nan=True, atol=1e-9, rtol=1e-9)


@given(lattices(frames=6, batch=2))
@settings(max_examples=25, deadline=None)
def test_first_and_second_derivatives_are_those_by_differences(case: tuple[Tensor, Lattice, float]) -> None:
    logp, lattice, _ = case
    logp = (logp / logp.abs().max().clamp(min=1)).requires_grad_()  # differences want no sharp corners

    def loss(x: Tensor) -> Tensor:
        return ctc_loss(x, *lattice[:3], reduction="none", zero_infinity=True)

    assert gradcheck(loss, (logp,), check_forward_ad=True)
    assert gradgradcheck(loss, (logp,), check_fwd_over_rev=True)


@given(lattices())
@settings(max_examples=60, deadline=None)
def test_equals_torch_behind_a_softmax(case: tuple[Tensor, Lattice, float]) -> None:
    scores, lattice, _ = case
    scores.requires_grad_()
    labels = torch.cat([lattice.labels_BL, torch.ones(len(lattice.labels_BL), 1).long()], 1)  # torch wants L > 0
    for reduction in ("none", "sum", "mean"):
        arguments = (labels, *lattice[1:3], 0, reduction, True)
        ours, theirs = (
            ctc_loss(scores.log_softmax(-1), *arguments),
            functional.ctc_loss(scores.log_softmax(-1), *arguments),
        )
        torch.testing.assert_close(ours, theirs)
        torch.testing.assert_close(*(torch.autograd.grad(x.sum(), scores)[0] for x in (ours, theirs)))
        torch.testing.assert_close(ctc_loss(scores, *arguments, logits=True), ours)


@pytest.mark.parametrize(("scale", "frames", "labels"), [(1, 700, 300), (30, 700, 300), (200, 300, 60), (8, 1200, 120)])
def test_exact_where_probabilities_are_too_small_for_a_number(scale: float, frames: int, labels: int) -> None:
    generator = torch.Generator().manual_seed(frames)
    logp = (torch.randn(frames, 1, 30, generator=generator, dtype=torch.float64) * scale).log_softmax(-1)
    lattice = Lattice(
        torch.randint(1, 30, (1, labels), generator=generator), torch.tensor([frames]), torch.tensor([labels]), 0
    )
    v = torch.randn(logp.shape, generator=generator, dtype=torch.float64)
    for direction in (None, v):
        found = [each.shares(logp, lattice, torch.nan, direction) for each in KERNELS]
        for compiled, tensors in zip(*found, strict=True):
            torch.testing.assert_close(compiled, tensors, atol=1e-7, rtol=1e-9)


def test_a_confident_wrong_model_is_exact() -> None:
    """Silence is sure, yet 300 labels must be said: every path that counts is some 5,000 decades below the best."""
    logp = torch.full((3000, 1, 40), -40.0)
    logp[..., 0] = 0.0
    targets = torch.randint(1, 40, (1, 300), generator=torch.Generator().manual_seed(0))
    value = ctc_loss(logp, targets, [3000], [300], reduction="sum")
    assert 300 * 40 - 1500 < value < 300 * 40
    gradient = torch.func.grad(lambda x: ctc_loss(x, targets, [3000], [300], reduction="sum"))(logp)
    torch.testing.assert_close(-gradient.sum(-1), torch.ones(3000, 1))
    assert -gradient[..., 1:].sum() == pytest.approx(300, rel=1e-4)


def test_occupancies_sum_to_one_in_every_frame_of_the_clip(kernel: ModuleType) -> None:
    logp = torch.randn(9, 2, 5, generator=torch.Generator().manual_seed(3))
    found = occupancies(logp, torch.tensor([[1, 2, 2], [4, 1, 1]]), [9, 6], [3, 1])
    torch.testing.assert_close(found.sum(-1), torch.tensor([[1.0] * 9, [1.0] * 6 + [0.0] * 3]).T)
    assert (found >= 0).all() and not found[:, 1, 2].any() and not found[:, 0, 4].any()


def test_the_gradient_is_by_the_log_probabilities_not_behind_a_softmax(kernel: ModuleType) -> None:
    logp = torch.randn(5, 1, 4, generator=torch.Generator().manual_seed(0)).log_softmax(-1).requires_grad_()
    arguments = (torch.tensor([[1, 2]]), torch.tensor([5]), torch.tensor([2]))
    (ours,) = torch.autograd.grad(ctc_loss(logp, *arguments, reduction="sum"), logp)
    (theirs,) = torch.autograd.grad(functional.ctc_loss(logp, *arguments, reduction="sum"), logp)
    torch.testing.assert_close(ours, theirs - logp.exp())


def test_functions_of_torch_func(kernel: ModuleType) -> None:
    generator = torch.Generator().manual_seed(0)
    logp = torch.randn(3, 6, 2, 5, dtype=torch.float64, generator=generator)
    labels = torch.randint(1, 5, (3, 2, 2), generator=generator)
    frames, counts = torch.tensor([[6, 5], [6, 6], [3, 6]]), torch.tensor([[2, 1], [0, 2], [1, 2]])

    def loss(x: Tensor, y: Tensor, f: Tensor, c: Tensor) -> Tensor:
        return ctc_loss(x, y, f, c, reduction="sum")

    tasks = (logp, labels, frames, counts)
    for function in (torch.func.grad(loss), torch.func.hessian(loss), torch.func.jacrev(torch.func.jacrev(loss))):
        alone = torch.stack([function(*(each[i] for each in tasks)) for i in range(3)])
        torch.testing.assert_close(torch.func.vmap(function)(*tasks), alone)
    at_the_end = torch.func.vmap(torch.func.grad(loss), in_dims=(3, 2, 0, 1))(
        logp.movedim(0, 3), labels.movedim(0, 2), frames, counts.T
    )
    torch.testing.assert_close(at_the_end, torch.func.vmap(torch.func.grad(loss))(*tasks))
    shared = torch.func.vmap(torch.func.grad(loss), in_dims=(0, None, None, None))(
        logp, labels[0], frames[0], counts[0]
    )
    torch.testing.assert_close(shared[2], torch.func.grad(loss)(logp[2], labels[0], frames[0], counts[0]))
    v = torch.randn(6, 2, 5, dtype=torch.float64, generator=generator)
    rest = (labels[0], frames[0], counts[0])
    _, forward = torch.func.jvp(torch.func.grad(lambda x: loss(x, *rest)), (logp[0],), (v,))
    whole = torch.autograd.functional.hessian(lambda x: loss(x, *rest), logp[0])
    torch.testing.assert_close(forward, torch.einsum("abcdef,def->abc", whole, v))


def test_a_third_derivative_is_refused() -> None:
    logp = torch.zeros(3, 1, 3, requires_grad=True)
    value = ctc_loss(logp, torch.tensor([[1]]), [3], [1])
    for _ in range(2):
        (gradient,) = torch.autograd.grad(value, logp, create_graph=True)
        value = (gradient**2).sum()
    with pytest.raises(NotImplementedError, match="twice, not three times"):
        torch.autograd.grad(value, logp)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_every_floating_type_and_layout(kernel: ModuleType, dtype: torch.dtype) -> None:
    logp = torch.randn(2, 7, 5, generator=torch.Generator().manual_seed(0)).log_softmax(-1).to(dtype)
    arguments = (torch.tensor([[1, 2, 2], [3, 3, 0]]), torch.tensor([7, 6]), torch.tensor([3, 2]))
    contiguous = logp.transpose(0, 1).contiguous().requires_grad_()
    turned = logp.clone().requires_grad_()
    values = [ctc_loss(contiguous, *arguments), ctc_loss(turned.transpose(0, 1), *arguments)]
    assert values[0] == values[1] and values[0].dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    gradients = [torch.autograd.grad(value, x)[0] for value, x in zip(values, (contiguous, turned), strict=True)]
    assert gradients[0].dtype == dtype and torch.equal(gradients[0].transpose(0, 1), gradients[1])
    whole = functional.ctc_loss(logp.float().transpose(0, 1), *arguments)
    torch.testing.assert_close(values[0].float(), whole, atol=1e-5, rtol=1e-5)


def test_arguments_in_all_of_torch_s_forms(kernel: ModuleType) -> None:
    logp = torch.randn(7, 2, 5, generator=torch.Generator().manual_seed(0)).log_softmax(-1)
    padded = ctc_loss(logp, torch.tensor([[1, 2, 2], [3, 3, 0]]), torch.tensor([7, 6]), torch.tensor([3, 2]))
    assert padded == ctc_loss(logp, torch.tensor([1, 2, 2, 3, 3]), (7, 6), (3, 2))
    assert padded == ctc_loss(logp, torch.tensor([[1, 2, 2], [3, 3, -1]], dtype=torch.int32), [7, 6], [3, 2])
    each = [
        ctc_loss(logp[:, 0], torch.tensor([1, 2, 2]), torch.tensor(7), torch.tensor(3), reduction="none"),
        ctc_loss(logp[:6, 1], torch.tensor([3, 3]), torch.tensor(6), torch.tensor(2), reduction="none"),
    ]
    together = ctc_loss(logp, torch.tensor([[1, 2, 2], [3, 3, 0]]), [7, 6], [3, 2], reduction="none")
    torch.testing.assert_close(torch.stack(each), together)
    last = ctc_loss(logp.flip(-1), 4 - torch.tensor([[1, 2, 2], [3, 3, 0]]), [7, 6], [3, 2], blank=4)
    torch.testing.assert_close(last, padded)


def test_too_long_a_transcript_is_infinite_or_nothing(kernel: ModuleType) -> None:
    logp = torch.zeros(3, 2, 3).log_softmax(-1).requires_grad_()
    arguments = (torch.tensor([[1, 1], [1, 2]]), torch.tensor([2, 3]), torch.tensor([2, 2]))
    infinite = ctc_loss(logp, *arguments, reduction="none")
    assert infinite[0].isinf() and infinite[1].isfinite()
    (gradient,) = torch.autograd.grad(infinite.sum(), logp)
    assert gradient[:, 0].isnan().any() and gradient[:, 1].isfinite().all()
    nothing = ctc_loss(logp, *arguments, reduction="none", zero_infinity=True)
    (gradient,) = torch.autograd.grad(nothing.sum(), logp, create_graph=True)
    assert nothing[0] == 0 and not gradient[:, 0].any() and gradient[:, 1].any()
    (second,) = torch.autograd.grad(gradient.square().sum(), logp)
    assert not second[:, 0].any() and second[:, 1].any()


def test_symbols_that_cannot_be_said(kernel: ModuleType) -> None:
    logp = torch.zeros(3, 1, 3)
    logp[..., 2] = -torch.inf
    assert ctc_loss(logp, torch.tensor([[2]]), [3], [1]).isinf()
    value = ctc_loss(logp.requires_grad_(), torch.tensor([[1]]), [3], [1], reduction="sum")
    assert value.isfinite() and torch.autograd.grad(value, logp)[0].isfinite().all()
    pair = torch.cat([logp.detach(), torch.zeros(3, 1, 3)], 1).requires_grad_()
    nothing = ctc_loss(pair, torch.tensor([[2, 1], [1, 2]]), [3, 3], [1, 2], reduction="sum", zero_infinity=True)
    assert not torch.autograd.grad(nothing, pair)[0][:, 0].any()
    assert ctc_loss(torch.full((3, 1, 3), torch.nan), torch.tensor([[1]]), [3], [1]).isnan()


def test_threads_change_nothing() -> None:
    generator = torch.Generator().manual_seed(0)
    logp = torch.randn(120, 9, 30, generator=generator).log_softmax(-1)
    labels, frames = (
        torch.randint(1, 30, (9, 40), generator=generator),
        torch.randint(80, 121, (9,), generator=generator),
    )
    lattice = Lattice(labels, frames, torch.randint(0, 41, (9,), generator=generator), 0)
    before = torch.get_num_threads()
    found = []
    for threads in (1, 4):
        torch.set_num_threads(threads)
        values, shares = kernel_cpu.shares(logp, lattice, 0.0)
        found.append((values, shares, kernel_cpu.spread(shares, lattice, torch.ones(9), logp)))
    torch.set_num_threads(before)
    assert all(torch.equal(*pair) for pair in zip(*found, strict=True))


@pytest.mark.parametrize(
    ("labels", "frames", "counts", "message"),
    [
        ([[1, 3]], [2], [2], "item 0 .*label id"),
        ([[0, 1]], [2], [2], "item 0 .*blank"),
        ([[1, 2]], [5], [2], "item 0 .*input length"),
        ([[1, 2]], [-1], [2], "item 0 .*input length"),
        ([[1, 2]], [2], [3], "item 0 .*target length"),
        ([[1, 2], [1, 2]], [2], [2], "expected labels"),
        ([1, 2], [2], [1], "sum of the target lengths"),
    ],
)
def test_bad_arguments_name_the_item(
    kernel: ModuleType, labels: list[list[int]], frames: list[int], counts: list[int], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        ctc_loss(torch.zeros(4, 1, 3), torch.tensor(labels), torch.tensor(frames), torch.tensor(counts))


def test_other_bad_arguments() -> None:
    arguments = (torch.tensor([[1]]), [4], [1])
    with pytest.raises(ValueError, match="reduction"):
        ctc_loss(torch.zeros(4, 1, 3), *arguments, reduction="average")
    with pytest.raises(ValueError, match=r"\[F, B, V\]"):
        ctc_loss(torch.zeros(4, 1, 3).long(), *arguments)
    with pytest.raises(ValueError, match="blank must be"):
        ctc_loss(torch.zeros(4, 1, 3), *arguments, blank=3)
