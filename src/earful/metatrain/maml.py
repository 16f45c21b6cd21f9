"""Model-agnostic meta-learning (Finn et al. 2017, algorithm 1), and variants that move or differentiate less.

The support set is one batch, used at every inner step. The query loss after the last step is minimised.
"""

from typing import Any

from torch import Tensor

from earful.adapt.inner import Inner, Moves, everything
from earful.metatrain.learner import Episode, Learner, Loss, Meta, gradient_of, learner_of, walk


def maml(
    loss: Loss, *, rate: float, steps: int = 1, order: int = 2, moves: Moves = everything, **inner: Any
) -> Learner:
    """MAML, exact to second order: the query gradient goes through every inner step.

    With `order` 1 the inner gradients are constants. `moves` names the parameters that the inner loop moves; the outer
    loop moves all. Further settings are those of `Inner` (learned rates and momentum, clipping, a pull to the start).
    """
    settings = Inner(rate, steps, **inner)

    def objective(meta: Meta, episode: Episode) -> Tensor:
        support, query = episode
        *_, end = walk(loss, settings, meta, [support] * settings.steps, moves=moves, order=order)
        return loss(end, query)

    return learner_of(loss, settings, gradient_of(objective), moves)


def fomaml(loss: Loss, *, rate: float, steps: int = 1, **settings: Any) -> Learner:
    """First-order MAML (Finn et al. 2017, section 5.2): the query gradient at the end, as if at the start."""
    return maml(loss, rate=rate, steps=steps, order=1, **settings)


def anil(loss: Loss, *, rate: float, head: Moves, steps: int = 1, **settings: Any) -> Learner:
    """Almost no inner loop (Raghu et al. 2020): only the `head` moves in adaptation."""
    return maml(loss, rate=rate, steps=steps, moves=head, **settings)


def boil(loss: Loss, *, rate: float, head: Moves, steps: int = 1, **settings: Any) -> Learner:
    """Body only in the inner loop (Oh et al. 2021): all but the `head` move in adaptation."""
    return maml(loss, rate=rate, steps=steps, moves=lambda name: not head(name), **settings)
