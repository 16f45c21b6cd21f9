"""Reptile (Nichol et al. 2018, algorithms 1 and 2): the start moves towards the end of adaptation."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from earful.adapt.inner import Inner, Moves, everything
from earful.metatrain.learner import START, Episode, Learner, Loss, Meta, learner_of, walk
from earful.trees import part, plus, under


def reptile(loss: Loss, *, rate: float, steps: int = 5, moves: Moves = everything, **inner: Any) -> Learner:
    """`gradient` is start − end, so an outer step of plain descent at rate ε is the paper's `φ ← φ + ε (φ~ − φ)`.

    One task per outer step is the serial form, several the batched one. As in the paper, the walk trains on all data of
    a task: on the support in its first half (the longer one), on the query in the second. The returned loss is that of
    the query between the two halves, before the walk uses it. With `optimiser="adam"` the walk is Adam's.

    Learned rates and momentum get the first-order derivative of the query loss (Baydin et al. 2018), because start −
    end does not depend on them. It comes from a second walk, with all its steps on the support, as in adaptation. That
    costs as much as the first walk, and its end gives the loss.
    """
    settings = Inner(rate, steps, **inner)

    def ends_of(meta: Meta, batches: Sequence[Any]) -> list[dict[str, Tensor]]:
        return list(walk(loss, settings, meta, batches, moves=moves, order=1))

    def gradient(meta: Meta, episode: Episode) -> tuple[dict[str, Tensor], Tensor]:
        support, query = episode
        still, half = {name: value.detach() for name, value in meta.items()}, (steps + 1) // 2
        start, learned = part(still, START), {n: value for n, value in still.items() if not n.startswith(START)}

        def query_loss(learned: Meta) -> Tensor:
            return loss(ends_of({**under(start, START), **learned}, [support] * steps)[-1], query)

        ends = ends_of(still, [support] * half + [query] * (steps - half))
        value = loss(ends[half - 1], query)
        found = under(plus(start, ends[-1], -1.0), START)
        if learned:
            of_learned, value = torch.func.grad_and_value(query_loss)(learned)
            found |= of_learned
        return {name: found[name] for name in meta}, value

    return learner_of(loss, settings, gradient, moves)
