"""Weights in one byte each."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from earful.int8 import from_int8, to_int8


@given(st.integers(0, 10_000), st.integers(1, 5), st.integers(1, 40), st.floats(-12, 6))
def test_close_and_the_same_when_rounded_again(seed: int, rows: int, columns: int, magnitude: float) -> None:
    weight = torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed)) * 10**magnitude
    integers, scale = to_int8(weight)
    once = from_int8(integers, scale)
    largest_N1 = weight.abs().amax(-1, keepdim=True)
    assert integers.dtype == torch.int8
    assert bool(((once - weight).abs() <= largest_N1 * (0.5 + 0.26) / 127).all())
    again, same_scale = to_int8(once)
    assert torch.equal(again, integers) and torch.equal(same_scale, scale)


def test_a_row_of_zeros_and_more_dimensions() -> None:
    weight = torch.tensor([[[0.0, 0.0], [1.0, -0.5]], [[2.0, 0.02], [-3.0, 3.0]]])
    integers, scale = to_int8(weight)
    assert integers.tolist() == [[[0, 0], [127, -64]], [[127, 1], [-127, 127]]] and scale.shape == (2, 2)
    assert torch.isfinite(from_int8(integers, scale)).all()
