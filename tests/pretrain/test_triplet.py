"""Batch-hard triplets: stored cases, closed forms, a plain loop."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from earful.encoder.build import build_encoder
from earful.encoder.encoder import Encoder, EncoderConfig
from earful.errors import ConfigError
from earful.pretrain.objective import Views
from earful.pretrain.segments import distances, mean_where, same_class, segments_of
from earful.pretrain.triplet import Triplet, TripletSettings, batch_hard, loss_of

FILE = Path(__file__).with_name("metric_cases.json")
CASES = [case for case in json.loads(FILE.read_text("utf-8"))["cases"] if case["loss"] == "triplet"]


def small(**settings: Any) -> Triplet:
    torch.manual_seed(1)
    return Triplet(TripletSettings(**{"hidden": 16, "size": 4, "segment_frames": 5} | settings), 8)


def encoder() -> Encoder:
    config = EncoderConfig("conformer", bins=6, width=8, layers=1, heads=2, kernel=3, dropout=0.0, subsampling=2)
    return build_encoder(config, torch.Generator().manual_seed(0))


def heard(classes: list[int]) -> Views:
    size = 34
    frames_2BFM = torch.randn(2, len(classes), size, 6, generator=torch.Generator().manual_seed(3))
    counts_B = size - 3 * torch.arange(len(classes))
    classes_BC = torch.tensor(classes)[:, None].repeat(1, 4)
    return Views(frames_2BFM[0], counts_B, frames_2BFM[1], counts_B - 2, classes_BC=classes_BC)


def value_of(embedded_SE: Tensor, class_S: Tensor, margin: float) -> Tensor:
    harm_S, anchor_S = batch_hard(distances(embedded_SE, embedded_SE), *same_class(class_S))
    return mean_where(loss_of(harm_S, margin), anchor_S)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_agrees_with_pytorch_metric_learning(case: dict[str, Any]) -> None:
    embedded_SE = torch.tensor(case["embedded"], dtype=torch.float64, requires_grad=True)
    value = value_of(embedded_SE, torch.tensor(case["classes"]), case["margin"])
    (gradient_SE,) = torch.autograd.grad(value, embedded_SE)
    assert float(value.detach()) == pytest.approx(case["value"], rel=1e-8)
    torch.testing.assert_close(gradient_SE, torch.tensor(case["gradient"]).double(), rtol=1e-6, atol=1e-7)


def test_closed_form_on_a_line() -> None:
    place_S1, class_S = torch.tensor([[0.0], [1.0], [4.0], [6.0]]), torch.tensor([0, 0, 1, 1])
    # farthest positive less nearest negative: 1 − 4, 1 − 3, 2 − 3, 2 − 5
    assert float(value_of(place_S1, class_S, 2.5)) == pytest.approx((0 + 0.5 + 1.5 + 0) / 4)
    soft = [math.log1p(math.exp(harm)) for harm in (-3, -2, -1, -3)]
    assert float(value_of(place_S1, class_S, 0.0)) == pytest.approx(sum(soft) / 4)


def by_loops(embedded_SE: Tensor, classes: list[int], margin: float) -> float:
    """Hermans et al. 2017, eq. 5, anchor by anchor."""
    losses = []
    for a, own in enumerate(classes):
        d = [float((embedded_SE[a] - each_E).norm()) for each_E in embedded_SE]
        positives = [d[p] for p, each in enumerate(classes) if each == own and p != a]
        negatives = [d[n] for n, each in enumerate(classes) if each != own]
        if positives and negatives:
            harm = max(positives) - min(negatives)
            losses.append(max(0.0, margin + harm) if margin else math.log1p(math.exp(harm)))
    return sum(losses) / len(losses)


@pytest.mark.parametrize("margin", [0.0, 0.3])
@pytest.mark.parametrize("classes", ["clip", "speaker"])
def test_agrees_with_a_plain_loop(classes: str, margin: float) -> None:
    objective, model, batch = small(classes=classes, margin=margin), encoder(), heard([4, 2, 4, -1, 9])
    with torch.no_grad():
        found = segments_of(objective.embed, model, batch, objective.settings)
        expected = by_loops(found.embedded_SE, found.class_S.tolist(), margin)
        value = float(objective(model, batch, torch.Generator()).losses["triplet"])
    assert set(found.class_S.tolist()) == {2, 4, 9} and len(found.class_S) > 8
    assert value == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("classes", [[5, 5, 5], [-1, -1], [3]])
@pytest.mark.parametrize("margin", [0.0, 0.3])
def test_a_batch_without_anchors_gives_zero_and_a_gradient_of_zero(classes: list[int], margin: float) -> None:
    objective, model = small(margin=margin), encoder()
    loss = objective(model, heard(classes), torch.Generator()).losses["triplet"]
    loss.backward()
    gradients = [p.grad for module in (objective, model) for p in module.parameters() if p.grad is not None]
    assert float(loss.detach()) == 0 and len(gradients) > 10 and not any(bool(g.any()) for g in gradients)


def test_one_of_a_kind_is_no_anchor_but_a_negative() -> None:
    place_S1 = torch.tensor([[0.0], [1.0], [1.5]])
    harm_S, anchor_S = batch_hard(distances(place_S1, place_S1), *same_class(torch.tensor([0, 0, 7])))
    assert anchor_S.tolist() == [True, True, False] and harm_S.tolist() == [-0.5, 0.5, 0.0]


def test_nothing_is_drawn_and_the_same_is_found_again() -> None:
    generator, batch, objective, model = torch.Generator().manual_seed(5), heard([0, 1, 0]), small(), encoder()
    before = generator.get_state()
    first, again = (objective(model, batch, generator) for _ in range(2))
    assert torch.equal(first.losses["triplet"], again.losses["triplet"]) and first.facts == again.facts
    assert torch.equal(generator.get_state(), before)


def test_what_it_needs_and_what_is_refused() -> None:
    assert small().needs == {"other", "classes"} and small(classes="word").needs == {"classes"}
    with pytest.raises(ConfigError, match=r"margin is -0.1, must be > 0, or 0 for the soft margin"):
        TripletSettings(margin=-0.1)
