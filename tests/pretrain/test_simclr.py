"""SimCLR: against pytorch-metric-learning's stored cases, closed forms and a plain loop."""

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
from earful.pretrain.objective import Found, Views
from earful.pretrain.simclr import SimCLR, SimCLRSettings, nt_xent, similarities

FILE = Path(__file__).with_name("metric_cases.json")
CASES = [case for case in json.loads(FILE.read_text("utf-8"))["cases"] if case["loss"] == "simclr"]


def small(pooling: str = "mean", temperature: float = 0.2) -> SimCLR:
    torch.manual_seed(1)
    return SimCLR(SimCLRSettings(pooling, 8, 4, temperature), 8)


def encoder() -> Encoder:
    config = EncoderConfig("conformer", bins=6, width=8, layers=1, heads=2, kernel=3, dropout=0.0, subsampling=2)
    return build_encoder(config, torch.Generator().manual_seed(0))


def heard(counts: list[int], others: list[int]) -> Views:
    frames_2BFM = torch.randn(2, len(counts), max(counts + others), 6, generator=torch.Generator().manual_seed(3))
    return Views(frames_2BFM[0], torch.tensor(counts), frames_2BFM[1], torch.tensor(others))


def found(objective: SimCLR, batch: Views) -> Found:
    return objective(encoder(), batch, torch.Generator().manual_seed(0))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_agrees_with_pytorch_metric_learning(case: dict[str, Any]) -> None:
    embedded_SE = torch.tensor(case["embedded"], dtype=torch.float64, requires_grad=True)
    value, _ = nt_xent(similarities(*embedded_SE.chunk(2), case["temperature"]))
    (gradient_SE,) = torch.autograd.grad(value, embedded_SE)
    assert float(value.detach()) == pytest.approx(case["value"], rel=1e-8)
    torch.testing.assert_close(gradient_SE, torch.tensor(case["gradient"]).double(), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("temperature", [0.05, 0.5, 2.0])
def test_halves_that_are_the_same_and_clips_that_are_orthogonal(temperature: float) -> None:
    unit_SE = 3 * torch.eye(5, dtype=torch.float64)
    value, accuracy = nt_xent(similarities(unit_SE, 7 * unit_SE, temperature))
    assert float(value) == pytest.approx(math.log1p(8 * math.exp(-1 / temperature)))
    assert accuracy == 1.0
    alike, _ = nt_xent(similarities(torch.ones(5, 3), torch.ones(5, 3), temperature))
    assert float(alike) == pytest.approx(math.log(9), rel=1e-6)


def by_loops(objective: SimCLR, model: Encoder, batch: Views) -> float:
    """Chen et al. 2020, eq. 1, clip by clip, each encoded alone."""
    assert batch.other_BFM is not None and batch.other_counts_B is not None
    views = ((batch.frames_BFM, batch.frame_counts_B), (batch.other_BFM, batch.other_counts_B))
    z = []
    for frames_BFM, counts_B in views:
        for frames_FM, count in zip(frames_BFM, counts_B, strict=True):
            hidden_BFD, _ = model(frames_FM[None, : int(count)], count[None])
            row_E: Tensor = objective.embed.project(hidden_BFD[0].mean(0))
            z.append(row_E / row_E.norm())
    total, size = 0.0, len(z)
    for i in range(size):
        e = [math.exp(float(z[i] @ z[k]) / objective.settings.temperature) for k in range(size)]
        total -= math.log(e[(i + size // 2) % size] / (sum(e) - e[i]))
    return total / size


def test_agrees_with_a_plain_loop() -> None:
    objective, batch = small(), heard([40, 24, 31], [36, 28, 20])
    with torch.no_grad():
        assert float(found(objective, batch).losses["simclr"]) == pytest.approx(
            by_loops(objective, encoder(), batch), rel=1e-5
        )


@pytest.mark.parametrize("pooling", ["mean", "attention"])
def test_one_clip_alone_gives_zero_and_a_gradient_of_zero(pooling: str) -> None:
    objective, model = small(pooling), encoder()
    loss = objective(model, heard([30], [26]), torch.Generator()).losses["simclr"]
    loss.backward()
    gradients = [p.grad for module in (objective, model) for p in module.parameters() if p.grad is not None]
    assert float(loss.detach()) == 0 and len(gradients) > 10 and not any(bool(g.any()) for g in gradients)


def test_a_clip_that_is_silent_in_either_augmentation_is_left_out() -> None:
    objective, batch = small(), heard([30] * 5, [30] * 5)
    kept = [0, 2, 4]
    assert batch.other_BFM is not None and batch.other_counts_B is not None
    alone = Views(batch.frames_BFM[kept], batch.frame_counts_B[kept], batch.other_BFM[kept], batch.other_counts_B[kept])
    batch.frames_BFM[1], batch.other_BFM[3] = 0.0, 2.0
    torch.testing.assert_close(found(objective, batch).losses["simclr"], found(objective, alone).losses["simclr"])


def test_nothing_is_drawn_and_the_same_is_found_again() -> None:
    generator, batch = torch.Generator().manual_seed(5), heard([30, 22], [26, 30])
    before = generator.get_state()
    objective, model = small(), encoder()
    first, again = (objective(model, batch, generator).losses["simclr"] for _ in range(2))
    assert torch.equal(first, again) and torch.equal(generator.get_state(), before)


def test_cosines_are_exact_under_bfloat16() -> None:
    first_SE, second_SE = torch.randn(2, 6, 4, generator=torch.Generator().manual_seed(0))
    with torch.autocast("cpu", torch.bfloat16):
        low_SS = similarities(first_SE, second_SE, 0.1)
    torch.testing.assert_close(low_SS, similarities(first_SE, second_SE, 0.1))


def test_it_needs_another_augmentation_and_a_temperature() -> None:
    with pytest.raises(ConfigError, match="needs other_BFM"):
        found(small(), heard([30], [30])._replace(other_BFM=None))
    with pytest.raises(ConfigError, match="temperature is 0, must be > 0"):
        SimCLRSettings(temperature=0)
