"""What CTC's recursions may run over: the least frames of labels, and the first item that is wrong, by name."""

from typing import Any

import pytest
import torch

from earful.ctc.lattice import Lattice, check, frames_needed

FRAMES, BATCH, SYMBOLS = 4, 2, 3


def checked(labels: list[list[int]], frames: list[int], counts: list[int], blank: int = 0, batch: int = BATCH) -> None:
    lattice = Lattice(torch.tensor(labels), torch.tensor(frames), torch.tensor(counts), blank)
    check(torch.zeros(FRAMES, batch, SYMBOLS), lattice)


RIGHT: dict[str, Any] = {"labels": [[1, 2, 1], [2, 1, 2]], "frames": [4, 4], "counts": [3, 3]}


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"frames": [0, 4]},
        {"counts": [0, 3]},
        {"labels": [[1, 0, 0], [2, 1, 0]], "counts": [1, 2]},  # padding is not looked at
        {"labels": [[1, -1, 3], [2, 9, 0]], "counts": [1, 1]},
        {"blank": 2, "labels": [[0, 1, 0], [1, 0, 1]]},
    ],
)
def test_what_is_in_range_is_taken(changed: dict[str, Any]) -> None:
    checked(**RIGHT | changed)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"frames": [4, -1]}, "item 1 of the batch: input length outside 0…4"),
        ({"frames": [5, 4]}, "item 0 of the batch: input length outside 0…4"),
        ({"counts": [3, -1]}, "item 1 of the batch: target length outside 0…3"),
        ({"counts": [4, 4]}, "item 0 of the batch: target length outside 0…3"),
        ({"labels": [[1, 2, 1], [3, 1, 2]]}, r"item 1 of the batch: label id outside 0…2, or the blank \(0\)"),
        ({"labels": [[1, 2, 1], [2, 1, -1]]}, "item 1 of the batch: label id outside 0…2"),
        ({"labels": [[1, 2, 0], [2, 1, 2]]}, "item 0 of the batch: label id outside 0…2"),
        ({"blank": 3}, "the blank must be an id below 3, got 3"),
        ({"blank": -1}, "the blank must be an id below 3, got -1"),
        ({"batch": 3}, r"expected labels \[3, L\] and 3 lengths, got labels \[2, 3\]"),
        ({"frames": [4]}, r"expected labels \[2, L\] and 2 lengths"),
        ({"counts": [3, 3, 3]}, r"expected labels \[2, L\] and 2 lengths"),
    ],
)
def test_what_is_out_of_range_is_named(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        checked(**RIGHT | changed)


@pytest.mark.parametrize(("labels", "frames"), [([], 0), ([1], 1), ([1, 2], 2), ([1, 1], 3), ([1, 1, 1, 2, 2], 8)])
def test_equal_neighbours_need_a_blank_between_them(labels: list[int], frames: int) -> None:
    assert frames_needed(labels) == frames
