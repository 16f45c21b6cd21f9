"""What the recursions of CTC run over: the labels of each clip, and how many frames may carry them."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from torch import Tensor


class Lattice(NamedTuple):
    """Labels `[B, L]`, padded; the number of frames and of labels of each clip, `[B]`; all int64 on the CPU."""

    labels_BL: Tensor
    frame_counts_B: Tensor
    label_counts_B: Tensor
    blank: int


def frames_needed(labels: Sequence[object]) -> int:
    """The least number of frames that can carry `labels`: one each, and a blank between two equal neighbours."""
    return len(labels) + sum(a == b for a, b in pairwise(labels))
