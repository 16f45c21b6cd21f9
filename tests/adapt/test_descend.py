"""The inner loop against torch's own optimisers, and what it does with what is not finite or does not move."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor

from earful.adapt.descend import Rule, adamw, descend, sgd


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
