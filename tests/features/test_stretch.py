import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from earful.features.stretch import stretched


def test_a_ramp_stays_a_ramp() -> None:
    """By linear interpolation, with both ends where they were."""
    ramp_FM = torch.arange(21.0)[:, None] * torch.tensor([1.0, -2.0])
    for count in (11, 41, 18):
        expected_F = torch.linspace(0, 20, count)
        assert torch.allclose(stretched(ramp_FM, count), expected_F[:, None] * torch.tensor([1.0, -2.0]), atol=1e-5)


def test_what_happens_early_and_late_stays_early_and_late() -> None:
    frames_FM = torch.zeros(100, 3)
    frames_FM[20:30, 0], frames_FM[80:90, 2] = 1.0, 1.0
    slow_FM = stretched(frames_FM, 150)
    assert slow_FM[:, 0].nonzero().min() == 29 and slow_FM[:, 2].nonzero().min() == 119
    assert not slow_FM[:, 1].any(), "bins do not mix"


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40), st.integers(1, 60), st.sampled_from([torch.float16, torch.bfloat16, torch.float32]))
def test_shape_and_type_and_bounds(frames: int, count: int, kind: torch.dtype) -> None:
    given_FM = torch.randn(frames, 4, generator=torch.Generator().manual_seed(frames)).to(kind)
    kept = given_FM.clone()
    found_FM = stretched(given_FM, count)
    assert found_FM.shape == (count, 4) and found_FM.dtype == kind and torch.equal(given_FM, kept)
    assert (found_FM <= given_FM.amax(0)).all() and (found_FM >= given_FM.amin(0)).all()


@pytest.mark.parametrize("count", [1, 7])
def test_as_many_frames_are_the_same_frames(count: int) -> None:
    frames_FM = torch.randn(count, 2)
    assert stretched(frames_FM, count) is frames_FM
