"""Every learner through one contract; what each answers is in tests/contract/test_learners*.py."""

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor

from earful.errors import ConfigError
from earful.metatrain import LEARNERS, Learner, maml, meta_sgd, started_by
from earful.metatrain.imaml import conjugate_gradients

RATE = 0.05


def loss(params: Mapping[str, Tensor], batch: Any) -> Tensor:
    """A two-layer network on (x, y): neither convex nor linear in its parameters."""
    x, y = batch
    hidden = torch.tanh(x @ params["body.weight"] + params["body.bias"])
    found: Tensor = ((hidden @ params["head.weight"] - y) ** 2).mean()
    return found


def params() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    shapes = {"body.weight": (2, 4), "body.bias": (4,), "head.weight": (4, 1)}
    return {n: torch.randn(shape, generator=generator, dtype=torch.float64) for n, shape in shapes.items()}


def episode(seed: int) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(seed)
    x, y = (torch.randn(2, 5, n, generator=generator, dtype=torch.float64) for n in (2, 1))
    return (x[0], y[0]), (x[1], y[1])


def is_head(name: str) -> bool:
    return name.startswith("head.")


def made(name: str, **settings: Any) -> Learner:
    extra = {"anil": {"head": is_head}, "boil": {"head": is_head}, "cavia": {"context": lambda n: n == "body.bias"}}
    settings = {"rate": RATE, "steps": 3, **extra.get(name, {}), **settings}
    return LEARNERS[name](loss, **settings)


# ------------------------------------------------------------------------------------------------ the contract of all


@pytest.mark.parametrize("name", LEARNERS)
def test_gradient_has_the_shape_of_meta_and_is_finite(name: str) -> None:
    learner = made(name)
    meta = learner.init(params())
    gradient, value = learner.gradient(meta, episode(1))
    assert {n: g.shape for n, g in gradient.items()} == {n: m.shape for n, m in meta.items()}
    assert all(bool(torch.isfinite(g).all()) for g in gradient.values()) and value.shape == ()
    assert any(bool(g.any()) for g in gradient.values()) == (name != "scratch")
    assert not any(value.requires_grad for value in [*gradient.values(), value])


@pytest.mark.parametrize("name", LEARNERS)
def test_adaptation_helps_on_its_support_and_leaves_meta_alone(name: str) -> None:
    learner = made(name)
    meta = learner.init(params())
    before = {n: value.clone() for n, value in meta.items()}
    support, _ = episode(1)
    adapted = learner.adapt(meta, support)
    start = {n.removeprefix("start."): v for n, v in meta.items() if n.startswith("start.")}
    assert adapted.keys() == start.keys() and loss(adapted, support) < loss(start, support)
    assert loss(learner.adapt(meta, support, 20), support) < loss(adapted, support)
    assert all(torch.equal(start[n], learner.adapt(meta, support, 0)[n]) for n in start)
    assert all(torch.equal(before[n], value) for n, value in meta.items())


@pytest.mark.parametrize("name", LEARNERS)
def test_vmap_over_tasks_is_the_loop_over_tasks(name: str) -> None:
    learner = made(name)
    meta = learner.init(params())
    episodes = [episode(seed) for seed in range(4)]
    stacked = torch.utils._pytree.tree_map(lambda *leaves: torch.stack(leaves), *episodes)
    together, values = torch.func.vmap(learner.gradient, (None, 0))(meta, stacked)
    for i, each in enumerate(episodes):
        gradient, value = learner.gradient(meta, each)
        torch.testing.assert_close(values[i], value)
        for n in gradient:
            torch.testing.assert_close(together[n][i], gradient[n])


@pytest.mark.parametrize("name", LEARNERS)
def test_an_outer_optimiser_lowers_the_query_loss(name: str) -> None:
    learner = made(name)
    meta = {n: value.requires_grad_() for n, value in learner.init(params()).items()}
    optimiser = torch.optim.Adam(meta.values(), lr=0.01)
    losses = []
    for _ in range(40):
        gradient, value = learner.gradient({n: m.detach() for n, m in meta.items()}, episode(1))
        for n, m in meta.items():
            m.grad = gradient[n]
        optimiser.step()
        losses.append(float(value))
    assert losses[-1] < 0.8 * losses[0] if name != "scratch" else losses[-1] == losses[0]


@pytest.mark.parametrize("learned", ["scalar", "layer", "parameter"])
@pytest.mark.parametrize("name", [n for n in LEARNERS if n not in ("imaml",)])
def test_the_inner_rule_is_learned_with_every_learner(name: str, learned: str) -> None:
    learner = made(name, learned=learned, per_step=True, momentum=0.5, learn_momentum=True)
    meta = learner.init(params())
    rates = {n for n in meta if n.startswith("rate.")}
    assert rates and all(len(meta[n]) == 3 for n in rates) and "momentum" in meta
    gradient, _ = learner.gradient(meta, episode(1))
    if name not in ("multitask", "scratch"):
        assert all(bool(gradient[n].any()) for n in rates) and gradient["momentum"] != 0


# ---------------------------------------------------------------------------------------------------- what papers say


START = torch.tensor([2.0, -1.0], dtype=torch.float64)


