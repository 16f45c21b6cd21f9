"""Siamese training: stored cases, closed forms, plain loops; moments of time, and what is cut off of them."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from earful.encoder.encoder import Encoder, valid_frames
from earful.errors import ConfigError
from earful.pretrain.objective import Views
from earful.pretrain.segments import distances, same_class
from earful.pretrain.siamese import Siamese, SiameseSettings, contrastive, earlier, later, offcuts

FILE = Path(__file__).with_name("metric_cases.json")
CASES = [case for case in json.loads(FILE.read_text("utf-8"))["cases"] if case["loss"] == "siamese"]


class Echo(Encoder):
    """Frames come out as they went in: so that stretches of the same sound are at no distance."""

    width, subsampling = 6, 1

    def subsample(self, frames_BFM: Tensor, counts_B: Tensor) -> tuple[Tensor, Tensor, Tensor]:  # type: ignore[override]
        valid_BF = valid_frames(counts_B, frames_BFM.shape[1])
        return frames_BFM.masked_fill(~valid_BF[..., None], 0), counts_B, valid_BF

    def context(self, hidden_BFD: Tensor, valid_BF: Tensor) -> Tensor:
        return hidden_BFD


def small(**settings: Any) -> Siamese:
    torch.manual_seed(1)
    return Siamese(SiameseSettings(**{"hidden": 16, "size": 4, "segment_frames": 4, "margin": 0.5} | settings), 6)


def heard(counts: list[int], others: list[int] | None = None) -> Views:
    """Noise, its other augmentation a little changed; the classes of clips 0, 1, 0, 1 …"""
    generator = torch.Generator().manual_seed(3)
    frames_BFM = torch.randn(len(counts), max(counts), 6, generator=generator)
    other_BFM = frames_BFM + 0.3 * torch.randn(frames_BFM.shape, generator=generator)
    classes_BC = (torch.arange(len(counts)) % 2)[:, None].repeat(1, 4)
    return Views(frames_BFM, torch.tensor(counts), other_BFM, torch.tensor(others or counts), classes_BC=classes_BC)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_agrees_with_pytorch_metric_learning(case: dict[str, Any]) -> None:
    embedded_SE = torch.tensor(case["embedded"], dtype=torch.float64, requires_grad=True)
    pairs = same_class(torch.tensor(case["classes"]))
    value = contrastive(distances(embedded_SE, embedded_SE), *pairs, case["margin"])
    (gradient_SE,) = torch.autograd.grad(value, embedded_SE)
    assert float(value.detach()) == pytest.approx(case["value"], rel=1e-8)
    torch.testing.assert_close(gradient_SE, torch.tensor(case["gradient"]).double(), rtol=1e-6, atol=1e-7)


def test_closed_form() -> None:
    distance_SS = torch.tensor([[0.0, 3.0, 1.0], [3.0, 0.0, 9.0], [1.0, 9.0, 0.0]])
    same_SS = torch.tensor([[0, 1, 0], [1, 0, 0], [0, 0, 0]]).bool()
    different_SS = torch.tensor([[0, 0, 1], [0, 0, 1], [1, 1, 0]]).bool()
    # attraction ½ · 3²; repulsion ½ · (5 − 1)² for one pair, none for the one at 9
    assert float(contrastive(distance_SS, same_SS, different_SS, 5.0)) == pytest.approx(4.5 + (8 + 0) / 2)


@pytest.mark.parametrize("side", [0, 1])
def test_only_one_kind_of_pairs_gives_zero(side: int) -> None:
    distance_SS = torch.rand(3, 3, requires_grad=True)
    masks = [torch.ones(3, 3).bool(), torch.zeros(3, 3).bool()]
    loss = contrastive(distance_SS, masks[side], masks[1 - side], 1.0)
    (gradient_SS,) = torch.autograd.grad(loss, distance_SS)
    assert float(loss.detach()) == 0 and not gradient_SS.any()


def by_loops(objective: Siamese, batch: Views) -> float:
    """Every segment of one augmentation with every one of the other in the same clip; nothing cut off."""
    assert batch.other_BFM is not None and batch.other_counts_B is not None
    size, margin = objective.settings.segment_frames, objective.settings.margin
    near, far = [], []
    for row, (count, other) in enumerate(
        zip(batch.frame_counts_B.tolist(), batch.other_counts_B.tolist(), strict=True)
    ):
        if count != other:
            continue
        for i in range(count // size):
            for j in range(count // size):
                a, b = batch.frames_BFM[row, i * size : (i + 1) * size], batch.other_BFM[row, j * size : (j + 1) * size]
                d = float((objective.embed.project(a.mean(0)) - objective.embed.project(b.mean(0))).norm())
                if i == j:
                    near.append(d * d / 2)
                else:
                    far.append(max(0, margin - d) ** 2 / 2)
    return sum(near) / len(near) + sum(far) / len(far)


def test_moments_agree_with_a_plain_loop_and_clips_of_other_speed_are_left_out() -> None:
    objective, batch = small(shift=0), heard([20, 12, 17, 8], [20, 12, 16, 8])
    with torch.no_grad():
        value = float(objective(Echo(), batch, torch.Generator()).losses["siamese"])
        assert value == pytest.approx(by_loops(objective, batch), rel=1e-5)


@pytest.mark.parametrize("seed", range(5))
def test_whatever_is_cut_off_moments_stay_the_same(seed: int) -> None:
    objective, batch = small(shift=3, margin=0.01), heard([40, 22, 33])
    same = batch._replace(other_BFM=batch.frames_BFM)
    facts = objective(Echo(), same, torch.Generator().manual_seed(seed)).facts  # the last segment is half a one
    assert facts["distance_same"] == 0 and facts["distance_different"] > 0.05


def test_no_more_is_cut_off_than_said_nor_than_a_third() -> None:
    drawn = torch.stack([torch.stack(offcuts(torch.tensor([30, 7, 2, 0]), 4, g)) for g in generators(200)])
    assert drawn.amax((0, 1)).tolist() == [4, 2, 0, 0] and drawn.amin() == 0
    assert not torch.equal(drawn[:, 0], drawn[:, 1])


def generators(number: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in range(number)]


def test_earlier_counts_end_with_a_whole_segment() -> None:
    counts_B, end_B = torch.tensor([22, 22, 22, 20, 20]), torch.tensor([0, 1, 2, 0, 1])
    assert earlier(counts_B, end_B, 4).tolist() == [22, 20, 16, 20, 16]


def test_later_frames() -> None:
    frames_BFM = torch.arange(10.0).view(2, 5, 1)
    found = later(frames_BFM, torch.tensor([0, 3]))[..., 0]
    assert found[0].tolist() == [0, 1, 2, 3, 4] and found[1, :2].tolist() == [8, 9]


def test_a_moment_is_in_no_clip_but_its_own() -> None:
    """Two clips in one batch give the same pairs as each alone."""
    objective, both = small(shift=0), heard([16, 16])
    assert both.other_BFM is not None and both.other_counts_B is not None
    values = [objective(Echo(), both, torch.Generator()).losses["siamese"]]
    for row in range(2):
        each = slice(row, row + 1)
        alone = Views(both.frames_BFM[each], both.frame_counts_B[each], both.other_BFM[each], both.other_counts_B[each])
        values.append(objective(Echo(), alone, torch.Generator()).losses["siamese"])
    torch.testing.assert_close(values[0], (values[1] + values[2]) / 2)


def test_classes_agree_with_pairs_of_whole_clips() -> None:
    objective, batch = small(positives="class", classes="word", segment_frames=0), heard([12, 9, 14, 11, 8])
    z = [objective.embed.project(f[:c].mean(0)) for f, c in zip(batch.frames_BFM, batch.frame_counts_B, strict=True)]
    d = {(i, j): float((z[i] - z[j]).detach().norm()) for i in range(5) for j in range(i)}
    near = [x * x / 2 for (i, j), x in d.items() if (i - j) % 2 == 0]
    far = [max(0, 0.5 - x) ** 2 / 2 for (i, j), x in d.items() if (i - j) % 2]
    found = objective(Echo(), batch, torch.Generator())
    assert float(found.losses["siamese"].detach()) == pytest.approx(
        sum(near) / len(near) + sum(far) / len(far), rel=1e-5
    )


def test_the_seed_says_what_is_cut_off() -> None:
    objective, batch = small(), heard([60, 48, 52])
    first, again, *others = (
        objective(Echo(), batch, torch.Generator().manual_seed(seed)).losses["siamese"] for seed in (0, 0, 1, 2, 3)
    )
    assert torch.equal(first, again) and any(not torch.equal(first, other) for other in others)


@pytest.mark.parametrize(
    ("settings", "needs"),
    [
        ({}, {"other"}),
        ({"positives": "class"}, {"other", "classes"}),
        ({"positives": "class", "classes": "word"}, {"classes"}),
    ],
)
def test_what_it_needs_is_what_the_settings_say(settings: dict[str, Any], needs: set[str]) -> None:
    assert small(**settings).needs == needs


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"positives": "all"}, "positives is 'all', must be one of moment, class"),
        ({"margin": 0.0}, "margin is 0.0, must be > 0"),
        ({"shift": -1}, "shift is -1, must be 0 or more"),
        ({"segment_frames": 0}, "segment_frames is 0, whole clips, which have no moments"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        SiameseSettings(**settings)
