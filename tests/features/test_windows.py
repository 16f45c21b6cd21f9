"""Windows of a long recording: their own parts are all of it, once, whatever lies around them."""

import numpy as np
import pytest

from earful.features.windows import windows


def pieces(whole: np.ndarray) -> list[np.ndarray]:
    return np.split(whole, range(100, len(whole), 100))


@pytest.mark.parametrize("count", [1, 100, 101, 250, 300])
def test_own_parts_are_the_whole_once(count: int) -> None:
    whole = np.arange(count)
    found = list(windows(pieces(whole), 20))
    assert np.concatenate([w.content[w.own(1.0, 1.0)] for w in found]).tolist() == whole.tolist()
    assert np.concatenate([w.content[::10][w.own(1.0, 10.0)] for w in found]).tolist() == whole[::10].tolist()


def test_the_neighbours_are_heard() -> None:
    first, middle, last = windows(pieces(np.arange(250)), 20)
    assert (first.first, len(first.content)) == (0, 120)
    assert (middle.first, len(middle.content)) == (80, 140)
    assert (last.first, len(last.content), last.is_last) == (180, 70, True)
