"""CTC's posteriors and their changes on CUDA, by Triton: a program for each clip and direction, a lane for each pair.

The pairs are those of `states`: label i and the blank after it (pair 0 has only its blank). A first kernel runs through
the frames, forwards and, on the lattice turned round, backwards, and writes down what reaches each state before its own
frame is counted: memory of frames times labels. A second kernel joins the two, every frame a program of its own.

Everything is a logarithm. What adds up over frames is float64, but is only added and compared; exponentials and
logarithms, which cost more, are taken within a frame and in the input's own dtype. So float32 keeps its precision where
a model is confident and wrong, however long the clip.
"""

from collections.abc import Callable
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.nn.functional import pad

from earful.ctc.kernel_torch import spread as spread
from earful.ctc.lattice import Lattice, check

if tuple(map(int, triton.__version__.split(".")[:2])) < (3, 4):
    raise ImportError(f"the CTC kernels need Triton 3.4 or newer, this is {triton.__version__}")

LEAST = tl.constexpr(-1e30)  # stands for minus infinity, as in `kernel_torch`
PAIRS_OF_A_WARP = 64
"""Two pairs a thread: lattices of up to 63 labels are one warp, which waits for no other."""
MOST_WARPS = 8

Decorator = Callable[[Callable[..., Any]], Any]
_part: Decorator = triton.jit
# Sizes are not compiled in: every batch has others.
_kernel: Decorator = triton.jit(do_not_specialize=["frames", "width", "batch"])


@_part
def _emission(logp):  # type: ignore[no-untyped-def]
    x = logp.to(tl.float64)
    return tl.where(x < LEAST, LEAST, x)  # not `maximum`, which may hide what is not a number


@_part
def _log_sum(a, b, c, dtype: tl.constexpr):  # type: ignore[no-untyped-def]
    """The logarithm of exp(a) + exp(b) + exp(c), and the weights of b and c in it."""
    greatest = tl.maximum(a, tl.maximum(b, c))
    of_b, of_c = tl.exp((b - greatest).to(dtype)), tl.exp((c - greatest).to(dtype))
    total = tl.exp((a - greatest).to(dtype)) + of_b + of_c
    return greatest + tl.log(total).to(tl.float64), of_b / total, of_c / total


@_kernel
def _sweep(  # type: ignore[no-untyped-def]
    logp_BFL, v_BFL, symbols_BL, frame_counts_B, label_counts_B, reached, changes,
    frames, width, batch, BLOCK: tl.constexpr, CHANGE: tl.constexpr,
):  # fmt: skip
    """Fills in `reached[turned, b, t, 0 | 1, i]`, of the blank and the label of pair i (Graves et al. 2006, eq. 6, 10).

    With CHANGE, their `changes` along `v_BFL` too: a sum of paths changes by the mean of theirs, weighted by the paths.
    """
    dtype: tl.constexpr = logp_BFL.dtype.element_ty
    b, turned = tl.program_id(0).to(tl.int64), tl.program_id(1) == 1
    last, count = tl.load(frame_counts_B + b).to(tl.int32), tl.load(label_counts_B + b).to(tl.int32)
    i = tl.arange(0, BLOCK)
    inside, said, earlier = i <= count, (i > 0) & (i <= count), tl.maximum(i - 1, 0)
    # Where lane i is on the lattice that is not turned: its blank, its label, and the label that lane i - 1 has.
    blank_at, label_at = tl.where(turned, count - i, i), tl.where(turned, count + 1 - i, i)
    earlier_at = tl.where(turned, label_at + 1, label_at - 1)
    symbol = tl.load(symbols_BL + b * width + label_at, mask=said, other=0)
    symbol_before = tl.load(symbols_BL + b * width + earlier_at, mask=said & (i > 1), other=0)
    skips = symbol != symbol_before  # the blank between two labels, unless they are the same
    # Behind the clip's labels, lanes hold anything: paths only lead to later lanes.
    nothing = tl.full((BLOCK,), LEAST, tl.float64)
    blank, label = tl.where(i == 0, 0.0, nothing), tl.where(i == 1, 0.0, nothing)
    blank_change, label_change = tl.zeros((BLOCK,), tl.float64), tl.zeros((BLOCK,), tl.float64)
    for step in range(last):
        frame = b * frames + tl.where(turned, last - 1 - step, step)
        row = (turned.to(tl.int64) * batch * frames + frame) * 2 * width
        tl.store(reached + row + blank_at, blank, mask=inside)
        tl.store(reached + row + width + label_at, label, mask=said)
        x = blank + _emission(tl.load(logp_BFL + frame * width))
        y = label + _emission(tl.load(logp_BFL + frame * width + label_at, mask=said, other=0.0))
        x_before = tl.where(i > 0, tl.gather(x, earlier, 0), LEAST)
        y_before = tl.where(skips, tl.gather(y, earlier, 0), LEAST)
        blank, blank_by_y, _ = _log_sum(x, y, nothing, dtype)
        label, label_by_x, label_by_y = _log_sum(y, x_before, y_before, dtype)
        if CHANGE:
            tl.store(changes + row + blank_at, blank_change, mask=inside)
            tl.store(changes + row + width + label_at, label_change, mask=said)
            x = blank_change + tl.load(v_BFL + frame * width).to(tl.float64)
            y = label_change + tl.load(v_BFL + frame * width + label_at, mask=said, other=0.0).to(tl.float64)
            # Means as steps away from one of their values: the weights' rounding counts only in the steps.
            blank_change = x + blank_by_y * (y - x)
            label_change = y + label_by_x * (tl.gather(x, earlier, 0) - y) + label_by_y * (tl.gather(y, earlier, 0) - y)


