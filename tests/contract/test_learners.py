"""Every learner, and every quantity that it learns: against closed forms, and against loops that are unrolled by hand.

Support and query differ everywhere, so that who takes one for the other is found out.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from earful.metatrain import LEARNERS, Learner, cavia, imaml, maml, maml_plus_plus
from earful.metatrain.maml_plus_plus import step_weights

RATE, STEPS = 0.05, 3
RATES = ("scalar", "layer", "parameter")
Tree = dict[str, Tensor]


def loss(params: Mapping[str, Tensor], batch: Any) -> Tensor:
    """A two-layer network on (x, y): neither convex nor linear in its parameters."""
    x, y = batch
    hidden = torch.tanh(x @ params["body.weight"] + params["body.bias"])
    found: Tensor = ((hidden @ params["head.weight"] - y) ** 2).mean()
    return found


def params() -> Tree:
    generator = torch.Generator().manual_seed(0)
    shapes = {"body.weight": (2, 4), "body.bias": (4,), "head.weight": (4, 1)}
    return {n: torch.randn(shape, generator=generator, dtype=torch.float64) for n, shape in shapes.items()}


def episode(seed: int) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(seed)
    x, y = (torch.randn(2, 5, n, generator=generator, dtype=torch.float64) for n in (2, 1))
    return (x[0], y[0]), (x[1], y[1])


SUPPORT, QUERY = episode(1)


def is_head(name: str) -> bool:
    return name.startswith("head.")


def is_bias(name: str) -> bool:
    return name == "body.bias"


def everything(name: str) -> bool:
    return True


def rate_of(meta: Tree, name: str, step: int, per_step: bool) -> Tensor | float:
    """The rate that the meta-parameters have for a parameter at a step; RATE where none is learned."""
    for key in ("rate.all", f"rate.{name.rpartition('.')[0]}", f"rate.{name}"):
        if key in meta:
            return meta[key][min(step, len(meta[key]) - 1)] if per_step else meta[key]
    return RATE


def unrolled(
    meta: Tree,
    batches: Sequence[Any],
    order: int,
    per_step: bool = False,
    moves: Callable[[str], bool] = everything,
    decay: float = 0.0,
) -> list[Tree]:
    """The parameters after each step: momentum, rates and pull written out, with torch.autograd alone."""
    start = {name.removeprefix("start."): value for name, value in meta.items() if name.startswith("start.")}
    now, velocity, found = dict(start), {name: torch.zeros_like(value) for name, value in start.items()}, []
    for step, batch in enumerate(batches):
        here = now if order == 2 else {name: value.detach().requires_grad_() for name, value in now.items()}
        grads = torch.autograd.grad(loss(here, batch), list(here.values()), create_graph=order == 2)
        after = dict(now)
        for (name, value), grad in zip(now.items(), grads, strict=True):
            if moves(name):
                velocity[name] = meta.get("momentum", 0.0) * velocity[name] + grad + decay * (value - start[name])
                after[name] = value - rate_of(meta, name, step, per_step) * velocity[name]
        now = after
        found.append(now)
    return found


def derivative(value: Tensor, meta: Tree) -> Tree:
    grads = torch.autograd.grad(value, list(meta.values()), allow_unused=True, retain_graph=True)
    return {
        name: torch.zeros_like(leaf) if grad is None else grad
        for (name, leaf), grad in zip(meta.items(), grads, strict=True)
    }


def leaves(learner: Learner) -> Tree:
    """The meta-parameters; learned numbers a little apart, lest those of one layer or step pass for another's."""
    generator = torch.Generator().manual_seed(7)
    apart = {
        name: value if name.startswith("start.") else value * (1 + 0.3 * torch.rand(value.shape, generator=generator))
        for name, value in learner.init(params()).items()
    }
    return {name: value.detach().clone().requires_grad_() for name, value in apart.items()}


def plain(meta: Tree) -> Tree:
    return {name: value.detach() for name, value in meta.items()}


def assert_same(found: Tree, expected: Tree) -> None:
    assert found.keys() == expected.keys()
    for name, each in expected.items():
        torch.testing.assert_close(found[name], each, msg=lambda said, name=name: f"{name}: {said}")


