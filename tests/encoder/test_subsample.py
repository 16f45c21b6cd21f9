import pytest
import torch

from earful.encoder.encoder import SUBSAMPLINGS
from earful.encoder.subsample import STRIDES, Subsample, subsampled_counts


@pytest.mark.parametrize("subsampling", SUBSAMPLINGS)
def test_counts_are_those_of_the_strides(subsampling: int) -> None:
    counts = torch.arange(0, 200)
    by_stride = counts
    for stride in STRIDES[subsampling]:
        by_stride = subsampled_counts(by_stride, stride)
    assert torch.equal(by_stride, subsampled_counts(counts, subsampling))
    assert subsampled_counts(counts, subsampling).tolist() == [-(-n // subsampling) for n in range(200)]


@pytest.mark.parametrize("bins", [1, 2, 3, 5, 40, 80])
def test_any_number_of_bins(bins: int) -> None:
    front = Subsample(bins, 6, 4, 0.0)
    hidden_BFD, counts_B, valid_BF = front(torch.randn(2, 9, bins), torch.tensor([9, 4]))
    assert hidden_BFD.shape == (2, 3, 6)
    assert counts_B.tolist() == [3, 1]
    assert valid_BF.tolist() == [[True, True, True], [True, False, False]]


@pytest.mark.parametrize("subsampling", SUBSAMPLINGS)
def test_hidden_frame_is_centred_on_its_input_frame(subsampling: int) -> None:
    front = Subsample(8, 4, subsampling, 0.0)
    # Without the mean, so that only the reach of the two convolutions shows.
    front.normalise.forward = lambda frames, valid: frames  # type: ignore[method-assign]
    frames_BFM = torch.randn(1, 41, 8, requires_grad=True)
    hidden_BFD, _, _ = front(frames_BFM, torch.tensor([41]))
    (gradient_BFM,) = torch.autograd.grad(hidden_BFD[0, 5].sum(), frames_BFM)
    reached = gradient_BFM[0].abs().sum(dim=1).nonzero().flatten().tolist()
    assert (reached[0] + reached[-1]) / 2 == 5 * subsampling