@_part
def _both(x, ahead, back, mask):  # type: ignore[no-untyped-def]
    return tl.load(x + ahead, mask=mask, other=0.0) + tl.load(x + back, mask=mask, other=0.0)


@_kernel
def _join(  # type: ignore[no-untyped-def]
    logp_BFL, v_BFL, frame_counts_B, label_counts_B, reached, changes, impossible,
    impossible_value, values_B, shares_BFL, frames, width, batch,
    BLOCK: tl.constexpr, CHANGE: tl.constexpr,
):  # fmt: skip
    """A frame's shares: forward times emission times backward (eq. 14); or their change. Of frame 0, the value too."""
    dtype: tl.constexpr = logp_BFL.dtype.element_ty
    frame = tl.program_id(0).to(tl.int64)
    b, t = frame // frames, frame % frames
    if t < tl.load(frame_counts_B + b):
        count = tl.load(label_counts_B + b).to(tl.int32)
        i = tl.arange(0, BLOCK)
        inside, said = i <= count, (i > 0) & (i <= count)
        here = frame * width + i
        ahead, back = frame * 2 * width + i, (batch * frames + frame) * 2 * width + i
        x = _emission(tl.load(logp_BFL + frame * width)) + _both(reached, ahead, back, inside)
        y = _emission(tl.load(logp_BFL + here, mask=said, other=0.0))
        y += _both(reached, ahead + width, back + width, said)
        x, y = tl.where(inside, x, LEAST), tl.where(said, y, LEAST)
        greatest = tl.maximum(tl.max(x, 0), tl.max(y, 0))
        x, y = tl.exp((x - greatest).to(dtype)), tl.exp((y - greatest).to(dtype))
        whole = tl.sum(x, 0) + tl.sum(y, 0)
        x, y = x / whole, y / whole
        total = greatest + tl.log(whole).to(tl.float64)
        value = -total
        if CHANGE:
            x_change = tl.load(v_BFL + frame * width).to(tl.float64) + _both(changes, ahead, back, inside)
            y_change = tl.load(v_BFL + here, mask=said, other=0.0).to(tl.float64)
            y_change += _both(changes, ahead + width, back + width, said)
            mean = tl.sum(x * x_change, 0) + tl.sum(y * y_change, 0)
            x, y = x * (x_change - mean), y * (y_change - mean)
            value = -mean
        no_path = total < LEAST / 2
        tl.store(shares_BFL + frame * width, tl.where(no_path, impossible, tl.sum(x, 0)))
        tl.store(shares_BFL + here, tl.where(no_path, impossible, y), mask=said)
        if t == 0:
            tl.store(values_B + b, tl.where(no_path, impossible_value, value))


def shares(logp_FBV: Tensor, lattice: Lattice, impossible: float, v_FBV: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """See `earful.ctc.kernel_torch.shares`, which this equals, within the rounding of the input's dtype."""
    check(logp_FBV, lattice)
    labels_BL, frame_counts_B, label_counts_B, blank = lattice
    (frames, batch, _), width, device = logp_FBV.shape, labels_BL.shape[1] + 1, logp_FBV.device
    behind_BL = torch.arange(width - 1) >= label_counts_B[:, None]
    symbols_BL = pad(labels_BL.masked_fill(behind_BL, blank), (1, 0), value=blank).to(device)
    logp_BFL = _gathered(logp_FBV, symbols_BL)
    v_BFL = logp_BFL if v_FBV is None else _gathered(v_FBV, symbols_BL)
    reached = torch.empty(2, batch, frames, 2, width, dtype=torch.float64, device=device)
    changes = reached if v_FBV is None else torch.empty_like(reached)
    value = torch.inf if v_FBV is None and impossible != 0.0 else impossible
    values_B = torch.where(label_counts_B == 0, 0.0, value).to(logp_BFL)  # stays so for a clip without frames
    shares_BFL = torch.zeros_like(logp_BFL)
    if batch and frames:
        settings = _settings(width, v_FBV is not None)
        counts, sizes = (frame_counts_B.to(device), label_counts_B.to(device)), (frames, width, batch)
        with torch.cuda.device(logp_BFL.get_device()):  # Triton launches on the current device
            _sweep[batch, 2](logp_BFL, v_BFL, symbols_BL, *counts, reached, changes, *sizes, **settings)
            out = (impossible, value, values_B, shares_BFL)
            _join[(batch * frames,)](logp_BFL, v_BFL, *counts, reached, changes, *out, *sizes, **settings)
    return values_B.to(logp_FBV.dtype), shares_BFL.to(logp_FBV.dtype)


def _settings(width: int, change: bool) -> dict[str, Any]:
    block = triton.next_power_of_2(width)
    warps = min(max(block // PAIRS_OF_A_WARP, 1), MOST_WARPS)
    # Triton 3.9 wants it said whether a * b + c may be rounded once.
    return {"BLOCK": block, "CHANGE": change, "num_warps": warps, "num_stages": 1, "enable_fp_fusion": True}


def _gathered(x_FBV: Tensor, symbols_BL: Tensor) -> Tensor:
    """Blank and labels of each frame, `[B, F, 1 + L]`, in float32 or float64."""
    x_FBL = x_FBV.detach().gather(2, symbols_BL.expand(len(x_FBV), -1, -1))
    return x_FBL.transpose(0, 1).to(torch.promote_types(x_FBV.dtype, torch.float32)).contiguous()
