"""Windows of a long recording: their own parts are all of it, once, whatever lies around them."""

import pytest
import torch

from earful.features.windows import windows


@pytest.mark.parametrize("count", [1, 100, 101, 250, 300])
def test_own_parts_are_the_whole_once(count: int) -> None:
    whole = torch.arange(count)
    found = list(windows(torch.split(whole, 100), 20))
    assert torch.cat([w.content[w.own(1.0, 1.0)] for w in found]).equal(whole)
    assert torch.cat([w.content[::10][w.own(1.0, 10.0)] for w in found]).equal(whole[::10])


def test_the_neighbours_are_heard() -> None:
    first, middle, last = windows(torch.split(torch.arange(250), 100), 20)
    assert (first.first, len(first.content)) == (0, 120)
    assert (middle.first, len(middle.content)) == (80, 140)
    assert (last.first, len(last.content), last.is_last) == (180, 70, True)
