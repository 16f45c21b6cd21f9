import torch
import torch.nn.functional as F

from earful.encoder.attention import layout
from earful.encoder.conformer import Conformer, ConformerLayer, Convolution
from earful.encoder.encoder import Dropout, EncoderConfig


def test_default_size() -> None:
    parameter_count = sum(p.numel() for p in Conformer(EncoderConfig("conformer", width=144, layers=8)).parameters())
    assert 3.5e6 < parameter_count < 4.1e6


def test_depthwise_convolution_is_that_of_conv1d() -> None:
    torch.manual_seed(0)
    module = Convolution(6, 5)
    hidden_BFD, valid_BF1 = torch.randn(2, 11, 6), torch.ones(2, 11, 1, dtype=torch.bool)
    x_BFD = F.glu(module.gate(module.norm_in(hidden_BFD)), dim=-1)
    x_BFD = F.conv1d(
        x_BFD.transpose(1, 2), module.depthwise.weight.squeeze(2), module.depthwise.bias, padding=2, groups=6
    ).transpose(1, 2)
    expected_BFD = module.project_out(F.silu(module.norm_mid(x_BFD)))
    torch.testing.assert_close(module(hidden_BFD, valid_BF1), expected_BFD)


def test_convolution_reaches_half_a_kernel_to_each_side() -> None:
    module = Convolution(4, 7)
    hidden_BFD = torch.randn(1, 21, 4, requires_grad=True)
    out_BFD = module(hidden_BFD, torch.ones(1, 21, 1, dtype=torch.bool))
    (gradient_BFD,) = torch.autograd.grad(out_BFD[0, 10].sum(), hidden_BFD)
    assert gradient_BFD[0].abs().sum(dim=1).nonzero().flatten().tolist() == list(range(7, 14))


def test_a_layer_ends_normalised() -> None:
    torch.manual_seed(0)
    layer = ConformerLayer(EncoderConfig(width=16, heads=2))
    hidden_BFD = layer(torch.randn(1, 9, 16), layout(torch.ones(1, 9, dtype=torch.bool), 8, torch.float32))
    torch.testing.assert_close(hidden_BFD.mean(dim=-1), torch.zeros(1, 9), atol=1e-5, rtol=0)
    torch.testing.assert_close(hidden_BFD.std(dim=-1, unbiased=False), torch.ones(1, 9), atol=1e-3, rtol=0)


def test_dropout_of_the_configuration_reaches_every_layer() -> None:
    encoder = Conformer(EncoderConfig(layers=3, dropout=0.25))
    assert [module.p for module in encoder.modules() if isinstance(module, Dropout)] == [0.25] * 4
