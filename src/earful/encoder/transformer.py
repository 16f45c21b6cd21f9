"""The Transformer encoder, with the norm before each branch."""

from typing import final

from torch import Tensor, nn

from earful.encoder.attention import Layout, SelfAttention, layout
from earful.encoder.encoder import BranchEnd, Dropout, Encoder, EncoderConfig
from earful.encoder.subsample import entrance


class FeedForward(nn.Sequential):
    """Norm, expansion, SiLU, contraction: hidden_BFD to hidden_BFD."""

    def __init__(self, width: int, expansion: int) -> None:
        super().__init__(
            nn.LayerNorm(width),
            nn.Linear(width, expansion * width),
            nn.SiLU(),
            BranchEnd(expansion * width, width),
        )


class TransformerLayer(nn.Module):
    """Attention, then feed-forward, each x + f(norm(x)) (Xiong et al. 2020, "On Layer Normalization", figure 1b)."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.norm_attention = nn.LayerNorm(config.width)
        self.attention = SelfAttention(config.width, config.heads)
        self.feed = FeedForward(config.width, config.expansion)
        self.dropout = Dropout(config.dropout)

    def forward(self, hidden_BFD: Tensor, layout: Layout) -> Tensor:
        """hidden_BFD to hidden_BFD."""
        x_BFD = hidden_BFD + self.dropout(self.attention(self.norm_attention(hidden_BFD), layout))
        return x_BFD + self.dropout(self.feed(x_BFD))  # type: ignore[no-any-return]


@final
class Transformer(Encoder):
    """Pre-norm Transformer encoder with rotary positions (Vaswani et al. 2017; Su et al. 2021).

    Twice differentiable; `torch.func` grad, jvp, forward over reverse and `vmap` over a batch of parameters all work.
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.width = config.width
        self.head_width = config.width // config.heads
        self.subsampling = config.subsampling
        self.subsample = entrance(config)
        self.layers = nn.ModuleList(TransformerLayer(config) for _ in range(config.layers))
        self.norm_out = nn.LayerNorm(config.width)

    def context(self, hidden_BFD: Tensor, valid_BF: Tensor) -> Tensor:
        """All layers, hidden_BFD to hidden_BFD."""
        batch_layout = layout(valid_BF, self.head_width, hidden_BFD.dtype)
        for layer in self.layers:
            hidden_BFD = layer(hidden_BFD, batch_layout)
        return self.norm_out(hidden_BFD) * batch_layout.valid_BF1  # type: ignore[no-any-return]
