"""The CTC loss (Graves et al. 2006), exact to second order: minus the logarithm of the sum of every path to the labels.

It has three functions: the loss, its gradient, and the gradient's change along a direction. CTC's Hessian is symmetric,
so the backward pass of the gradient is that change, computed by one more forward-backward in dual numbers. The
gradient's forward-mode derivative is the same. Each function has a rule for `vmap`: many tasks are one larger batch.
"""

import inspect
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn.utils.rnn import pad_sequence

from earful.ctc import kernel_cpu, kernel_torch
from earful.ctc.lattice import Lattice

try:
    from earful.ctc import kernel_cuda
except ImportError:  # Triton, which comes with torch for CUDA, is not here or too old
    kernel_cuda = None  # type: ignore[assignment]

Lengths = Tensor | Sequence[int]


def ctc_loss(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Lengths,
    target_lengths: Lengths,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
    *,
    logits: bool = False,
) -> Tensor:
    """CTC loss in place of `torch.nn.functional.ctc_loss`, differentiable twice and through `torch.func`.

    Shapes: `log_probs` `[F, B, V]` log-probabilities (with `logits`, any scores, normalised here), or `[F, V]` for one
    clip; `targets` label ids, padded `[B, L]` or concatenated `[sum of target_lengths]`; both lengths `[B]`.
    float32 or float64, computed in float64; float16 and bfloat16 are taken as float32.

    `reduction` is "none" (answer `[B]`), "sum", or "mean" (each item divided by its number of labels, then the mean).
    A clip with too few frames for its labels gives infinity and a gradient that is not a number; with
    `zero_infinity`, zero and a zero gradient.

    The gradient is the derivative with respect to the log-probabilities: minus the posterior of each symbol at each
    frame. torch's own returns exp(log_probs) minus the posterior, which is right only behind a softmax (pytorch issue
    82545); behind a softmax the two agree.

    Raises:
        ValueError: naming the item whose length or label id is out of range.

    >>> scores = torch.zeros(4, 1, 3, dtype=torch.float64)
    >>> loss = lambda x: ctc_loss(x, torch.tensor([[1, 2]]), [4], [2], reduction="sum", logits=True)
    >>> round(loss(scores).item(), 3), torch.func.hessian(loss)(scores).shape
    (1.686, torch.Size([4, 1, 3, 4, 1, 3]))
    """
    if reduction not in ("none", "sum", "mean"):
        raise ValueError(f"reduction must be none, sum or mean, got {reduction}")
    x = log_probs.float() if log_probs.dtype in (torch.float16, torch.bfloat16) else log_probs
    x = x.log_softmax(-1) if logits else x
    frame_counts, label_counts = _lengths(input_lengths), _lengths(target_lengths)
    alone = x.ndim == 2
    if alone:
        x, frame_counts, label_counts = x[:, None], frame_counts.reshape(1), label_counts.reshape(1)
        targets = targets[None]
    if x.ndim != 3 or not x.dtype.is_floating_point:
        raise ValueError(f"expected log-probabilities [F, B, V] or [F, V], got {list(log_probs.shape)} {x.dtype}")
    labels_BL = _padded(targets, label_counts).long()
    nll_B, _ = _loss(x, labels_BL, frame_counts, label_counts, blank, zero_infinity)
    if reduction == "none":
        return nll_B[0] if alone else nll_B
    if reduction == "sum":
        return nll_B.sum()
    return nll_B @ (1 / (len(nll_B) * label_counts.clamp(min=1)).to(nll_B))


def occupancies(
    log_probs: Tensor, targets: Tensor, input_lengths: Lengths, target_lengths: Lengths, blank: int = 0
) -> Tensor:
    """The posterior `[F, B, V]` of each symbol at each frame, given the labels (Graves et al. 2006, eq. 14, 15).

    Arguments as of `ctc_loss`, whose gradient is minus this; differentiable once.
    """
    frame_counts, label_counts = _lengths(input_lengths), _lengths(target_lengths)
    labels_BL = _padded(targets, label_counts).long()
    nll_B, shares_BFL = _loss(log_probs, labels_BL, frame_counts, label_counts, blank, False)
    return _gradient(
        log_probs, -torch.ones_like(nll_B), shares_BFL, labels_BL, frame_counts, label_counts, blank, False
    )


