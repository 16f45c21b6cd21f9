"""Prototypes in the batch: stored cases, closed forms, a plain loop, and how segments are split."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from earful.encoder.build import build_encoder
from earful.encoder.encoder import Encoder, EncoderConfig
from earful.errors import ConfigError
from earful.pretrain.objective import Views
from earful.pretrain.prototypical import Prototypical, PrototypicalSettings, query_logits, split
from earful.pretrain.segments import Segments, segments_of

FILE = Path(__file__).with_name("metric_cases.json")
CASES = [case for case in json.loads(FILE.read_text("utf-8"))["cases"] if case["loss"] == "prototypical"]


def small(**settings: Any) -> Prototypical:
    torch.manual_seed(1)
    return Prototypical(PrototypicalSettings(**{"hidden": 16, "size": 4, "segment_frames": 4} | settings), 8)


def encoder() -> Encoder:
    config = EncoderConfig("conformer", bins=6, width=8, layers=1, heads=2, kernel=3, dropout=0.0, subsampling=2)
    return build_encoder(config, torch.Generator().manual_seed(0))


def heard(classes: list[int]) -> Views:
    frames_2BFM = torch.randn(2, len(classes), 40, 6, generator=torch.Generator().manual_seed(3))
    counts_B = 40 - 3 * torch.arange(len(classes))
    classes_BC = torch.tensor(classes)[:, None].repeat(1, 4)
    return Views(frames_2BFM[0], counts_B, frames_2BFM[1], counts_B - 2, classes_BC=classes_BC)


def segments(classes: list[int], rows: list[int], views: list[int]) -> Segments:
    class_S, row_S, view_S = (torch.tensor(each, dtype=torch.long) for each in (classes, rows, views))
    return Segments(torch.zeros(len(classes), 2), class_S, row_S, torch.zeros_like(row_S), view_S)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_agrees_with_pytorch_metric_learning(case: dict[str, Any]) -> None:
    embedded_SE = torch.tensor(case["embedded"], dtype=torch.float64, requires_grad=True)
    logits_SK, class_S = query_logits(embedded_SE, torch.tensor(case["classes"]), torch.tensor(case["support"]))
    value = functional.cross_entropy(logits_SK, class_S)
    (gradient_SE,) = torch.autograd.grad(value, embedded_SE)
    assert float(value.detach()) == pytest.approx(case["value"], rel=1e-8)
    torch.testing.assert_close(gradient_SE, torch.tensor(case["gradient"]).double(), rtol=1e-6, atol=1e-7)


def test_closed_form_on_a_line() -> None:
    place_S1, class_S = torch.tensor([[0.0], [2.0], [1.5], [4.0], [3.0]]), torch.tensor([8, 8, 8, 3, 3])
    logits_SK, index_S = query_logits(place_S1, class_S, torch.tensor([True, True, False, True, False]))
    # prototypes at 4 (class 3) and 1 (class 8)
    assert logits_SK.tolist() == [[-6.25, -0.25], [-1.0, -4.0]] and index_S.tolist() == [1, 0]


def test_agrees_with_a_plain_loop() -> None:
    objective, model, batch = small(classes="speaker"), encoder(), heard([4, 2, 4, -1, 9, 2])
    with torch.no_grad():
        value = objective(model, batch, torch.Generator().manual_seed(2)).losses["prototypical"]
        found = segments_of(objective.embed, model, batch, objective.settings)
    support_S = split(found, 0.5, 6, torch.Generator().manual_seed(2)).tolist()
    classes, z = found.class_S.tolist(), found.embedded_SE
    members = {k: [i for i, own in enumerate(classes) if own == k and support_S[i]] for k in set(classes)}
    prototypes = {k: sum(z[i] for i in rows) / len(rows) for k, rows in members.items()}
    losses = []
    for i, own in enumerate(classes):
        if not support_S[i]:
            e = {k: math.exp(-float((z[i] - c).square().sum())) for k, c in prototypes.items()}
            losses.append(-math.log(e[own] / sum(e.values())))
    assert set(classes) == {2, 4, 9} and len(losses) > 5
    assert float(value) == pytest.approx(sum(losses) / len(losses), rel=1e-5)


@pytest.mark.parametrize(("part", "expected"), [(0.5, [4, 2, 1, 1]), (0.05, [1, 1, 1, 1]), (0.95, [7, 2, 1, 1])])
def test_each_class_has_its_part_as_support(part: float, expected: list[int]) -> None:
    classes = [0] * 8 + [1] * 3 + [2] * 2 + [3]
    found = segments(classes, [0] * 14, [0] * 14)
    for seed in range(20):
        support_S = split(found, part, 1, torch.Generator().manual_seed(seed))
        assert [int(support_S[found.class_S == k].sum()) for k in range(4)] == expected


def test_every_segment_is_support_now_and_query_then() -> None:
    found = segments([0] * 6 + [1] * 6, [0, 0, 0, 1, 1, 2] * 2, [0, 0, 1, 0, 1, 1] * 2)
    drawn = torch.stack([split(found, 0.5, 3, torch.Generator().manual_seed(seed)) for seed in range(60)])
    assert bool(drawn.any(0).all()) and not drawn.all(0).any()
    assert torch.equal(drawn[7], split(found, 0.5, 3, torch.Generator().manual_seed(7)))


def test_queries_are_of_other_recordings_than_prototypes_as_far_as_can_be() -> None:
    rows, views = [0] * 4 + [1] * 4 + [2] * 4 + [2] * 4 + [3] * 4, [0] * 12 + [1] * 4 + [0] * 4
    found = segments([7] * 8 + [1] * 8 + [5] * 4, rows, views)
    recording_S = 2 * found.row_S + found.view_S
    for seed in range(20):
        support_S = split(found, 0.5, 4, torch.Generator().manual_seed(seed))
        for each in (7, 1):  # two recordings a class: one of them makes the prototype
            own_S = found.class_S == each
            assert len(set(recording_S[own_S & support_S].tolist())) == 1
            assert not set(recording_S[own_S & support_S].tolist()) & set(recording_S[own_S & ~support_S].tolist())
        assert int(support_S[found.class_S == 5].sum()) == 2  # but one recording is split too


@pytest.mark.parametrize("classes", [[5, 5, 5], [-1, -1], [3]])
def test_fewer_than_two_classes_give_zero_and_a_gradient_of_zero(classes: list[int]) -> None:
    objective, model = small(), encoder()
    loss = objective(model, heard(classes), torch.Generator()).losses["prototypical"]
    loss.backward()
    gradients = [p.grad for module in (objective, model) for p in module.parameters() if p.grad is not None]
    assert float(loss.detach()) == 0 and len(gradients) > 10 and not any(bool(g.any()) for g in gradients)


def test_classes_of_one_segment_each_leave_no_query() -> None:
    objective = small(classes="word", segment_frames=0)
    found = objective(encoder(), heard([1, 2, 3]), torch.Generator())
    assert float(found.losses["prototypical"].detach()) == 0 and found.facts == {"accuracy": 0.0}


def test_the_seed_says_the_split() -> None:
    objective, model, batch = small(), encoder(), heard([0, 1, 2])
    first, again, *others = (
        objective(model, batch, torch.Generator().manual_seed(seed)).losses["prototypical"]
        for seed in (0, 0, *range(1, 6))
    )
    assert torch.equal(first, again) and any(not torch.equal(first, other) for other in others)


def test_prototypes_are_exact_under_bfloat16() -> None:
    embedded_SE: Tensor = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
    asked = embedded_SE, torch.tensor([0, 0, 0, 1, 1, 1]), torch.tensor([1, 1, 0, 1, 1, 0]).bool()
    with torch.autocast("cpu", torch.bfloat16):
        low_SK, _ = query_logits(*asked)
    torch.testing.assert_close(low_SK, query_logits(*asked)[0])


def test_what_it_needs_and_what_is_refused() -> None:
    assert small().needs == {"other", "classes"} and small(classes="word").needs == {"classes"}
    for support in (0.0, 1.0):
        with pytest.raises(ConfigError, match=f"support is {support}, must be between 0 and 1"):
            PrototypicalSettings(support=support)
