"""Every learner on quadratics, whose minima differ between support and query: what it answers, derived by hand.

The loss is ½ Σ c (w − b)² with curvatures c; its gradient is c (w − b). One step at rate η takes w − b to
(1 − η c)(w − b), so k of them from w on the support's minimum s end at s + Π(1 − η_i c)(w − s).
"""

from collections.abc import Mapping
from importlib import import_module
from math import prod

import pytest
import torch
from torch import Tensor

from earful.errors import ConfigError
from earful.metatrain import LEARNERS, Learner, cavia, imaml, maml, maml_plus_plus

C = torch.tensor([1.0, 3.0], dtype=torch.float64)
W = torch.tensor([2.0, -1.0], dtype=torch.float64)
S, Q = torch.tensor([0.5, 1.0], dtype=torch.float64), torch.tensor([-1.0, 2.0], dtype=torch.float64)
ETAS = (0.1, 0.2, 0.05)


def quadratic(params: Mapping[str, Tensor], batch: Tensor) -> Tensor:
    found: Tensor = (C * (params["w"] - batch) ** 2).sum() / 2
    return found


def after(etas: tuple[float, ...], start: Tensor = W, minimum: Tensor = S) -> Tensor:
    """Where steps at these rates end."""
    found: Tensor = minimum + prod([1 - eta * C for eta in etas], start=torch.ones(2, dtype=torch.float64)) * (
        start - minimum
    )
    return found


def answered(learner: Learner, **learned: Tensor) -> tuple[dict[str, Tensor], Tensor]:
    meta = {**learner.init({"w": W}), **learned}
    return learner.gradient(meta, (S, Q))


def at_query(end: Tensor) -> Tensor:
    return C * (end - Q)


# ------------------------------------------------------------------------------------------------- rates of every step


@pytest.mark.parametrize("name", ["maml", "fomaml", "meta-sgd", "maml++", "reptile"])
@pytest.mark.parametrize("kind", ["scalar", "layer", "parameter"])
def test_rates_of_every_step(name: str, kind: str) -> None:
    """d end / d η_j is −c Π_{i≠j}(1 − η_i c)(w − s); of first order −c (w_j − s), the gradient that step j took."""
    learner = LEARNERS[name](quadratic, rate=0.1, steps=3, learned=kind, per_step=True)
    key = "rate.all" if kind == "scalar" else "rate.w"
    rates = torch.tensor(ETAS, dtype=torch.float64)
    found, value = answered(learner, **{key: rates[:, None].expand(3, 2) if kind == "parameter" else rates})
    end = after(ETAS)
    if name in ("fomaml", "reptile"):
        moved = [-C * (after(ETAS[:j]) - S) for j in range(3)]
    else:
        moved = [-C * prod(1 - eta * C for i, eta in enumerate(ETAS) if i != j) * (W - S) for j in range(3)]
    by_rate = torch.stack([at_query(end) * each for each in moved])
    torch.testing.assert_close(found[key], by_rate if kind == "parameter" else by_rate.sum(1))
    torch.testing.assert_close(value, quadratic({"w": end}, Q))
    shrink = prod(1 - eta * C for eta in ETAS)
    by_start = {"fomaml": at_query(end), "reptile": W - after(ETAS[2:], after(ETAS[:2]), Q)}
    torch.testing.assert_close(found["start.w"], by_start.get(name, shrink * at_query(end)))


@pytest.mark.parametrize("name", ["maml", "fomaml", "reptile"])
def test_a_rate_of_all_steps(name: str) -> None:
    """Its derivative is the sum over the steps: −k c (1 − η c)^(k−1) (w − s) with second order."""
    found, _ = answered(LEARNERS[name](quadratic, rate=0.1, steps=3, learned="scalar"))
    end = after((0.1,) * 3)
    first = sum((-C * (after((0.1,) * j) - S) for j in range(3)), torch.zeros(2, dtype=torch.float64))
    moved = first if name != "maml" else -3 * C * (1 - 0.1 * C) ** 2 * (W - S)
    torch.testing.assert_close(found["rate.all"], (at_query(end) * moved).sum())


@pytest.mark.parametrize("name", ["maml", "fomaml", "reptile"])
def test_momentum(name: str) -> None:
    """Of two steps: w₂ = w − η g₀ − η (μ g₀ + g₁), so d w₂ / dμ is −η g₀."""
    learner = LEARNERS[name](quadratic, rate=0.1, steps=2, momentum=0.5, learn_momentum=True)
    found, value = answered(learner)
    g0 = C * (W - S)
    w1 = W - 0.1 * g0
    w2 = w1 - 0.1 * (0.5 * g0 + C * (w1 - S))
    torch.testing.assert_close(value, quadratic({"w": w2}, Q))
    torch.testing.assert_close(found["momentum"], (at_query(w2) * -0.1 * g0).sum())


