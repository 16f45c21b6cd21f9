"""The CTC kernels for CUDA against the tensor operations: on a CUDA device, or else in Triton's interpreter.

Triton decides on the interpreter when it is imported, hence for a whole process: without a device, one test runs this
file again in a process of its own, and another compiles the kernels for a GPU that is not here.
"""

import os
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from earful.ctc import kernel_torch
from earful.ctc import loss as module
from earful.ctc.lattice import Lattice
from earful.ctc.loss import ctc_loss

kernel_cuda = pytest.importorskip(
    "earful.ctc.kernel_cuda", reason="needs Triton 3.4 or newer", exc_type=ImportError
)  # fmt: skip
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
NO_DEVICE = "no CUDA device: test_in_the_interpreter runs this"
runs = pytest.mark.skipif(DEVICE == "cpu" and not INTERPRETED, reason=NO_DEVICE)
instead = pytest.mark.skipif(DEVICE == "cuda" or INTERPRETED, reason="only where the kernels cannot run themselves")
CLOSE = {torch.bfloat16: (1e-2, 1e-2), torch.float32: (1e-6, 1e-6), torch.float64: (1e-9, 1e-9)}


@instead
def test_in_the_interpreter() -> None:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", __file__]
    environment = {**os.environ, "TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"}
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert " passed" in ran.stdout and NO_DEVICE not in ran.stdout


@instead
@pytest.mark.parametrize(("dtype", "labels"), [(torch.float32, 0), (torch.float32, 20), (torch.float64, 100)])
@pytest.mark.parametrize("second", [False, True])
def test_compiles_for_a_gpu(dtype: torch.dtype, labels: int, second: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    import triton
    from triton.backends.compiler import GPUTarget

    class Compiles:
        """In place of a kernel: compiles it for the arguments it is called with."""

        def __init__(self, kernel: Any) -> None:
            self.kernel = kernel

        def __getitem__(self, grid: tuple[int, ...]) -> Any:
            return lambda *args, **settings: made.append(self.kernel.warmup(*args, grid=grid, **settings).asm)

    made: list[dict[str, Any]] = []
    target = GPUTarget("cuda", 80, 32)
    device = SimpleNamespace(get_current_device=lambda: 0, get_current_target=lambda: target)
    device.get_current_stream = lambda _: 0
    triton.runtime.driver.set_active(device)  # there was none
    for name in ("_sweep", "_join"):
        monkeypatch.setattr(kernel_cuda, name, Compiles(getattr(kernel_cuda, name)))
    lattice = Lattice(torch.ones(2, labels).long(), torch.tensor([3, 3]), torch.tensor([0, labels]), 0)
    logp = torch.zeros(3, 2, 5, dtype=dtype)
    kernel_cuda.shares(logp, lattice, torch.nan, logp if second else None)
    assert len(made) == 2 and all(asm["cubin"] for asm in made)


def drawn(
    seed: int, batch: int, frames: int, labels: int, symbols: int, scale: float = 1.0, without: float = 0.0
) -> tuple[Tensor, Tensor, Lattice]:
    """Log-probabilities, some of them minus infinity, a direction, and a ragged lattice whose padding is no label."""
    generator = torch.Generator().manual_seed(seed)
    scores = scale * torch.randn(frames, batch, symbols, dtype=torch.float64, generator=generator)
    logp = scores.log_softmax(-1)
    logp[torch.rand(logp.shape, generator=generator) < without] = -torch.inf
    v = torch.randn(logp.shape, dtype=torch.float64, generator=generator)
    labels_BL = torch.randint(1, symbols, (batch, labels), generator=generator)
    counts = [torch.randint(0, most + 1, (batch,), generator=generator) for most in (frames, labels)]
    for each, most in zip(counts, (frames, labels), strict=True):
        each[:1] = most
    labels_BL[torch.arange(labels) >= counts[1][:, None]] = -1
    return logp, v, Lattice(labels_BL, *counts, 0)


def compare(logp: Tensor, lattice: Lattice, impossible: float, v: Tensor | None) -> None:
    ours = kernel_cuda.shares(logp.to(DEVICE), lattice, impossible, None if v is None else v.to(DEVICE))
    expected = kernel_torch.shares(logp, lattice, impossible, v)
    inside_BF = torch.arange(len(logp)) < lattice.frame_counts_B[:, None]
    inside_BL = torch.arange(lattice.labels_BL.shape[1] + 1) <= lattice.label_counts_B[:, None]
    inside_BFL = inside_BF[:, :, None] & inside_BL[:, None]
    rtol, atol = CLOSE[logp.dtype]
    for found, right in zip(ours, (expected[0], expected[1].where(inside_BFL, 0.0)), strict=True):
        torch.testing.assert_close(found.cpu(), right, rtol=rtol, atol=atol, equal_nan=True)


@runs
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    "sizes",
    [
        {"batch": 4, "frames": 7, "labels": 3, "symbols": 3},
        {"batch": 4, "frames": 8, "labels": 3, "symbols": 3, "without": 0.3},
        {"batch": 2, "frames": 12, "labels": 5, "symbols": 4, "scale": 30.0},
        {"batch": 2, "frames": 4, "labels": 0, "symbols": 3},
        {"batch": 2, "frames": 0, "labels": 2, "symbols": 3},
        {"batch": 0, "frames": 3, "labels": 2, "symbols": 3},
        {"batch": 1, "frames": 1, "labels": 1, "symbols": 2},
    ],
)
def test_equals_the_tensor_operations(sizes: dict[str, Any], dtype: torch.dtype) -> None:
    for seed, impossible in enumerate((torch.nan, 0.0)):
        logp, v, lattice = drawn(seed, **sizes)
        for direction in (None, v.to(dtype)):
            compare(logp.to(dtype), lattice, impossible, direction)


