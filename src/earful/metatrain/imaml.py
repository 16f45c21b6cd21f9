"""Implicit MAML (Rajeswaran et al. 2019): the meta-gradient of the end of adaptation, not of its steps."""

from typing import Any

import torch
from torch import Tensor

from earful.adapt.inner import Inner, Moves, everything
from earful.errors import ConfigError
from earful.metatrain.learner import START, Episode, Learner, Loss, Meta, learner_of, walk
from earful.trees import dot, part, plus, scale, split, under


def imaml(
    loss: Loss,
    *,
    rate: float,
    steps: int = 10,
    pull: float = 1.0,
    iterations: int = 5,
    moves: Moves = everything,
    **inner: Any,
) -> Learner:
    """The inner loop minimises the support loss plus `pull`/2 times the squared distance from the start (eq. 3).

    At its end the meta-gradient is (I + H / pull)⁻¹ g, with H the Hessian of the support loss and g the query gradient
    (lemma 1), solved by `iterations` of conjugate gradients (algorithm 2). Memory does not grow with `steps`. The
    gradient of parameters that the inner loop does not move is g itself. Rates cannot be learned, because the end does
    not depend on them. The loop cannot be Adam's: its decoupled pull has another fixed point than this objective.

    H v is the derivative of the gradient, computed backwards. Its graph is built once for all iterations, and needs no
    forward-mode rule, which oneDNN's LSTM lacks.
    """
    if not (pull > 0 and iterations > 0):
        raise ConfigError(f"pull and iterations must be above 0, got {pull} and {iterations}")
    if inner.get("optimiser", "sgd") != "sgd":
        raise ConfigError('an implicit gradient needs plain descent: leave out optimiser, or take "sgd"')
    settings = Inner(rate, steps, **{"decay": pull, **inner})
    if settings.learned or settings.learn_momentum or settings.decay != pull:
        raise ConfigError("an implicit gradient cannot learn rates: leave out learned, learn_momentum and decay")
    if settings.clip_norm is not None:
        raise ConfigError("clipped steps may end where the implicit gradient is wrong: leave out clip_norm")

    def gradient(meta: Meta, episode: Episode) -> tuple[dict[str, Tensor], Tensor]:
        support, query = episode
        still = {name: value.detach() for name, value in meta.items()}
        *_, end = walk(loss, settings, still, [support] * settings.steps, moves=moves, order=1)
        moving, rest = split(end, moves)
        of_query, value = torch.func.grad_and_value(loss)(end, query)
        of_support = torch.func.grad(lambda at: loss({**rest, **at}, support))
        curved = torch.func.vjp(of_support, moving)[1]

        def product(v: dict[str, Tensor]) -> dict[str, Tensor]:
            return plus(v, curved(v)[0], 1 / pull)

        solved = conjugate_gradients(product, {name: of_query[name] for name in moving}, iterations)
        return under({name: solved.get(name, of_query[name]) for name in part(meta, START)}, START), value

    return learner_of(loss, settings, gradient, moves)


def conjugate_gradients(product: Any, right: dict[str, Tensor], iterations: int) -> dict[str, Tensor]:
    """x with `product(x) = right`, for a linear and positive definite `product` (Hestenes and Stiefel 1952).

    It stops before a direction of negative curvature (Dembo and Steihaug 1983), which occurs if the pull is weaker than
    the curvature of the loss. If the first direction is such, x is `right` itself: the first-order gradient.
    """
    x = scale(right, 0.0)
    residual, direction = right, right
    square = dot(residual, residual)
    going = torch.ones_like(square, dtype=torch.bool)
    for iteration in range(iterations):
        image = product(direction)
        curvature = dot(direction, image)
        going = going & (curvature > 0)
        if iteration == 0:
            x = {name: torch.where(going, value, right[name]) for name, value in x.items()}
        size = torch.where(going, square / torch.where(going, curvature, 1.0), 0.0)
        x, residual = plus(x, scale(direction, size)), plus(residual, scale(image, size), -1.0)
        square, last = dot(residual, residual), square
        direction = plus(residual, scale(direction, square / last.clamp(min=1e-30)))
    return x
