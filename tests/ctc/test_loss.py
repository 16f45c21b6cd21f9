"""The CTC loss against enumeration of all paths, and its complaints."""

import itertools

import pytest
import torch

from earful.ctc.loss import ctc_loss


def enumerated(logp_FV: torch.Tensor, labels: list[int]) -> torch.Tensor:
    paths = itertools.product(range(logp_FV.shape[1]), repeat=len(logp_FV))
    right = [list(path) for path in paths if [k for k, _ in itertools.groupby(path) if k != 0] == labels]
    return -torch.logsumexp(torch.stack([logp_FV[range(len(path)), path].sum() for path in right]), 0)


@pytest.mark.parametrize("labels", [[1, 2], [1, 1], [2], []])
def test_equals_the_sum_over_all_paths(labels: list[int]) -> None:
    logp = torch.randn(4, 3, generator=torch.Generator().manual_seed(1)).log_softmax(-1)
    padded = torch.tensor([labels + [0] * (2 - len(labels))])
    value = ctc_loss(logp[:, None], padded, torch.tensor([4]), torch.tensor([len(labels)]), reduction="sum")
    torch.testing.assert_close(value, enumerated(logp, labels))


def test_too_long_a_transcript_is_infinite_or_nothing() -> None:
    logp = torch.zeros(2, 1, 3).log_softmax(-1).requires_grad_()
    arguments = (torch.tensor([[1, 1]]), torch.tensor([2]), torch.tensor([2]))
    assert torch.isinf(ctc_loss(logp, *arguments).detach())
    nothing = ctc_loss(logp, *arguments, zero_infinity=True)
    (gradient,) = torch.autograd.grad(nothing, logp)
    assert not nothing.detach().any() and not gradient.any()


@pytest.mark.parametrize(
    ("labels", "frames", "counts", "message"),
    [
        ([[1, 3]], [2], [2], "item 0 .*label id"),
        ([[0, 1]], [2], [2], "item 0 .*blank"),
        ([[1, 2]], [5], [2], "item 0 .*frame count"),
        ([[1, 2]], [2], [3], "item 0 .*label count"),
        ([[1, 2], [1, 2]], [2], [2], "expected labels"),
    ],
)
def test_bad_arguments_name_the_item(
    labels: list[list[int]], frames: list[int], counts: list[int], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        ctc_loss(torch.zeros(4, 1, 3), torch.tensor(labels), torch.tensor(frames), torch.tensor(counts))
