"""k-means: units for masked prediction, from frames of any kind (MFCCs, hidden frames of a trained encoder).

Lloyd's algorithm (Lloyd 1982) from centres drawn far apart (Arthur and Vassilvitskii 2007, "k-means++"). Rows are read
block by block, so they may be float16, or mapped into memory; in addition two numbers per row are held.
"""

import torch
from torch import Tensor

from earful.errors import ConfigError

BLOCK_NUMBERS = 1 << 22
START_ROWS = 100
"""The largest block in numbers (16 MB); the number of rows per centre from which the first centres are drawn."""


def fit_centres(
    rows_ND: Tensor, count: int, generator: torch.Generator, iterations: int = 100, tolerance: float = 1e-5
) -> Tensor:
    """The centres of `count` clusters of the rows, float32 [C, D]; draws from `generator`.

    Ends when the sum of squared distances falls by no more than a share `tolerance`, at the latest after `iterations`.
    A cluster that has lost all rows restarts from a row that is far from its own centre.

    Raises:
        ConfigError: there are fewer rows than clusters.

    >>> rows_ND = torch.tensor([[0.0], [1.0], [10.0], [11.0]])
    >>> fit_centres(rows_ND, 2, torch.Generator().manual_seed(0)).sort(0).values
    tensor([[ 0.5000],
            [10.5000]])
    """
    if not 1 <= count <= len(rows_ND):
        raise ConfigError(f"{count} clusters were asked for, of {len(rows_ND)} rows; ask for 1 to {len(rows_ND)}")
    centres_CD, before = _start(rows_ND, count, generator), float("inf")
    for _ in range(iterations):
        ids_N, distance_N = nearest(rows_ND, centres_CD)
        total = float(distance_N.double().sum())
        if total >= (1 - tolerance) * before:
            break
        centres_CD, before = means(rows_ND, ids_N, distance_N, count), total
    return centres_CD


def assign(rows_ND: Tensor, centres_CD: Tensor) -> Tensor:
    """The nearest centre of each row, ids [N]."""
    return nearest(rows_ND, centres_CD)[0]


def nearest(rows_ND: Tensor, centres_CD: Tensor) -> tuple[Tensor, Tensor]:
    """The nearest centre of each row, ids [N], and the squared distance to it, float32 [N]."""
    # ‖x − c‖² = ‖x‖² − 2xc + ‖c‖² loses digits far from zero: so zero is put amid the centres.
    middle_D = centres_CD.mean(0)
    centred_CD = centres_CD - middle_D
    found = [_nearest(block_ND.float() - middle_D, centred_CD) for block_ND in _blocks(rows_ND, len(centres_CD))]
    ids, distances = zip(*found, strict=True)
    return torch.cat(ids), torch.cat(distances)


def _nearest(rows_ND: Tensor, centres_CD: Tensor) -> tuple[Tensor, Tensor]:
    least_N, ids_N = (centres_CD.square().sum(1) - 2 * rows_ND @ centres_CD.T).min(1)
    return ids_N, (rows_ND.square().sum(1) + least_N).clamp(min=0)


def _blocks(rows_ND: Tensor, count: int) -> tuple[Tensor, ...]:
    return torch.split(rows_ND, max(1, BLOCK_NUMBERS // max(count, rows_ND.shape[1])))


def means(rows_ND: Tensor, ids_N: Tensor, distance_N: Tensor, count: int) -> Tensor:
    """The mean of each cluster's rows; empty clusters get the rows that are farthest from their centres, one each."""
    sums_CD = torch.zeros(count, rows_ND.shape[1], dtype=torch.float64, device=rows_ND.device)
    begin = 0
    for block_ND in _blocks(rows_ND, count):
        sums_CD.index_add_(0, ids_N[begin : begin + len(block_ND)], block_ND.double())
        begin += len(block_ND)
    size_C = torch.bincount(ids_N, minlength=count)
    centres_CD = (sums_CD / size_C.clamp(min=1)[:, None]).float()
    empty = (size_C == 0).nonzero()[:, 0]
    centres_CD[empty] = rows_ND[distance_N.topk(len(empty)).indices].float()
    return centres_CD


def _start(rows_ND: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """The first centres: rows, drawn in proportion to their squared distance from the centres before."""
    drawn_N = torch.randperm(len(rows_ND), generator=generator, device=generator.device)[: START_ROWS * count]
    sample_ND = rows_ND[drawn_N.to(rows_ND.device)].float()  # drawn in this order, the first row is a random one
    chosen, distance_N = [0], torch.full((len(sample_ND),), torch.inf, device=rows_ND.device)
    while len(chosen) < count:
        distance_N = torch.minimum(distance_N, (sample_ND - sample_ND[chosen[-1]]).square().sum(1))
        chance_N = distance_N.to(generator.device, torch.float64).clamp(min=1e-300)  # should all rows be alike
        chosen.append(int(torch.multinomial(chance_N, 1, generator=generator)))
    return sample_ND[chosen]
