"""The recursions of CTC for CUDA, by Triton: logarithms, a program for each clip and direction, a lane for each pair.

The pairs are those of `kernel_cpu`: label i and the blank after it (pair 0 has only its blank). A first kernel runs
through the frames, forwards and, on the lattice turned round, backwards, and writes down what reaches each state before
its own frame is counted: memory of frames times labels. A second kernel joins the two, all frames at once.

Rows are float64 and only added and compared; exponentials and logarithms, which are what costs, are taken of differences
in the dtype of the input. So float32 loses nothing where a model is confident and wrong, however long the clip.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from earful.ctc import kernel_torch
from earful.ctc.lattice import Lattice, check

LEAST = tl.constexpr(-1e30)  # stands for minus infinity: differences of infinities are not numbers
LANES_OF_A_WARP = 64
"""Two pairs a thread: a lattice of up to 63 labels is one warp, which never waits for another."""

# Sizes are not compiled in: every batch has others.
_compiled = triton.jit(do_not_specialize=["frames", "width", "batch"])


@triton.jit
def _finite(logp):  # type: ignore[no-untyped-def]
    x = logp.to(tl.float64)
    return tl.where(x < LEAST, LEAST, x)  # not `maximum`, which would hide what is not a number


@triton.jit
def _log_sum(a, b, c, DTYPE: tl.constexpr):  # type: ignore[no-untyped-def]
    """The logarithm of the sum of the exponentials, and the weights of b and c in it."""
    greatest = tl.maximum(a, tl.maximum(b, c))
    of_b, of_c = tl.exp((b - greatest).to(DTYPE)), tl.exp((c - greatest).to(DTYPE))
    total = tl.exp((a - greatest).to(DTYPE)) + of_b + of_c
    return greatest + tl.log(total).to(tl.float64), of_b / total, of_c / total


@_compiled
def _sweep(
    logp_BFL, v_BFL, symbols_BL, frame_counts_B, label_counts_B, reached, changes, frames, width, batch,
    BLOCK: tl.constexpr, CHANGE: tl.constexpr,
):  # type: ignore[no-untyped-def]  # fmt: skip
    """Fills in `reached[turned, b, t, 0 | 1, i]`, of the blank and the label of pair i (Graves et al. 2006, eq. 6, 10).

    With CHANGE, their `changes` along `v_BFL` too: that of a sum of paths is the mean of theirs, weighted by the paths.
    """
    b, turned = tl.program_id(0).to(tl.int64), tl.program_id(1) == 1
    count, last = tl.load(label_counts_B + b).to(tl.int32), tl.load(frame_counts_B + b).to(tl.int32)
    i = tl.arange(0, BLOCK)
    lane_before = tl.maximum(i - 1, 0)
    inside, said = i <= count, (i > 0) & (i <= count)
    # Lane i as a pair of the lattice that is not turned: its blank, its label, the label that comes before.
    blank_of, label_of = tl.where(turned, count - i, i), tl.where(turned, count + 1 - i, i)
    label_before_of = tl.where(turned, label_of + 1, label_of - 1)
    symbols = symbols_BL + b * width
    symbol = tl.load(symbols + label_of, mask=said, other=0)
    # A blank between two labels may be left out, unless they are the same.
    skips = said & (i > 1) & (symbol != tl.load(symbols + label_before_of, mask=said & (i > 1), other=0))
    nothing = tl.full((BLOCK,), LEAST, tl.float64)
    blank, label = tl.where(i == 0, 0.0, nothing), tl.where(said & (i == 1), 0.0, nothing)
    blank_change, label_change = tl.zeros((BLOCK,), tl.float64), tl.zeros((BLOCK,), tl.float64)
    for step in range(last):
        frame = b * frames + tl.where(turned, last - 1 - step, step)
        row = (turned.to(tl.int64) * batch * frames + frame) * 2 * width
        tl.store(reached + row + blank_of, blank, mask=inside)
        tl.store(reached + row + width + label_of, label, mask=said)
        x = blank + _finite(tl.load(logp_BFL + frame * width))
        y = tl.where(said, label + _finite(tl.load(logp_BFL + frame * width + label_of, mask=said, other=0.0)), LEAST)
        x_before = tl.where(i > 0, tl.gather(x, lane_before, 0), LEAST)
        y_before = tl.where(skips, tl.gather(y, lane_before, 0), LEAST)
        blank, blank_by_y, _ = _log_sum(x, y, nothing, logp_BFL.dtype.element_ty)
        label, label_by_x, label_by_y = _log_sum(y, x_before, y_before, logp_BFL.dtype.element_ty)
        if CHANGE:
            tl.store(changes + row + blank_of, blank_change, mask=inside)
            tl.store(changes + row + width + label_of, label_change, mask=said)
            x = blank_change + tl.load(v_BFL + frame * width).to(tl.float64)
            y = label_change + tl.load(v_BFL + frame * width + label_of, mask=said, other=0.0).to(tl.float64)
            # Means as steps from one of their values: the steps are small, whatever has been added up.
            blank_change = x + blank_by_y * (y - x)
            label_change = (
                y + label_by_x * (tl.gather(x, lane_before, 0) - y) + label_by_y * (tl.gather(y, lane_before, 0) - y)
            )


@_compiled
def _join(
    logp_BFL, v_BFL, frame_counts_B, label_counts_B, reached, changes, impossible, impossible_value, values_B, shares_BFL,
    frames, width, batch, BLOCK: tl.constexpr, CHANGE: tl.constexpr,
):  # type: ignore[no-untyped-def]  # fmt: skip
    """The shares of one frame, or their change: forward times emission times backward (eq. 14); frame 0 has the value."""
    frame = tl.program_id(0).to(tl.int64)
    b, t = frame // frames, frame % frames
    if t < tl.load(frame_counts_B + b):
        count = tl.load(label_counts_B + b).to(tl.int32)
        i = tl.arange(0, BLOCK)
        inside, said = i <= count, (i > 0) & (i <= count)
        row, other = frame * 2 * width + i, (batch * frames + frame) * 2 * width + i
        here, here_label = logp_BFL + frame * width, logp_BFL + frame * width + i
        x = _finite(tl.load(here)) + _both(reached, row, other, inside)
        y = _finite(tl.load(here_label, mask=said, other=0.0)) + _both(reached, row + width, other + width, said)
        x, y = tl.where(inside, x, LEAST), tl.where(said, y, LEAST)
        greatest = tl.maximum(tl.max(x, 0), tl.max(y, 0))
        x, y = tl.exp((x - greatest).to(shares_BFL.dtype.element_ty)), tl.exp((y - greatest).to(shares_BFL.dtype.element_ty))
        whole = tl.sum(x, 0) + tl.sum(y, 0)
        total = greatest + tl.log(whole).to(tl.float64)
        x, y = x / whole, y / whole
        value = -total
        if CHANGE:
            x_change = tl.load(v_BFL + frame * width).to(tl.float64) + _both(changes, row, other, inside)
            y_change = tl.load(v_BFL + frame * width + i, mask=said, other=0.0).to(tl.float64)
            y_change += _both(changes, row + width, other + width, said)
            mean = tl.sum(x * x_change, 0) + tl.sum(y * y_change, 0)
            x, y = x * (x_change - mean), y * (y_change - mean)
            value = -mean
        dead = total < LEAST / 2
        out = shares_BFL + frame * width
        tl.store(out + i, tl.where(dead, impossible, y), mask=said)
        tl.store(out, tl.where(dead, impossible, tl.sum(x, 0)))
        if t == 0:
            tl.store(values_B + b, tl.where(dead, impossible_value, value))


@triton.jit
def _both(x, row, other, mask):  # type: ignore[no-untyped-def]
    """Forwards and backwards, added."""
    return tl.load(x + row, mask=mask, other=0.0) + tl.load(x + other, mask=mask, other=0.0)


def shares(
    logp_FBV: Tensor, lattice: Lattice, impossible: float, v_FBV: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """See `earful.ctc.kernel_torch.shares`, which this equals: computed in float64 for float64, else as said above."""
    check(logp_FBV, lattice)
    inside = _inside(lattice)
    device, (frames, batch, _), width = logp_FBV.device, logp_FBV.shape, inside.labels_BL.shape[1] + 1
    symbols_BL = torch.nn.functional.pad(inside.labels_BL, (1, 0), value=lattice.blank).to(device)
    counts = (inside.frame_counts_B.to(device), inside.label_counts_B.to(device))
    logp_BFL = _gathered(logp_FBV, symbols_BL)
    v_BFL = logp_BFL if v_FBV is None else _gathered(v_FBV, symbols_BL)
    reached = torch.empty(2, batch, frames, 2, width, dtype=torch.float64, device=device)
    changes = reached if v_FBV is None else torch.empty_like(reached)
    value = torch.inf if v_FBV is None and impossible != 0.0 else impossible
    values_B = torch.where(inside.label_counts_B == 0, 0.0, value).to(logp_BFL)  # as for a clip of no frames
    shares_BFL = torch.zeros_like(logp_BFL)
    block = triton.next_power_of_2(width)
    settings = {
        "BLOCK": block, "CHANGE": v_FBV is not None, "num_warps": min(max(block // LANES_OF_A_WARP, 1), 8), "num_stages": 1
    }  # fmt: skip
    if batch and frames:
        sizes = (frames, width, batch)
        with torch.cuda.device_of(logp_BFL):
            _sweep[(batch, 2)](logp_BFL, v_BFL, symbols_BL, *counts, reached, changes, *sizes, **settings)
            _join[(batch * frames,)](
                logp_BFL, v_BFL, *counts, reached, changes, impossible, value, values_B, shares_BFL, *sizes, **settings
            )
    return values_B.to(logp_FBV.dtype), shares_BFL.to(logp_FBV.dtype)


def spread(shares_BFL: Tensor, lattice: Lattice, weights_B: Tensor, like_FBV: Tensor) -> Tensor:
    """See `earful.ctc.kernel_torch.spread`."""
    return kernel_torch.spread(shares_BFL, _inside(lattice), weights_B, like_FBV)


def _inside(lattice: Lattice) -> Lattice:
    """Blanks for what is behind each clip's labels: an id out of range ends a CUDA program."""
    behind_BL = torch.arange(lattice.labels_BL.shape[1]) >= lattice.label_counts_B[:, None]
    return lattice._replace(labels_BL=lattice.labels_BL.masked_fill(behind_BL, lattice.blank))


def _gathered(x_FBV: Tensor, symbols_BL: Tensor) -> Tensor:
    """Blank and labels of each frame, `[B, F, 1 + L]`, in float32 or float64."""
    x_FBL = x_FBV.detach().gather(2, symbols_BL.expand(len(x_FBV), -1, -1))
    return x_FBL.transpose(0, 1).to(torch.promote_types(x_FBV.dtype, torch.float32)).contiguous()
