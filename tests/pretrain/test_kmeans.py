"""k-means: separated clusters are found, tiny inputs are solved as by trying all partitions, blocks change nothing."""

from itertools import pairwise, product

import pytest
import torch

from earful.errors import ConfigError
from earful.pretrain import kmeans
from earful.pretrain.kmeans import assign, fit_centres, means, nearest


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def cost(rows: torch.Tensor, centres: torch.Tensor) -> float:
    return float(nearest(rows, centres)[1].double().sum())


@pytest.mark.parametrize("offset", [0.0, 1e5])
def test_separated_clusters_are_found(offset: float) -> None:
    """Far from zero too, where squares of float32 have lost the distances."""
    places = 20 * torch.eye(6) + offset
    members = torch.arange(6).repeat(50)
    rows = places[members] + torch.randn(300, 6, generator=seeded())
    for seed in range(5):
        ids = assign(rows, fit_centres(rows, 6, seeded(seed)))
        of_cluster = [set(ids[members == member].tolist()) for member in range(6)]
        assert all(len(found) == 1 for found in of_cluster) and len(set.union(*of_cluster)) == 6


def test_the_best_of_some_starts_is_the_best_partition() -> None:
    rows = torch.randn(7, 2, generator=seeded(3))
    best = min(
        sum(float((part - part.mean(0)).square().sum()) for k in range(3) if len(part := rows[torch.tensor(ids) == k]))
        for ids in product(range(3), repeat=7)
    )
    costs = [cost(rows, fit_centres(rows, 3, seeded(seed), tolerance=0.0)) for seed in range(30)]
    assert min(costs) == pytest.approx(best, rel=1e-4) and all(each > best * (1 - 1e-4) for each in costs)


def test_centres_are_the_means_of_their_rows() -> None:
    rows = torch.randn(200, 3, generator=seeded())
    centres = fit_centres(rows, 5, seeded(), tolerance=0.0)
    ids = assign(rows, centres)
    for cluster in range(5):
        torch.testing.assert_close(centres[cluster], rows[ids == cluster].mean(0))


def test_assignment_by_loops() -> None:
    rows, centres = torch.randn(40, 3, generator=seeded()), torch.randn(6, 3, generator=seeded(1))
    ids, distances = nearest(rows, centres)
    for row, found, distance in zip(rows, ids.tolist(), distances.tolist(), strict=True):
        all_distances = [float((row - centre).square().sum()) for centre in centres]
        assert found == all_distances.index(min(all_distances))
        assert distance == pytest.approx(min(all_distances), abs=1e-5)
    assert torch.equal(assign(rows, centres), ids)


def test_more_iterations_cost_no_more() -> None:
    rows = torch.randn(400, 4, generator=seeded())
    costs = [cost(rows, fit_centres(rows, 20, seeded(), iterations=n, tolerance=0.0)) for n in range(12)]
    assert all(after <= before * (1 + 1e-6) for before, after in pairwise(costs))
    assert costs[-1] < 0.95 * costs[0]


def test_the_seed_says_all_and_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = torch.randn(500, 4, generator=seeded())
    first, again, other = (fit_centres(rows, 10, seeded(seed)) for seed in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, other)
    sizes = []
    whole = kmeans._nearest
    monkeypatch.setattr(kmeans, "BLOCK_NUMBERS", 70)
    monkeypatch.setattr(kmeans, "_nearest", lambda rows, centres: (sizes.append(len(rows)), whole(rows, centres))[1])
    torch.testing.assert_close(fit_centres(rows, 10, seeded()), first)
    assert max(sizes) == 7


def test_an_empty_cluster_goes_on_from_a_far_row() -> None:
    rows = torch.tensor([[0.0], [1.0], [2.0], [9.0], [5.0]])
    centres = torch.tensor([[1.0], [100.0], [200.0]])
    assert means(rows, *nearest(rows, centres), 3)[:, 0].tolist() == pytest.approx([17 / 5, 9.0, 5.0])


def test_first_centres_lie_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """In 1000 rows at 0 and one at 1, drawing without regard to distance would miss the one nearly always."""
    rows = torch.cat((torch.zeros(1000, 1), torch.ones(1, 1)))
    monkeypatch.setattr(kmeans, "START_ROWS", 1001)
    assert fit_centres(rows, 2, seeded(), iterations=0).sort(0).values.tolist() == [[0.0], [1.0]]


def test_rows_that_are_all_alike_end_well() -> None:
    centres = fit_centres(torch.ones(10, 3), 4, seeded())
    assert torch.equal(centres, torch.ones(4, 3))


def test_rows_may_be_float16() -> None:
    rows = torch.randn(100, 4, generator=seeded()).half()
    assert torch.equal(fit_centres(rows, 3, seeded()), fit_centres(rows.float(), 3, seeded()))


def test_as_many_clusters_as_rows_are_the_rows_and_more_are_refused() -> None:
    rows = torch.randn(6, 2, generator=seeded())
    centres = fit_centres(rows, 6, seeded())
    torch.testing.assert_close(centres[centres[:, 0].argsort()], rows[rows[:, 0].argsort()])
    for count in (0, 7):
        with pytest.raises(ConfigError, match=f"{count} clusters were asked for, of 6 rows"):
            fit_centres(rows, count, seeded())
