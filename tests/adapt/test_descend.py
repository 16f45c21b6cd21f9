"""The inner loop against torch's own optimisers, and what it does with what is not finite or does not move."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor

from earful.adapt.descend import Rule, adamw, adamw_in_place, descend, sgd


def quadratic(params: Mapping[str, Tensor], batch: Any) -> Tensor:
    loss: Tensor = ((params["a"] - batch) ** 2).sum() + (params["b"] ** 2).sum()
    return loss


def start() -> dict[str, Tensor]:
    return {"a": torch.tensor([1.0, -2.0]), "b": torch.tensor([3.0])}


def constant(rate: float) -> Callable[[str, int], float]:
    return lambda name, step: rate


def last(rule: Rule, batches: list[Any], **options: Any) -> dict[str, Tensor]:
    return list(descend(quadratic, start(), batches, rule, **options))[-1].params


@pytest.mark.parametrize("kind", ["sgd", "adamw"])
def test_equals_torch(kind: str) -> None:
    batches = [torch.tensor(x) for x in (0.5, -1.0, 2.0, 0.0)]
    leaves = {name: value.clone().requires_grad_() for name, value in start().items()}
    if kind == "sgd":
        optimiser: torch.optim.Optimizer = torch.optim.SGD(leaves.values(), lr=0.1)
        rule = sgd(constant(0.1))
    else:
        optimiser = torch.optim.AdamW(leaves.values(), lr=0.1, betas=(0.9, 0.98), weight_decay=0.3)
        rule = adamw(constant(0.1), decay=0.3)
    for batch in batches:
        optimiser.zero_grad()
        torch.autograd.backward(quadratic(leaves, batch))
        optimiser.step()
    moved = last(rule, batches)
    for name, leaf in leaves.items():
        torch.testing.assert_close(moved[name], leaf.detach())


def test_what_does_not_move_stays() -> None:
    moved = last(sgd(constant(0.1)), [torch.zeros(())] * 3, moves=lambda name: name == "a")
    assert torch.equal(moved["b"], start()["b"])
    assert not torch.equal(moved["a"], start()["a"])


def test_schedule_and_clipping_scale_the_step() -> None:
    plain = last(sgd(constant(0.1)), [torch.zeros(())])["a"] - start()["a"]
    halved = last(sgd(lambda name, step: 0.05), [torch.zeros(())])["a"] - start()["a"]
    torch.testing.assert_close(halved, plain / 2)
    moved = last(sgd(constant(1.0)), [torch.zeros(())], clip_norm=1e-3)
    length = torch.cat([(moved[name] - value).flatten() for name, value in start().items()]).norm()
    assert float(length) == pytest.approx(1e-3, rel=1e-3)


def test_a_step_that_is_not_finite_is_not_taken() -> None:
    steps = list(
        descend(quadratic, start(), [torch.zeros(()), torch.tensor(float("nan")), torch.zeros(())], sgd(constant(0.1)))
    )
    assert [step.taken for step in steps] == [True, False, True]
    assert torch.equal(steps[0].params["a"], steps[1].params["a"])
    assert all(bool(torch.isfinite(value).all()) for value in steps[-1].params.values())


def test_interrupted_and_continued_is_the_same() -> None:
    batches = [torch.tensor(x) for x in (0.5, -1.0, 2.0, 0.0)]
    rule = adamw(lambda name, step: 0.1 / (step + 1))
    whole = list(descend(quadratic, start(), batches, rule))
    half = whole[1]
    rest = list(
        descend(
            quadratic,
            half.params,
            batches[2:],
            rule,
            state=half.state,
            first=2,
        )
    )
    assert all(torch.equal(rest[-1].params[name], whole[-1].params[name]) for name in start())


@pytest.mark.parametrize("anchored", [None, "both", "one"])
def test_the_rule_that_overwrites_equals_the_pure_one(anchored: str | None) -> None:
    """With rates by name, a step that is not taken, clipping, and decay towards anchors or zero."""
    anchor = {None: None, "both": {n: v + 1 for n, v in start().items()}, "one": {"a": start()["a"] - 1}}[anchored]
    batches = [torch.tensor(x) for x in (0.5, -1.0, float("nan"), 2.0, 0.0)] * 4

    def rate(name: str, step: int) -> float:
        return (0.1 if name == "a" else 0.03) / (step + 1)

    pure, fast = (
        last(make(rate, decay=0.3, anchor=anchor), batches, clip_norm=0.5) for make in (adamw, adamw_in_place)
    )
    assert not torch.equal(pure["a"], start()["a"])
    for name, value in pure.items():
        torch.testing.assert_close(fast[name], value)


def test_what_was_given_to_a_descent_that_overwrites_stays() -> None:
    given, rule = start(), adamw_in_place(constant(0.1), decay=0.1)
    first = list(descend(quadratic, given, [torch.zeros(())] * 2, rule))[-1]
    kept = {name: value.clone() for name, value in (first.params | first.state).items()}
    list(descend(quadratic, first.params, [torch.zeros(())] * 2, rule, state=first.state, first=2))
    assert all(torch.equal(value, start()[name]) for name, value in given.items())
    assert all(torch.equal(value, kept[name]) for name, value in (first.params | first.state).items())


def test_a_descent_that_overwrites_has_no_derivative() -> None:
    with pytest.raises(ValueError, match="cannot be differentiated through"):
        list(descend(quadratic, start(), [torch.zeros(())], adamw_in_place(constant(0.1)), order=1))
