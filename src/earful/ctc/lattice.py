"""The input of the recursions of CTC: the labels of each clip, and its number of frames."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor


class Lattice(NamedTuple):
    """Labels `[B, L]`, padded; the number of frames and of labels of each clip, `[B]`; all int64 on the CPU."""

    labels_BL: Tensor
    frame_counts_B: Tensor
    label_counts_B: Tensor
    blank: int


def check(logp_FBV: Tensor, lattice: Lattice) -> None:
    """ValueError naming the first item whose length or label id is out of range."""
    frames, batch, symbols = logp_FBV.shape
    labels_BL, frame_counts_B, label_counts_B, blank = lattice
    most = labels_BL.shape[-1]
    if {len(labels_BL), len(frame_counts_B), len(label_counts_B)} != {batch}:
        raise ValueError(f"expected labels [{batch}, L] and {batch} lengths, got labels {list(labels_BL.shape)}")
    if not 0 <= blank < symbols:
        raise ValueError(f"the blank must be an id below {symbols}, got {blank}")
    inside_BL = label_counts_B.new_ones(batch, most).cumsum(1) <= label_counts_B[:, None]
    wrong_BL = ((labels_BL < 0) | (labels_BL >= symbols) | (labels_BL == blank)) & inside_BL
    for name, bad_B in (
        (f"input length outside 0…{frames}", (frame_counts_B < 0) | (frame_counts_B > frames)),
        (f"target length outside 0…{most}", (label_counts_B < 0) | (label_counts_B > most)),
        (f"label id outside 0…{symbols - 1}, or the blank ({blank})", wrong_BL.any(1)),
    ):
        if bad_B.any():
            raise ValueError(f"item {int(bad_B.nonzero()[0])} of the batch: {name}")


def frames_needed(labels: Sequence[object]) -> int:
    """The least number of frames for `labels`: one each, and a blank between two equal neighbours."""
    return len(labels) + sum(a == b for a, b in pairwise(labels))