def _lengths(lengths: Lengths) -> Tensor:
    return (lengths if isinstance(lengths, Tensor) else torch.tensor(lengths)).long()


def _padded(targets: Tensor, label_counts: Tensor) -> Tensor:
    """Concatenated targets as rows."""
    if targets.ndim == 2:
        return targets
    if targets.ndim != 1 or len(targets) != int(label_counts.sum()):
        raise ValueError(
            f"expected targets [B, L], or [{int(label_counts.sum())}], the sum of the target lengths, "
            f"got {list(targets.shape)}"
        )
    return pad_sequence(list(torch.split(targets, label_counts.tolist())), batch_first=True)


def _kernel(logp_FBV: Tensor) -> ModuleType:
    return {"cpu": kernel_cpu, "cuda": kernel_cuda}.get(logp_FBV.device.type) or kernel_torch


def _lattice(tensors: Sequence[Tensor], blank: int) -> Lattice:
    labels_BL, frame_counts_B, label_counts_B = (each.cpu() for each in tensors)
    return Lattice(labels_BL, frame_counts_B, label_counts_B, blank)


def _impossible(zero_infinity: bool) -> float:
    return 0.0 if zero_infinity else torch.nan


class _Loss(Function):
    """Minus the log-likelihood `[B]`, and the posteriors of blank and labels, for the gradient."""

    @staticmethod
    def forward(logp_FBV: Tensor, *rest: Any) -> tuple[Tensor, Tensor]:
        *tensors, blank, zero_infinity = rest
        lattice = _lattice(tensors, blank)
        found: tuple[Tensor, Tensor] = _kernel(logp_FBV).shares(logp_FBV, lattice, _impossible(zero_infinity))
        return found

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        *tensors, blank, zero_infinity = inputs
        ctx.save_for_backward(output[1], *tensors)
        ctx.save_for_forward(output[1], *tensors)
        ctx.mark_non_differentiable(output[1])
        ctx.set_materialize_grads(False)
        ctx.settings = (blank, zero_infinity)

    @staticmethod
    def backward(ctx: Any, weights_B: Tensor | None, _: Any) -> tuple[Tensor | None, ...]:
        if weights_B is None:
            return (None,) * 6
        shares_BFL, logp_FBV, *lattice = ctx.saved_tensors
        return _gradient(logp_FBV, weights_B, shares_BFL, *lattice, *ctx.settings), *[None] * 5

    @staticmethod
    def jvp(ctx: Any, v_FBV: Tensor, *_: Any) -> tuple[Tensor, None]:
        shares_BFL, logp_FBV, *lattice = ctx.saved_tensors
        ones_B = torch.ones_like(v_FBV[0, :, 0])
        gradient_FBV = _gradient(logp_FBV, ones_B, shares_BFL, *lattice, *ctx.settings)
        return (gradient_FBV * v_FBV).sum((0, 2)), None

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *inputs: Any) -> tuple[Any, Any]:
        return _as_one_batch(_Loss, info.batch_size, in_dims, inputs, axes=(1, 0, 0, 0), out_axes=(0, 0))