# ------------------------------------------------------------------------------------------------------------ starts


@pytest.mark.parametrize("progress", [0.0, 0.15, 1.0])
def test_maml_plus_plus_sums_what_every_step_would_have_got(progress: float) -> None:
    """Σ v_k (1 − η c)^k c (w_k − q), with weights v that go from equal to the last step alone."""
    learner = maml_plus_plus(quadratic, rate=0.1, steps=3, progress=progress, first_order_until=0.0)
    found, value = answered(learner)
    v = {0.0: (1 / 3, 1 / 3, 1 / 3), 0.15: (1 / 6, 1 / 6, 2 / 3), 1.0: (0.0, 0.0, 1.0)}[progress]
    ends = [after((0.1,) * k) for k in (1, 2, 3)]
    zero = torch.zeros(2, dtype=torch.float64)
    by_hand = sum((v[k - 1] * (1 - 0.1 * C) ** k * at_query(ends[k - 1]) for k in (1, 2, 3)), zero)
    torch.testing.assert_close(found["start.w"], by_hand)
    expected = sum((v[k] * quadratic({"w": ends[k]}, Q) for k in range(3)), zero.sum())
    torch.testing.assert_close(value, expected)


@pytest.mark.parametrize(("steps", "on_support"), [(1, 1), (2, 1), (3, 2), (5, 3)])
def test_reptile_is_start_minus_end_of_a_walk_over_all_data(steps: int, on_support: int) -> None:
    found, value = answered(LEARNERS["reptile"](quadratic, rate=0.1, steps=steps))
    half = after((0.1,) * on_support)
    torch.testing.assert_close(found["start.w"], W - after((0.1,) * (steps - on_support), half, Q))
    torch.testing.assert_close(value, quadratic({"w": half}, Q))  # before the walk has met the query


def test_reptile_by_adam_steps_by_the_sign_and_its_rate_learns_so() -> None:
    learner = LEARNERS["reptile"](quadratic, rate=0.1, steps=1, optimiser="adam", learned="scalar")
    found, _ = answered(learner)
    sign = (W - S).sign()
    torch.testing.assert_close(found["start.w"], 0.1 * sign, rtol=1e-6, atol=1e-6)
    by_rate = (at_query(W - 0.1 * sign) * -sign).sum()
    torch.testing.assert_close(found["rate.all"], by_rate, rtol=1e-6, atol=1e-6)


def test_imaml_rests_between_start_and_support() -> None:
    """It rests at (c s + λ w)/(c + λ), whose derivative by w is λ/(c + λ)."""
    pull = 2.0
    found, value = answered(imaml(quadratic, rate=0.1, steps=300, pull=pull, iterations=2))
    end = (C * S + pull * W) / (C + pull)
    torch.testing.assert_close(found["start.w"], pull / (C + pull) * at_query(end))
    torch.testing.assert_close(value, quadratic({"w": end}, Q))


