"""MAML++ (Antoniou et al. 2019), which makes MAML stable."""

from typing import Any

import torch
from torch import Tensor

from earful.adapt.inner import Inner, Moves, everything
from earful.metatrain.learner import Episode, Learner, Loss, Meta, gradient_of, learner_of, walk
from earful.trees import sum_of


def maml_plus_plus(
    loss: Loss,
    *,
    rate: float,
    steps: int = 5,
    progress: float = 1.0,
    first_order_until: float = 0.3,
    every_step_until: float = 0.3,
    moves: Moves = everything,
    **inner: Any,
) -> Learner:
    """MAML with a learned rate per layer and step, the query loss of every step, and second order later on.

    `progress` is the completed share of meta-training. Up to `first_order_until` gradients are of first order
    (derivative-order annealing). The weights of the steps' losses (multi-step loss) go from equal at 0 to the last step
    alone at `every_step_until`. The loop makes a new learner as it proceeds; the meta-parameters stay the same.
    """
    settings = Inner(rate, steps, **{"learned": "layer", "per_step": True, **inner})
    order = 1 if progress < first_order_until else 2
    weights = step_weights(steps, progress / every_step_until if every_step_until > 0 else 1.0)

    def objective(meta: Meta, episode: Episode) -> Tensor:
        support, query = episode
        ends = walk(loss, settings, meta, [support] * steps, moves=moves, order=order)
        return sum_of(weight * loss(end, query) for weight, end in zip(weights, ends, strict=True) if weight > 0)

    return learner_of(loss, settings, gradient_of(objective), moves)


def step_weights(steps: int, done: float) -> list[float]:
    """Weights of the steps' query losses, of sum 1: equal where `done` is 0, the last step alone from 1 on."""
    equal = torch.full((steps,), 1 / steps, dtype=torch.float64)
    last = torch.zeros(steps, dtype=torch.float64)
    last[-1] = 1.0
    found: list[float] = equal.lerp(last, min(1.0, max(0.0, done))).tolist()
    return found
