"""The CTC loss against optax, another hand's: value, gradient and Hessian by a direction, by either kernel.

bench/optax_cases.py wrote the cases.
"""

import json
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from earful.ctc import kernel_cpu, kernel_torch, loss

FILE = Path(__file__).with_name("optax_cases.json")
CASES: list[dict[str, Any]] = json.loads(FILE.read_text("utf-8"))["cases"]
KERNELS = [pytest.param(kernel_cpu, id="cpu"), pytest.param(kernel_torch, id="torch")]


def close(found: Tensor, expected: list[Any]) -> None:
    torch.testing.assert_close(found.detach(), torch.tensor(expected, dtype=torch.float64), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_agrees_with_optax(case: dict[str, Any], kernel: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loss, "_kernel", lambda _: kernel)
    logits_FBV = torch.tensor(case["logits"], dtype=torch.float64, requires_grad=True)
    direction_FBV = torch.tensor(case["direction"], dtype=torch.float64)
    labels_BL = pad_sequence([torch.tensor(row, dtype=torch.long) for row in case["labels"]], batch_first=True)
    counts = case["frame_counts"], [len(row) for row in case["labels"]]
    losses_B = loss.ctc_loss(logits_FBV, labels_BL, *counts, blank=case["blank"], reduction="none", logits=True)
    (gradient_FBV,) = torch.autograd.grad(losses_B.sum(), logits_FBV, create_graph=True)
    (change_FBV,) = torch.autograd.grad(gradient_FBV, logits_FBV, direction_FBV)
    close(losses_B, case["losses"])
    close(gradient_FBV, case["gradient"])
    close(change_FBV, case["change"])


def test_the_cases_are_of_every_kind() -> None:
    rows = [row for case in CASES for row in case["labels"]]
    assert any(row == [] for row in rows) and any(a == b for row in rows for a, b in pairwise(row))
    assert any(len(set(case["frame_counts"])) > 1 for case in CASES) and {case["blank"] for case in CASES} > {0}
    assert max(max(case["losses"]) for case in CASES) > 1000