def test_imaml_solves_with_so_many_iterations(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = list[int]()

    def solve(product: object, right: dict[str, Tensor], iterations: int) -> dict[str, Tensor]:
        asked.append(iterations)
        return right

    monkeypatch.setattr(import_module("earful.metatrain.imaml"), "conjugate_gradients", solve)
    for settings in ({}, {"iterations": 2}):
        answered(imaml(quadratic, rate=0.1, **settings))
    assert asked == [5, 2]


def test_cavia_learns_what_the_context_leaves() -> None:
    """½ c (w + φ − b)², φ from 0 by the support: the query's gradient by w is that of MAML, that by φ none."""

    def with_context(params: Mapping[str, Tensor], batch: Tensor) -> Tensor:
        return quadratic({"w": params["w"] + params["context"]}, batch)

    learner = cavia(with_context, rate=0.1, steps=3, context=lambda name: name == "context")
    meta = learner.init({"w": W, "context": W})
    found, _ = learner.gradient(meta, (S, Q))
    torch.testing.assert_close(found["start.w"], (1 - 0.1 * C) ** 3 * at_query(after((0.1,) * 3)))
    assert not found["start.context"].any()
    adapted = learner.adapt(meta, S)
    torch.testing.assert_close(adapted["context"], after((0.1,) * 3) - W)
    assert torch.equal(adapted["w"], W)


@pytest.mark.parametrize("name", ["anil", "boil"])
def test_anil_and_boil_move_their_part_alone(name: str) -> None:
    """½ c (u + v − b)²: what moves goes (1 − η c) of the way, what rests gets the same gradient through it."""

    def together(params: Mapping[str, Tensor], batch: Tensor) -> Tensor:
        return quadratic({"w": params["body"] + params["head"]}, batch)

    learner = LEARNERS[name](together, rate=0.1, steps=2, head=lambda key: key == "head")
    meta = learner.init({"body": W, "head": torch.zeros_like(W)})
    found, _ = learner.gradient(meta, (S, Q))
    expected = (1 - 0.1 * C) ** 2 * at_query(after((0.1,) * 2))
    torch.testing.assert_close(found["start.head"], expected)
    torch.testing.assert_close(found["start.body"], expected)
    adapted, moving, still = learner.adapt(meta, S), *(("head", "body") if name == "anil" else ("body", "head"))
    torch.testing.assert_close(adapted[moving] - meta[f"start.{moving}"], after((0.1,) * 2) - W)
    assert torch.equal(adapted[still], meta[f"start.{still}"])


def test_baselines() -> None:
    found, value = answered(LEARNERS["multitask"](quadratic, rate=0.1))
    torch.testing.assert_close(found["start.w"], C * (W - (S + Q) / 2))
    torch.testing.assert_close(value, (quadratic({"w": W}, S) + quadratic({"w": W}, Q)) / 2)
    assert not answered(LEARNERS["scratch"](quadratic, rate=0.1))[0]["start.w"].any()


def test_clipping_bounds_the_step_and_is_differentiated() -> None:
    learner = maml(quadratic, rate=1.0, clip_norm=0.1)
    meta = learner.init({"w": W})
    assert float((W - learner.adapt(meta, S)["w"]).norm()) == pytest.approx(0.1, rel=1e-4)

    def objective(w: Tensor) -> Tensor:
        grad = C * (w - S)
        return quadratic({"w": w - grad * (0.1 / (grad.norm() + 1e-6)).clamp(max=1.0)}, Q)

    found, _ = learner.gradient(meta, (S, Q))
    torch.testing.assert_close(found["start.w"], torch.func.grad(objective)(W))


def test_settings_that_an_implicit_gradient_does_not_know() -> None:
    for settings, message in (
        ({"learned": "scalar"}, "implicit gradient cannot learn rates"),
        ({"optimiser": "adam"}, "needs plain descent"),
        ({"clip_norm": 1.0}, "leave out clip_norm"),
        ({"pull": 0.0}, "pull and iterations must be above 0"),
        ({"iterations": 0}, "pull and iterations must be above 0, got 1.0 and 0"),
    ):
        with pytest.raises(ConfigError, match=message):
            imaml(quadratic, rate=0.1, **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["maml", "fomaml", "meta-sgd", "anil", "boil", "cavia", "multitask", "scratch"])
def test_one_step_unless_more_are_asked_for(name: str) -> None:
    """As published."""
    moves = {"anil": {"head": lambda key: True}, "boil": {"head": lambda key: False}, "cavia": {"context": bool}}
    learner = LEARNERS[name](quadratic, rate=0.1, **moves.get(name, {}))
    meta = learner.init({"w": W})
    torch.testing.assert_close(learner.adapt(meta, S)["w"], after((0.1,), meta["start.w"]))


def test_maml_plus_plus_measures_the_last_step_alone_at_the_end_and_where_nothing_else_is_asked_for() -> None:
    ends = [maml_plus_plus(quadratic, rate=0.1, steps=3), maml_plus_plus(quadratic, rate=0.1, steps=3, progress=1.0)]
    ends += [maml_plus_plus(quadratic, rate=0.1, steps=3, progress=0.0, every_step_until=0.0, first_order_until=0.0)]
    for learner in ends:
        torch.testing.assert_close(answered(learner)[0]["start.w"], (1 - 0.1 * C) ** 3 * at_query(after((0.1,) * 3)))


@pytest.mark.parametrize("name", ["maml", "reptile", "multitask"])
def test_what_is_adapted_keeps_no_graph(name: str) -> None:
    learner = LEARNERS[name](quadratic, rate=0.1)
    meta = {key: value.requires_grad_() for key, value in learner.init({"w": W}).items()}
    assert not learner.adapt(meta, S)["w"].requires_grad