def test_conjugate_gradients_stop_before_negative_curvature() -> None:
    matrix = torch.tensor([[4.0, 1.0], [1.0, 3.0]], dtype=torch.float64)
    solved = conjugate_gradients(lambda v: {"x": matrix @ v["x"]}, {"x": START}, 2)
    torch.testing.assert_close(matrix @ solved["x"], START)
    saddle = torch.tensor([[2.0, 0.0], [0.0, -1.0]], dtype=torch.float64)
    flat, steep = (torch.tensor(value, dtype=torch.float64) for value in ([0.0, 1.0], [1.0, 0.1]))
    at_once = conjugate_gradients(lambda v: {"x": saddle @ v["x"]}, {"x": flat}, 5)
    torch.testing.assert_close(at_once["x"], flat)  # negative curvature at once: the first-order gradient
    later = conjugate_gradients(lambda v: {"x": saddle @ v["x"]}, {"x": steep}, 5)
    one = steep * (steep @ steep) / (steep @ saddle @ steep)  # the second direction curves down: one step is taken
    torch.testing.assert_close(later["x"], one)
    level = conjugate_gradients(lambda v: {"x": 0 * v["x"]}, {"x": flat}, 5)
    torch.testing.assert_close(level["x"], flat)  # no curvature at all: nothing can be solved


def rows_of(start: Mapping[str, Tensor], support: Any) -> dict[str, Tensor]:
    """A task whose body has rows of its own: so many of the shared ones, turned by the support."""
    return {**start, "body.weight": support[0].shape[1] * torch.tanh(start["body.weight"])}


def test_a_start_of_the_tasks_own_is_pulled_back() -> None:
    """By hand: the chain rule through the task's start, for MAML of two steps."""
    learner = started_by(rows_of, maml(loss, rate=RATE, steps=2))
    gradient, value = learner.gradient(learner.init(params()), episode(1))
    start = {name: tensor.requires_grad_() for name, tensor in params().items()}
    support, query = episode(1)
    now = rows_of(start, support)
    for _ in range(2):
        grads = torch.autograd.grad(loss(now, support), list(now.values()), create_graph=True)
        now = {name: tensor - RATE * grad for (name, tensor), grad in zip(now.items(), grads, strict=True)}
    expected = torch.autograd.grad(loss(now, query), list(start.values()))
    torch.testing.assert_close(value, loss(now, query).detach())
    for name, by_hand in zip(start, expected, strict=True):
        torch.testing.assert_close(gradient[f"start.{name}"], by_hand)


@pytest.mark.parametrize("name", LEARNERS)
def test_every_learner_takes_a_start_of_the_tasks_own(name: str) -> None:
    """The gradient has the shape of meta, and is what the learner says of that start, pulled back."""
    plain, learner = made(name), started_by(rows_of, made(name))
    meta = learner.init(params())
    gradient, value = learner.gradient(meta, episode(1))
    assert {n: v.shape for n, v in gradient.items()} == {n: v.shape for n, v in meta.items()}
    begun = rows_of({n: meta[f"start.{n}"] for n in params()}, episode(1)[0])
    of_task, same = plain.gradient({**meta, **{f"start.{n}": v for n, v in begun.items()}}, episode(1))
    torch.testing.assert_close(value, same)
    slope = 2 * (1 - torch.tanh(meta["start.body.weight"]) ** 2)
    torch.testing.assert_close(gradient["start.body.weight"], of_task["start.body.weight"] * slope)
    adapted = learner.adapt(meta, episode(1)[0], 2)
    expected = plain.adapt({**meta, **{f"start.{n}": v for n, v in begun.items()}}, episode(1)[0], 2)
    for key, moved in expected.items():
        torch.testing.assert_close(adapted[key], moved)


@pytest.mark.parametrize("per_step", [False, True])
def test_rates_shared_by_rows_fit_any_number_of_rows(per_step: bool) -> None:
    def fewer(start: Mapping[str, Tensor], support: Any) -> dict[str, Tensor]:
        return {**start, "body.weight": start["body.weight"][:1]}

    def narrow(params: Mapping[str, Tensor], batch: Any) -> Tensor:
        return loss(params, (batch[0][:, : params["body.weight"].shape[0]], batch[1]))

    inner = meta_sgd(narrow, rate=RATE, steps=2, per_step=per_step)
    learner = started_by(fewer, inner, lambda name: name == "body.weight")
    meta = learner.init(params())
    assert meta["rate.body.weight"].shape == ((2, 4) if per_step else (4,))
    gradient, _ = learner.gradient(meta, episode(1))
    assert gradient["rate.body.weight"].any() and not gradient["start.body.weight"][1:].any()
    assert learner.adapt(meta, episode(1)[0])["body.weight"].shape == (1, 4)


def test_settings_that_make_no_sense_are_named() -> None:
    for settings, message in (
        ({"steps": 0}, "inner steps are 0"),
        ({"rate": -1.0}, "inner rate is -1.0"),
        ({"per_step": True}, "per_step needs learned rates"),
        ({"optimiser": "adam", "momentum": 0.9}, "Adam has its own momentum"),
        ({"optimiser": "adamw", "momentum": 0.9}, "Adam has its own momentum"),
        ({"optimiser": "adam", "decay": 0.1}, 'use optimiser = "adamw"'),
    ):
        with pytest.raises(ConfigError, match=message):
            maml(loss, **{"rate": 0.1, **settings})