# ------------------------------------------------------------------------------------- every learned number, unrolled

LEARNED = [(kind, per_step) for kind in RATES for per_step in (False, True)]
OF_MAML: dict[str, tuple[int, Callable[[str], bool], dict[str, Any]]] = {
    "maml": (2, everything, {}),
    "fomaml": (1, everything, {}),
    "meta-sgd": (2, everything, {}),
    "anil": (2, is_head, {"head": is_head}),
    "boil": (2, lambda name: not is_head(name), {"head": is_head}),
    "cavia": (2, is_bias, {"context": is_bias}),
}
"""Of MAML's kin: order, what moves, and the arguments of their own."""


@pytest.mark.parametrize("decay", [0.0, 0.7])
@pytest.mark.parametrize(("kind", "per_step"), LEARNED)
@pytest.mark.parametrize("name", OF_MAML)
def test_mamls_kin_learn_start_rates_and_momentum(name: str, kind: str, per_step: bool, decay: float) -> None:
    order, moves, own = OF_MAML[name]
    learner = made(name, own, kind, per_step, decay=decay)
    meta = leaves(learner)
    assert any(key.startswith("rate.") for key in meta) and "momentum" in meta
    end = unrolled(meta, [SUPPORT] * STEPS, order, per_step, moves, decay)[-1]
    expected = derivative(loss(end, QUERY), meta)
    if name == "cavia":
        expected["start.body.bias"] = torch.zeros(4, dtype=torch.float64)  # the context begins at zero, always
    found, value = learner.gradient(plain(meta), (SUPPORT, QUERY))
    torch.testing.assert_close(value, loss(end, QUERY).detach())
    assert_same(found, expected)
    assert all(found[key].any() for key in found if not key.startswith("start."))


def made(name: str, own: dict[str, Any], kind: str, per_step: bool, **more: Any) -> Learner:
    settings = {"rate": RATE, "steps": STEPS, "learned": kind, "per_step": per_step, "momentum": 0.4, **own, **more}
    return LEARNERS[name](loss, learn_momentum=True, **settings)


@pytest.mark.parametrize(("kind", "per_step"), LEARNED)
@pytest.mark.parametrize("progress", [0.0, 0.2, 1.0])
def test_maml_plus_plus_weighs_the_loss_of_every_step(progress: float, kind: str, per_step: bool) -> None:
    settings = {"learned": kind, "per_step": per_step, "momentum": 0.4, "learn_momentum": True}
    learner = maml_plus_plus(loss, rate=RATE, steps=STEPS, progress=progress, first_order_until=0.1, **settings)
    meta = leaves(learner)
    ends = unrolled(meta, [SUPPORT] * STEPS, 1 if progress == 0 else 2, per_step)
    weights = {0.0: [1 / 3] * 3, 0.2: [1 / 9, 1 / 9, 7 / 9], 1.0: [0, 0, 1]}[progress]
    assert step_weights(STEPS, progress / 0.3) == pytest.approx(weights)
    value = sum(weight * loss(end, QUERY) for weight, end in zip(weights, ends, strict=True))
    assert isinstance(value, Tensor)
    found, said = learner.gradient(plain(meta), (SUPPORT, QUERY))
    torch.testing.assert_close(said, value.detach())
    assert_same(found, derivative(value, meta))