class _Gradient(Function):
    """The weighted gradient of the loss with respect to the log-probabilities."""

    @staticmethod
    def forward(logp_FBV: Tensor, weights_B: Tensor, shares_BFL: Tensor, *rest: Any) -> Tensor:
        *tensors, blank, _ = rest
        lattice = _lattice(tensors, blank)
        found: Tensor = _kernel(logp_FBV).spread(shares_BFL, lattice, -weights_B, logp_FBV)
        return found

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        *tensors, blank, zero_infinity = inputs
        ctx.save_for_backward(*tensors)
        ctx.save_for_forward(*tensors)
        ctx.settings = (blank, zero_infinity)

    @staticmethod
    def backward(ctx: Any, v_FBV: Tensor) -> tuple[Tensor | None, ...]:
        logp_FBV, weights_B, _, *lattice = ctx.saved_tensors
        change_FBV, change_B = _change(logp_FBV, v_FBV, weights_B, *lattice, *ctx.settings)
        return change_FBV, change_B, *[None] * 6

    @staticmethod
    def jvp(ctx: Any, v_FBV: Tensor | None, v_B: Tensor | None, *_: Any) -> Tensor:
        logp_FBV, weights_B, shares_BFL, *lattice = ctx.saved_tensors
        change_FBV = torch.zeros_like(logp_FBV)
        if v_FBV is not None:
            change_FBV = change_FBV + _change(logp_FBV, v_FBV, weights_B, *lattice, *ctx.settings)[0]
        if v_B is not None:
            change_FBV = change_FBV + _gradient(logp_FBV, v_B, shares_BFL, *lattice, *ctx.settings)
        return change_FBV

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *inputs: Any) -> tuple[Any, Any]:
        return _as_one_batch(_Gradient, info.batch_size, in_dims, inputs, axes=(1, 0, 0, 0, 0, 0), out_axes=(1,))


class _Change(Function):
    """The Hessian of the weighted loss times a direction, and the change of each item's loss along it."""

    @staticmethod
    def forward(logp_FBV: Tensor, v_FBV: Tensor, weights_B: Tensor, *rest: Any) -> tuple[Tensor, Tensor]:
        *tensors, blank, zero_infinity = rest
        lattice = _lattice(tensors, blank)
        kernel = _kernel(logp_FBV)
        change_B, shares_BFL = kernel.shares(logp_FBV, lattice, _impossible(zero_infinity), v_FBV)
        return kernel.spread(shares_BFL, lattice, -weights_B, logp_FBV), change_B

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        pass

    @staticmethod
    def backward(ctx: Any, *_: Tensor) -> tuple[None, ...]:
        raise NotImplementedError("ctc_loss can be differentiated twice, not three times")

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *inputs: Any) -> tuple[Any, Any]:
        return _as_one_batch(_Change, info.batch_size, in_dims, inputs, axes=(1, 1, 0, 0, 0, 0), out_axes=(1, 0))


def _as_one_batch(
    function: type[Function],
    tasks: int,
    in_dims: tuple[int | None, ...],
    inputs: tuple[Any, ...],
    axes: tuple[int, ...],
    out_axes: tuple[int, ...],
) -> tuple[Any, Any]:
    """`vmap` by joining the batches of all tasks into one; `axes` are the batch axes of the inputs."""
    settings = inputs[len(axes) :]
    folded = [
        (x.movedim(dim, axis) if dim is not None else x.unsqueeze(axis).expand(*x.shape[:axis], tasks, *x.shape[axis:]))
        .flatten(axis, axis + 1)
        for x, dim, axis in zip(inputs[: len(axes)], in_dims, axes, strict=False)
    ]  # fmt: skip
    found = function.apply(*folded, *settings)  # type: ignore[no-untyped-call]
    outputs = found if isinstance(found, tuple) else (found,)
    unfolded = tuple(x.unflatten(axis, (tasks, -1)) for x, axis in zip(outputs, out_axes, strict=True))
    return (unfolded, out_axes) if isinstance(found, tuple) else (unfolded[0], out_axes[0])


for _function in (_Loss, _Gradient, _Change):
    # torch looks at the signature in every call; looked at once, a small batch takes two thirds of the time
    vars(_function.forward)["__signature__"] = inspect.signature(_function.forward)

_loss: Callable[..., tuple[Tensor, Tensor]] = _Loss.apply
_gradient: Callable[..., Tensor] = _Gradient.apply
_change: Callable[..., tuple[Tensor, Tensor]] = _Change.apply
