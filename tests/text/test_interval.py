"""The interval of an error rate: how often it holds the truth, what clusters do, and the ends."""

import numpy as np
import pytest

from earful.text.interval import interval_of, student


@pytest.mark.parametrize(("count", "least"), [(3, 0.91), (4, 0.91), (10, 0.91), (50, 0.92)])
def test_it_holds_the_rate_of_all_others(count: int, least: float) -> None:
    """Clips of uneven length and difficulty, as real ones are: 95 of 100 intervals hold the rate of ever so many."""
    random = np.random.default_rng(count)
    lengths = random.integers(10, 80, 20_000)
    errors = random.binomial(lengths, random.beta(2, 5, len(lengths)))
    truth, inside = errors.sum() / lengths.sum(), 0
    for _ in range(1000):
        drawn = random.integers(0, len(lengths), count)
        low, high = interval_of(errors[drawn], lengths[drawn])
        inside += low <= truth <= high
    assert least <= inside / 1000 <= 0.985


def test_clips_of_one_speaker_count_as_one() -> None:
    """Eight speakers, each as hard as another, of twenty clips each: by clips alone the interval is far too narrow."""
    random, inside = np.random.default_rng(1), {"clips": 0, "speakers": 0}
    speakers = np.repeat(np.arange(8), 20)
    for _ in range(400):
        errors = random.binomial(40, random.beta(4, 10, 8)[speakers])
        for name, clusters in (("clips", ()), ("speakers", speakers.tolist())):
            low, high = interval_of(errors, [40] * 160, clusters)
            inside[name] += low <= 4 / 14 <= high
    assert inside["clips"] < 0.6 * 400 and inside["speakers"] > 0.9 * 400


def test_the_ends() -> None:
    assert interval_of([3], [10]) == (0.0, 1.0) and interval_of([30], [10]) == (0.0, 3.0), "one says nothing"
    assert interval_of([3, 4], [10, 10], ["a", "a"]) == (0.0, 1.0)
    low, high = interval_of([0] * 10, [50] * 10)
    assert low == 0 and 1 / 500 < high < 0.05, "nothing wrong in ten clips is no proof"
    assert interval_of([0] * 3, [50] * 3)[1] > high
    low, high = interval_of([2, 2, 2], [10, 10, 10])
    assert low == pytest.approx(0.2) and high == pytest.approx(0.2), "all alike"
    assert interval_of([9, 1], [10, 10])[1] == 1.0, "no more than all is wrong"


def test_student() -> None:
    """Tables have 12.706, 4.303, 3.182, 2.776, 2.228, 2.042."""
    for freedom, value in ((1, 12.706), (2, 4.303), (3, 3.182), (4, 2.776), (10, 2.228), (30, 2.042)):
        assert student(freedom) == pytest.approx(value, rel=2e-3)
