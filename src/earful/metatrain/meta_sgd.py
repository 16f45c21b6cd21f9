"""Meta-SGD (Li et al. 2017, algorithm 1): the start and a rate for every single parameter are learned together."""

from typing import Any

from earful.metatrain.learner import Learner, Loss
from earful.metatrain.maml import maml


def meta_sgd(loss: Loss, *, rate: float, steps: int = 1, **settings: Any) -> Learner:
    """MAML with a learned inner rate per parameter, of either sign; one step as published, more if asked for.

    All rates begin at `rate` (the paper draws them from a small interval).
    """
    return maml(loss, rate=rate, steps=steps, **{"learned": "parameter", **settings})
