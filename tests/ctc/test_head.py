"""Upsampling begins as repetition, and the output layer gives probabilities in float32."""

import pytest
import torch

from earful.ctc.head import Head, Upsample


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_a_frame_becomes_so_many_in_its_place(factor: int) -> None:
    """The rows of the weight are the frames, one after another; the noise at first is a tenth of a row's length."""
    torch.manual_seed(0)
    layer = Upsample(64, factor)
    noise = layer.expand.weight.detach() - torch.eye(64).repeat(factor, 1)
    assert float(noise.norm(dim=1).mean()) == pytest.approx(0.1, rel=0.1) and not layer.expand.bias.any()
    hidden, counts = torch.randn(2, 5, 64), torch.tensor([5, 3])
    with torch.no_grad():
        layer.expand.weight.copy_(torch.cat([(1 + i) * torch.eye(64) for i in range(factor)]))
        found, longer = layer(hidden, counts)
    assert longer.tolist() == [5 * factor, 3 * factor] and found.shape == (2, 5 * factor, 64)
    for i in range(factor):
        torch.testing.assert_close(found[:, i::factor], (1 + i) * hidden)


def test_the_output_layer_is_normalised_over_symbols_whatever_it_computes_in() -> None:
    layer = Head(4, 3).bfloat16()
    logp = layer(torch.randn(2, 5, 4).bfloat16())
    assert logp.dtype == torch.float32 and logp.shape == (2, 5, 3)
    torch.testing.assert_close(logp.exp().sum(-1), torch.ones(2, 5))
