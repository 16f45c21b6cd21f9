"""Reptile (Nichol et al. 2018, algorithms 1 and 2): the start goes towards where adaptation ends."""

from typing import Any

import torch
from torch import Tensor

from earful.adapt.inner import Inner, Moves, everything
from earful.metatrain.learner import START, Episode, Learner, Loss, Meta, learner_of, walk
from earful.trees import part, plus, under


def reptile(loss: Loss, *, rate: float, steps: int = 5, moves: Moves = everything, **inner: Any) -> Learner:
    """`gradient` is start − end, so an outer step of plain descent at rate ε is the paper's `φ ← φ + ε (φ~ − φ)`.

    One task an outer step is the serial form, several the batched one. Reptile tells no query from support: its steps
    take them in turn, and so see the data that other learners see. The loss it answers is the query's, at the end.
    With `optimiser="adam"` the inner loop is Adam's, as in the paper; rates and momentum that are learned get the
    first-order derivative of the query loss (Baydin et al. 2018), for Reptile gives them none.
    """
    settings = Inner(rate, steps, **inner)

    def end_of(meta: Meta, episode: Episode) -> dict[str, Tensor]:
        batches = [episode[step % 2] for step in range(settings.steps)]
        *_, end = walk(loss, settings, meta, batches, moves=moves, order=1)
        return end

    def gradient(meta: Meta, episode: Episode) -> tuple[dict[str, Tensor], Tensor]:
        start = part(meta, START)
        learned = {name: value for name, value in meta.items() if not name.startswith(START)}

        def query_loss(learned: Meta) -> tuple[Tensor, dict[str, Tensor]]:
            end = end_of({**under(start, START), **learned}, episode)
            return loss(end, episode[1]), end

        of_rule, (value, end) = torch.func.grad_and_value(query_loss, has_aux=True)(learned)
        away = under(plus(start, end, -1.0), START)
        return {name: away[name] if name in away else of_rule[name] for name in meta}, value

    return learner_of(loss, settings, gradient, moves)
