import pytest
import torch

from earful.encoder.encoder import EncoderConfig
from earful.encoder.subsample import STRIDES, Project, Subsample, entrance, subsampled_counts


@pytest.mark.parametrize("subsampling", STRIDES)
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


@pytest.mark.parametrize("subsampling", STRIDES)
def test_hidden_frame_is_centred_on_its_input_frame(subsampling: int) -> None:
    front = Subsample(8, 4, subsampling, 0.0)
    # Without the mean, so that only the reach of the two convolutions shows.
    front.normalise.forward = lambda frames, valid: frames  # type: ignore[method-assign]
    frames_BFM = torch.randn(1, 41, 8, requires_grad=True)
    hidden_BFD, _, _ = front(frames_BFM, torch.tensor([41]))
    (gradient_BFM,) = torch.autograd.grad(hidden_BFD[0, 5].sum(), frames_BFM)
    reached = gradient_BFM[0].abs().sum(dim=1).nonzero().flatten().tolist()
    assert (reached[0] + reached[-1]) / 2 == 5 * subsampling


def test_frames_at_a_low_rate_already_are_only_projected() -> None:
    entrance_of = entrance(EncoderConfig(bins=6, width=4, heads=2, subsampling=1, dropout=0.0))
    frames_BFM = torch.randn(2, 5, 6)
    hidden_BFD, counts_B, valid_BF = entrance_of(frames_BFM, torch.tensor([5, 3]))
    assert counts_B.tolist() == [5, 3] and valid_BF.sum(1).tolist() == [5, 3]
    assert isinstance(entrance_of, Project) and not hidden_BFD[1, 3:].any()
    alone_BFD, _, _ = entrance_of(frames_BFM[1:, :3], torch.tensor([3]))
    assert torch.allclose(alone_BFD[0], hidden_BFD[1, :3], atol=1e-6)
    louder_BFD, _, _ = entrance_of(frames_BFM + 7.0, torch.tensor([5, 3]))
    assert torch.allclose(louder_BFD, hidden_BFD, atol=1e-5), "a channel's constant is taken away"
