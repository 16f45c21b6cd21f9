"""The CTC loss (Graves et al. 2006): minus the logarithm of the summed probability of every path to the labels."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn import functional


def ctc_loss(
    logp_FBV: Tensor,
    labels_BL: Tensor,
    frame_counts_B: Tensor,
    label_counts_B: Tensor,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Tensor:
    """CTC loss, with the arguments of `torch.nn.functional.ctc_loss`.

    Differentiable once: torch's kernel has no second derivative (pytorch issue 70108).

    Shapes: `logp_FBV` log-probabilities, `labels_BL` padded label ids, both counts `[B]`. `reduction` is "none"
    (answer `[B]`), "sum", or "mean" (each item divided by its number of labels, then the mean over the batch).
    `zero_infinity` gives 0, with a zero gradient, where an item has more labels than its frames can carry.

    Raises:
        ValueError: naming the item whose count or label id is out of range.
    """
    _check(logp_FBV, labels_BL, frame_counts_B, label_counts_B, blank)
    return functional.ctc_loss(
        logp_FBV.float(),
        labels_BL,
        frame_counts_B,
        label_counts_B,
        blank=blank,
        reduction=reduction,
        zero_infinity=zero_infinity,
    )


def frames_needed(labels: Sequence[object]) -> int:
    """The least number of frames that can carry `labels`: one each, and a blank between two equal neighbours."""
    return len(labels) + sum(a == b for a, b in pairwise(labels))


def _check(logp_FBV: Tensor, labels_BL: Tensor, frame_counts_B: Tensor, label_counts_B: Tensor, blank: int) -> None:
    frames, batch, symbols = logp_FBV.shape
    if labels_BL.ndim != 2 or len(labels_BL) != batch or len(frame_counts_B) != batch or len(label_counts_B) != batch:
        raise ValueError(f"expected labels [{batch}, L] and {batch} counts, got labels {tuple(labels_BL.shape)}")
    if not 0 <= blank < symbols:
        raise ValueError(f"the blank must be an id below {symbols}, got {blank}")
    inside = torch.arange(labels_BL.shape[1], device=labels_BL.device) < label_counts_B[:, None]
    wrong = ((labels_BL < 0) | (labels_BL >= symbols) | (labels_BL == blank)) & inside
    for name, bad in (
        (f"frame count outside 0…{frames}", (frame_counts_B < 0) | (frame_counts_B > frames)),
        (f"label count outside 0…{labels_BL.shape[1]}", (label_counts_B < 0) | (label_counts_B > labels_BL.shape[1])),
        (f"label id outside 0…{symbols - 1}, or the blank ({blank})", wrong.any(1)),
    ):
        if bool(bad.any()):
            raise ValueError(f"item {int(bad.nonzero()[0])} of the batch: {name}")
