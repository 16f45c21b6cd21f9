"""Baselines for meta-learners: training on all tasks at once with fine-tuning, and training from scratch."""

from typing import Any

from torch import Tensor

from earful.adapt.inner import Inner, Moves, everything
from earful.metatrain.learner import START, Episode, Learner, Loss, Meta, gradient_of, learner_of, only
from earful.trees import part


def multitask(loss: Loss, *, rate: float, steps: int = 1, moves: Moves = everything, **inner: Any) -> Learner:
    """The gradient of the mean loss of support and query before any adaptation; adaptation is fine-tuning."""
    settings = Inner(rate, steps, **inner)

    def objective(meta: Meta, episode: Episode) -> Tensor:
        start = part(meta, START)
        return (loss(start, episode[0]) + loss(start, episode[1])) / 2

    return learner_of(loss, settings, gradient_of(objective), moves)


def scratch(loss: Loss, *, rate: float, steps: int = 1, moves: Moves = everything, **inner: Any) -> Learner:
    """Learns nothing from tasks: the gradient is zero. Adaptation is training from the initial parameters."""
    learner = multitask(loss, rate=rate, steps=steps, moves=moves, **inner)

    def gradient(meta: Meta, episode: Episode) -> tuple[dict[str, Tensor], Tensor]:
        found, value = learner.gradient(meta, episode)
        return only(found, lambda name: False), value

    return learner._replace(gradient=gradient)
