"""Discrimination of the right answer from drawn ones, the common part of the contrastive objectives."""

from typing import NamedTuple

import torch
from torch import Tensor


class Contrast(NamedTuple):
    """The result of a discrimination: a loss in nats, and facts (none if there was nothing to compare)."""

    loss: Tensor
    facts: dict[str, float]


def others(own_N: Tensor, sizes_N: Tensor, number: int, generator: torch.Generator) -> Tensor:
    """For each place `own_N` in a row of `sizes_N` (at least 2) places, `number` other places of that row.

    Uniform over the others, with replacement, so that a short row can give as many as a long one. [N, number].

    >>> others(torch.tensor([0, 1]), torch.tensor([2, 2]), 3, torch.Generator().manual_seed(0))
    tensor([[1, 1, 1],
            [0, 0, 0]])
    """
    chance_NK = torch.rand(len(own_N), number, generator=generator, device=generator.device).to(own_N.device)
    drawn_NK = pick(chance_NK, (sizes_N - 2)[:, None])
    return drawn_NK + (drawn_NK >= own_N[:, None])  # steps over its own place, and stays uniform


def pick(chance: Tensor, largest: Tensor) -> Tensor:
    """Turn chances in [0, 1) into whole numbers from 0 to `largest`, equally likely."""
    return torch.minimum((chance * (largest + 1)).long(), largest)  # rounding may reach largest + 1


def info_nce(scores_NC: Tensor, same_NC: Tensor | None = None) -> Contrast:
    """Mean of −log softmax at the right answer, column 0 (van den Oord et al. 2018, eq. 4), and the accuracy.

    Where `same_NC` is true, the candidate equals the right answer, and is left out of the softmax. A row without other
    candidates costs nothing, and does not count in the accuracy. No rows: a loss of zero that has a gradient.
    """
    scores_NC = scores_NC.float()
    if same_NC is not None:
        scores_NC = scores_NC.masked_fill(same_NC, -torch.inf)
    right_N1, wrong_NK = scores_NC[:, :1], scores_NC[:, 1:]
    loss = (scores_NC.logsumexp(1) - scores_NC[:, 0]).sum() / max(1, len(scores_NC))
    told_N = (wrong_NK < right_N1).all(1) & (wrong_NK > -torch.inf).any(1)
    return Contrast(loss, {"accuracy": float(told_N.float().mean())} if len(told_N) else {})
