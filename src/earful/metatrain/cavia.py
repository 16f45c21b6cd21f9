"""CAVIA (Zintgraf et al. 2019, algorithm 1): a task is a few context parameters; all others are shared."""

from typing import Any

import torch
from torch import Tensor

from earful.adapt.inner import Moves
from earful.metatrain.learner import START, Learner, Loss, Meta, only
from earful.metatrain.maml import maml


def cavia(loss: Loss, *, rate: float, context: Moves, steps: int = 1, **settings: Any) -> Learner:
    """The inner loop moves only the parameters that `context` names, from zero; the outer loop moves only the others.

    One factor of a low-rank adapter can be such a context: at zero it changes nothing.
    """
    inner = maml(loss, rate=rate, steps=steps, moves=context, **settings)

    def init(params: Any) -> dict[str, Tensor]:
        return inner.init({n: torch.zeros_like(value) if context(n) else value for n, value in params.items()})

    def gradient(meta: Meta, episode: Any) -> tuple[dict[str, Tensor], Tensor]:
        found, value = inner.gradient(meta, episode)
        return only(found, lambda name: not (name.startswith(START) and context(name.removeprefix(START)))), value

    return inner._replace(init=init, gradient=gradient)