@runs
def test_float32_is_exact_for_a_long_clip_of_a_confident_wrong_model() -> None:
    frames, labels = (1500, 300) if DEVICE == "cuda" else (90, 66)  # more labels than one warp has
    logp, v, lattice = drawn(0, 1, frames, labels, 30, scale=30.0)
    for direction in (None, v.float()):
        compare(logp.float(), lattice, torch.nan, direction)


@runs
def test_bfloat16_and_a_transposed_layout() -> None:
    logp, v, lattice = drawn(0, 2, 6, 2, 4)
    compare(logp.bfloat16(), lattice, torch.nan, v.bfloat16())
    compare(logp.transpose(0, 1).contiguous().transpose(0, 1), lattice, torch.nan, v)


@runs
def test_what_is_not_a_number_stays_within_its_clip() -> None:
    logp, _, lattice = drawn(1, 2, 5, 2, 4)
    lattice = lattice._replace(frame_counts_B=torch.tensor([5, 4]), label_counts_B=torch.tensor([2, 1]))
    lattice.labels_BL[:] = torch.tensor([1, 2])
    logp[2, 0, 2], logp[4] = torch.nan, torch.nan  # the last frame is not the second clip's
    values_B, shares_BFL = kernel_cuda.shares(logp.to(DEVICE), lattice, 0.0)
    assert values_B.isnan().tolist() == [True, False]
    assert shares_BFL[0].isnan().all() and shares_BFL[1].isfinite().all()


@runs
def test_bad_arguments_name_the_item() -> None:
    logp, _, lattice = drawn(0, 2, 4, 2, 3)
    lattice.frame_counts_B[1] = 5
    with pytest.raises(ValueError, match=r"item 1 .*input length"):
        kernel_cuda.shares(logp.to(DEVICE), lattice, 0.0)


@runs
def test_the_loss_and_its_derivatives_by_these_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    logp, v, lattice = drawn(5, 3, 6, 2, 4)

    def products(kernel: Any, device: str) -> list[Tensor]:
        monkeypatch.setattr(module, "_kernel", lambda _: kernel)
        x = logp.to(device).requires_grad_()
        value = ctc_loss(x, *lattice[:3], reduction="sum", zero_infinity=True)
        (gradient,) = torch.autograd.grad(value, x, create_graph=True)
        (second,) = torch.autograd.grad((gradient * v.to(device)).sum(), x)
        return [each.detach().cpu() for each in (value, gradient, second)]

    for found, right in zip(products(kernel_cuda, DEVICE), products(kernel_torch, "cpu"), strict=True):
        torch.testing.assert_close(found, right, rtol=1e-9, atol=1e-9)


def test_the_device_chooses_the_kernel() -> None:
    chosen = {name: module._kernel(SimpleNamespace(device=torch.device(name))) for name in ("cuda", "meta")}
    assert chosen == {"cuda": kernel_cuda, "meta": kernel_torch}
