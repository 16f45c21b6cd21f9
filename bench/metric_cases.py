"""What pytorch-metric-learning says of small batches of embeddings, for tests/pretrain: losses and their gradients.

The package (Musgrave et al. 2020) is no dependency of earful: run this in an environment that has `torch` and
`pytorch-metric-learning`, which brings scikit-learn. All in float64.

It has no loss of Hadsell's and none of Snell's by name. Hadsell's is put together from its distances and hinges of
single pairs, squared and halved here; Snell's is its NCA loss with the prototypes as the references.

    python bench/metric_cases.py --out tests/pretrain/metric_cases.json
"""

import argparse
import json
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pytorch_metric_learning.distances import LpDistance
from pytorch_metric_learning.losses import ContrastiveLoss, NCALoss, NTXentLoss, TripletMarginLoss
from pytorch_metric_learning.miners import BatchHardMiner
from pytorch_metric_learning.reducers import DoNothingReducer, MeanReducer
from torch import Tensor

SEED = 0
DIGITS = 12  # of the answers; the tests compare eight
EUCLID = {"distance": LpDistance(normalize_embeddings=False, p=2, power=1)}
SQUARED = {"distance": LpDistance(normalize_embeddings=False, p=2, power=2)}
Case = dict[str, Any]


def simclr(embedded_SE: Tensor, case: Case) -> Tensor:
    """The classes are the halves' rows: the first half of the batch belongs to the second."""
    loss = NTXentLoss(temperature=case["temperature"], reducer=MeanReducer())
    return loss(embedded_SE, torch.tensor(case["classes"]))


def siamese(embedded_SE: Tensor, case: Case) -> Tensor:
    """The means over pairs of ½ d² and of ½ max(0, margin − d)², added."""
    pairs = ContrastiveLoss(pos_margin=0, neg_margin=case["margin"], reducer=DoNothingReducer(), **EUCLID)
    found = pairs(embedded_SE, torch.tensor(case["classes"]))
    return sum(found[key]["losses"].square().mean() / 2 for key in ("pos_loss", "neg_loss"))


def triplet(embedded_SE: Tensor, case: Case) -> Tensor:
    """Batch hard; a margin of zero stands for the soft margin."""
    mined = BatchHardMiner(**EUCLID)(embedded_SE, torch.tensor(case["classes"]))
    loss = TripletMarginLoss(case["margin"], smooth_loss=not case["margin"], reducer=MeanReducer(), **EUCLID)
    return loss(embedded_SE, torch.tensor(case["classes"]), mined)


def prototypical(embedded_SE: Tensor, case: Case) -> Tensor:
    """NCA of the queries by the prototypes."""
    support_S, class_S = torch.tensor(case["support"]), torch.tensor(case["classes"])
    known = sorted(set(case["classes"]))
    prototypes_KE = torch.stack([embedded_SE[support_S & (class_S == each)].mean(0) for each in known])
    loss = NCALoss(reducer=MeanReducer(), **SQUARED)
    return loss(embedded_SE[~support_S], class_S[~support_S], ref_emb=prototypes_KE, ref_labels=torch.tensor(known))


LOSSES: dict[str, Callable[[Tensor, Case], Tensor]] = {
    "simclr": simclr,
    "siamese": siamese,
    "triplet": triplet,
    "prototypical": prototypical,
}
FOUR, UNEVEN = [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3], [5, 0, 0, 5, 9, 0, 0, 9, 5, 0]
# loss, name, classes, how much embeddings are stretched, what else it is asked
CASES: list[tuple[str, str, list[int], float, Case]] = [
    ("simclr", "plain", [0, 1, 2, 3, 4] * 2, 1, {"temperature": 0.5}),
    ("simclr", "cold", [0, 1, 2, 3] * 2, 1, {"temperature": 0.05}),
    ("simclr", "two clips, long embeddings", [0, 1] * 2, 20, {"temperature": 0.2}),
    ("siamese", "plain", FOUR, 1, {"margin": 2.5}),
    ("siamese", "uneven classes", UNEVEN, 0.5, {"margin": 1.0}),
    ("siamese", "all negatives far enough", [0, 0, 1, 1], 30, {"margin": 0.5}),
    ("triplet", "margin", FOUR, 1, {"margin": 0.3}),
    ("triplet", "margin, uneven classes", UNEVEN, 1, {"margin": 1.0}),
    ("triplet", "soft margin", FOUR, 1, {"margin": 0.0}),
    ("triplet", "soft margin, one of a kind", [0, 0, 1, 2, 2, 2], 3, {"margin": 0.0}),
    ("prototypical", "plain", FOUR, 1, {"support": [1, 1, 0] * 4}),
    ("prototypical", "uneven classes", UNEVEN, 1, {"support": [1, 1, 1, 0, 1, 0, 0, 0, 1, 1]}),
    ("prototypical", "a class without queries", [4, 4, 7, 2, 2, 2], 2, {"support": [1, 0, 1, 0, 1, 1]}),
]


def rounded(x: Tensor) -> Any:
    """Nested lists, each number to DIGITS significant digits."""
    return np.vectorize(lambda each: float(f"{each:.{DIGITS}g}"))(x.detach().numpy()).tolist()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    out = parser.parse_args().out
    draw, cases = np.random.default_rng(SEED), []
    for loss, name, classes, stretch, asked in CASES:
        embedded_SE = (draw.normal(size=(len(classes), 4)) * stretch).round(2)
        case = {"loss": loss, "name": name, "classes": classes} | asked
        if "support" in case:
            case["support"] = [bool(each) for each in case["support"]]
        given_SE = torch.tensor(embedded_SE, requires_grad=True)
        value = LOSSES[loss](given_SE, case)
        (gradient_SE,) = torch.autograd.grad(value, given_SE)
        found = {"embedded": embedded_SE.tolist(), "value": rounded(value), "gradient": rounded(gradient_SE)}
        cases.append(case | found)
    facts = {
        "what": "losses of pytorch-metric-learning on embeddings [segments, 4], and their gradients by the embeddings",
        "made_by": "bench/metric_cases.py",
        "seed": SEED,
        "pytorch-metric-learning": version("pytorch-metric-learning"),
        "torch": version("torch"),
        "numpy": np.__version__,
    }
    lines = ",\n".join(json.dumps(case) for case in cases)
    head = json.dumps(facts, indent=1).removesuffix("\n}")
    out.write_text(f'{head},\n "cases": [\n{lines}\n]\n}}\n', "utf-8")


if __name__ == "__main__":
    main()