@pytest.mark.parametrize("steps", [1, 2, 3, 4])
@pytest.mark.parametrize(("kind", "per_step"), LEARNED)
def test_reptile_learns_its_start_of_all_data_and_its_rates_of_the_query(kind: str, per_step: bool, steps: int) -> None:
    """Start − end of the walk over both sets; rates and momentum by a walk that never meets the query."""
    learner = made("reptile", {}, kind, per_step, steps=steps)
    meta = leaves(learner)
    value = loss(unrolled(meta, [SUPPORT] * steps, 1, per_step)[-1], QUERY)
    end = unrolled(meta, [SUPPORT] * ((steps + 1) // 2) + [QUERY] * (steps // 2), 1, per_step)[-1]
    away = {f"start.{name}": (meta[f"start.{name}"] - each).detach() for name, each in end.items()}
    found, said = learner.gradient(plain(meta), (SUPPORT, QUERY))
    torch.testing.assert_close(said, value.detach())
    assert_same(found, {**derivative(value, meta), **away})
    assert all(found[key].any() for key in found if key != "momentum" or steps > 1)


def test_reptile_without_learned_numbers_tells_the_loss_before_it_meets_the_query() -> None:
    learner = LEARNERS["reptile"](loss, rate=RATE, steps=5)
    meta = leaves(learner)
    _, said = learner.gradient(plain(meta), (SUPPORT, QUERY))
    torch.testing.assert_close(said, loss(unrolled(meta, [SUPPORT] * 3, order=1)[-1], QUERY).detach())


def test_imaml_is_the_derivative_of_where_its_steps_rest() -> None:
    """Against MAML's own derivative through so many steps that they rest; with as many iterations as parameters."""
    settings = {"rate": 0.2, "steps": 400}
    implicit = imaml(loss, pull=3.0, iterations=16, **settings)
    through = maml(loss, decay=3.0, **settings)
    meta = implicit.init(params())
    (found, value), (expected, same) = (each.gradient(meta, (SUPPORT, QUERY)) for each in (implicit, through))
    torch.testing.assert_close(value, same)
    for name, each in expected.items():
        torch.testing.assert_close(found[name], each, rtol=1e-5, atol=1e-8)
    part = imaml(loss, pull=3.0, iterations=16, moves=is_head, **settings)
    of_part, _ = part.gradient(meta, (SUPPORT, QUERY))
    end = {n: v.requires_grad_() for n, v in part.adapt(meta, SUPPORT).items()}
    body = torch.autograd.grad(loss(end, QUERY), end["body.bias"])[0]
    torch.testing.assert_close(of_part["start.body.bias"], body)  # what does not move gets the gradient itself


def test_a_context_added_in_a_layer_is_that_layers_bias() -> None:
    """CAVIA with the sum of bias and context is MAML that moves the bias: so the command makes it."""

    def with_context(given: Mapping[str, Tensor], batch: Any) -> Tensor:
        return loss({**given, "body.bias": given["body.bias"] + given["context"]}, batch)

    learner = cavia(with_context, rate=RATE, steps=STEPS, context=lambda name: name == "context")
    meta = learner.init({**params(), "context": torch.ones(4, dtype=torch.float64)})
    found, value = learner.gradient(meta, (SUPPORT, QUERY))
    assert not meta["start.context"].any() and not found.pop("start.context").any()
    other = maml(loss, rate=RATE, steps=STEPS, moves=is_bias)
    expected, same = other.gradient(other.init(params()), (SUPPORT, QUERY))
    torch.testing.assert_close(value, same)
    assert_same(found, expected)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("maml", {}),
        ("meta-sgd", {f"rate.{name}": value.shape for name, value in params().items()}),
        ("maml++", {"rate.body": (STEPS,), "rate.head": (STEPS,)}),
        ("reptile", {}),
    ],
)
def test_what_learns_rates_unasked(name: str, expected: dict[str, tuple[int, ...]]) -> None:
    meta = LEARNERS[name](loss, rate=RATE, steps=STEPS).init(params())
    assert {key: value.shape for key, value in meta.items() if not key.startswith("start.")} == expected
    assert all(bool((value == RATE).all()) for key, value in meta.items() if key.startswith("rate."))


def test_baselines() -> None:
    meta = leaves(LEARNERS["multitask"](loss, rate=RATE))
    both = (loss({n.removeprefix("start."): v for n, v in meta.items()}, batch) for batch in (SUPPORT, QUERY))
    value = torch.stack(list(both)).mean()
    for name, factor in (("multitask", 1.0), ("scratch", 0.0)):
        found, said = LEARNERS[name](loss, rate=RATE).gradient(plain(meta), (SUPPORT, QUERY))
        torch.testing.assert_close(said, value.detach())
        assert_same(found, {n: factor * each for n, each in derivative(value, meta).items()})
