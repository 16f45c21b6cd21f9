import torch
from torch import nn

from earful.encoder.attention import layout
from earful.encoder.encoder import EncoderConfig
from earful.encoder.transformer import FeedForward, Transformer, TransformerLayer


def test_feed_forward_sees_one_frame_at_a_time() -> None:
    feed, hidden_BFD = FeedForward(6, 3), torch.randn(2, 5, 6)
    torch.testing.assert_close(feed(hidden_BFD)[:, 2:3], feed(hidden_BFD[:, 2:3]))
    assert [layer.weight.shape for layer in feed if isinstance(layer, nn.Linear)] == [(18, 6), (6, 18)]


def test_a_layer_with_silent_branches_is_the_identity() -> None:
    layer = TransformerLayer(EncoderConfig(kind="transformer", width=8, heads=2)).eval()
    contraction = layer.feed[3]
    for linear in (layer.attention.project_out, contraction):
        assert isinstance(linear, nn.Linear)
        nn.init.zeros_(linear.weight)
        nn.init.zeros_(linear.bias)
    hidden_BFD = torch.randn(1, 5, 8)
    batch_layout = layout(torch.ones(1, 5, dtype=torch.bool), 4, torch.float32)
    assert torch.equal(layer(hidden_BFD, batch_layout), hidden_BFD)


def test_layers_are_as_many_as_configured() -> None:
    assert len(Transformer(EncoderConfig(kind="transformer", layers=3)).layers) == 3
