"""Tasks with random labels, where support tells nothing of query: who learns rates has to find that out."""

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor

from earful.metatrain import LEARNERS, Learner

LABELS, RATE, TASKS = 4, 0.3, 25
SHAPES = {"body.weight": (4, 16), "body.bias": (16,), "head.weight": (16, LABELS)}


def loss(params: Mapping[str, Tensor], batch: Any) -> Tensor:
    x, y = batch
    hidden = torch.tanh(x @ params["body.weight"] + params["body.bias"])
    return torch.nn.functional.cross_entropy(hidden @ params["head.weight"], y)


def random_task(generator: torch.Generator, *many: int) -> Any:
    x = torch.randn(2, *many, 10, 4, generator=generator)
    y = torch.randint(LABELS, (2, *many, 10), generator=generator)
    return (x[0], y[0]), (x[1], y[1])


def metatrained(learner: Learner, generator: torch.Generator) -> dict[str, Tensor]:
    begun = {key: torch.randn(shape, generator=generator) / 2 for key, shape in SHAPES.items()}
    meta = {key: value.requires_grad_() for key, value in learner.init(begun).items()}
    optimiser = torch.optim.Adam(meta.values(), lr=0.03)
    gradients = torch.func.vmap(learner.gradient, (None, 0))
    for _ in range(80):
        found, _ = gradients({key: value.detach() for key, value in meta.items()}, random_task(generator, TASKS))
        for key, value in meta.items():
            value.grad = found[key].mean(0)
        optimiser.step()
    return {key: value.detach() for key, value in meta.items()}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("maml", "scalar"),
        ("fomaml", "scalar"),
        ("meta-sgd", "parameter"),
        ("maml++", "layer"),
        ("anil", "scalar"),
        ("boil", "scalar"),
        ("reptile", "scalar"),
        ("reptile", "layer"),
        ("reptile", "parameter"),
    ],
)
def test_rates_fall_and_adaptation_does_no_harm(name: str, kind: str) -> None:
    own = {"head": lambda key: key.startswith("head.")} if name in ("anil", "boil") else {}
    learner = LEARNERS[name](loss, rate=RATE, steps=4, learned=kind, momentum=0.3, learn_momentum=True, **own)
    generator = torch.Generator().manual_seed(0)
    meta = metatrained(learner, generator)
    rates = [float(value.mean()) for key, value in meta.items() if key.startswith("rate.")]
    assert max(rates) < RATE and sum(rates) / len(rates) < 0.6 * RATE, rates
    start = {key.removeprefix("start."): value for key, value in meta.items() if key.startswith("start.")}
    tasks = [random_task(generator) for _ in range(100)]
    harm = [float(loss(learner.adapt(meta, support), query) - loss(start, query)) for support, query in tasks]
    assert sum(harm) / len(harm) < 0.02
