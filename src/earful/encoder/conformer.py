"""The Conformer: attention for distant context, convolution for near context."""

from typing import final

import torch.nn.functional as F
from torch import Tensor, nn

from earful.encoder.attention import Layout, SelfAttention, layout
from earful.encoder.encoder import BranchEnd, Dropout, Encoder, EncoderConfig
from earful.encoder.subsample import entrance
from earful.encoder.transformer import FeedForward


class Convolution(nn.Module):
    """The convolution module (Gulati et al. 2020, figure 2), with LayerNorm where they have BatchNorm.

    BatchNorm would mix the items of a batch, keep state, and break `vmap` and second order.
    """

    def __init__(self, width: int, kernel: int) -> None:
        super().__init__()
        self.norm_in = nn.LayerNorm(width)
        self.gate = nn.Linear(width, 2 * width)
        self.depthwise = nn.Conv1d(width, width, kernel, padding=kernel // 2, groups=width)
        self.norm_mid = nn.LayerNorm(width)
        self.project_out = BranchEnd(width, width)

    def forward(self, hidden_BFD: Tensor, valid_BF1: Tensor) -> Tensor:
        """Convolve in time; frames that are not valid enter the convolution as zeros."""
        x_BFD = F.glu(self.gate(self.norm_in(hidden_BFD)), dim=-1) * valid_BF1
        # Contiguous: with the channel last in memory, oneDNN's bfloat16 kernel is generated without end for some shapes
        # (144 channels, even number of frames, odd batch, two threads; torch 2.13 on AMD).
        x_BFD = self.depthwise(x_BFD.transpose(1, 2).contiguous()).transpose(1, 2)
        return self.project_out(F.silu(self.norm_mid(x_BFD)))  # type: ignore[no-any-return]


class ConformerLayer(nn.Module):
    """Half a feed-forward step, attention, convolution, half a feed-forward step (Gulati et al. 2020, eq. 1).

    Dropout is only at the end of each branch: on a CPU, random masks are expensive.
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.feed_in = FeedForward(config.width, config.expansion)
        self.norm_attention = nn.LayerNorm(config.width)
        self.attention = SelfAttention(config.width, config.heads)
        self.convolution = Convolution(config.width, config.kernel)
        self.feed_out = FeedForward(config.width, config.expansion)
        self.norm_out = nn.LayerNorm(config.width)
        self.dropout = Dropout(config.dropout)

    def forward(self, hidden_BFD: Tensor, layout: Layout) -> Tensor:
        """hidden_BFD to hidden_BFD."""
        x_BFD = hidden_BFD + 0.5 * self.dropout(self.feed_in(hidden_BFD))
        x_BFD = x_BFD + self.dropout(self.attention(self.norm_attention(x_BFD), layout))
        x_BFD = x_BFD + self.dropout(self.convolution(x_BFD, layout.valid_BF1))
        x_BFD = x_BFD + 0.5 * self.dropout(self.feed_out(x_BFD))
        return self.norm_out(x_BFD)  # type: ignore[no-any-return]


@final
class Conformer(Encoder):
    """Convolution-augmented Transformer (Gulati et al. 2020, "Conformer").

    Twice differentiable; `torch.func` grad, jvp, forward over reverse and `vmap` over a batch of parameters all work.
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.width = config.width
        self.head_width = config.width // config.heads
        self.subsampling = config.subsampling
        self.subsample = entrance(config)
        self.layers = nn.ModuleList(ConformerLayer(config) for _ in range(config.layers))

    def context(self, hidden_BFD: Tensor, valid_BF: Tensor) -> Tensor:
        """All layers, hidden_BFD to hidden_BFD."""
        batch_layout = layout(valid_BF, self.head_width, hidden_BFD.dtype)
        for layer in self.layers:
            hidden_BFD = layer(hidden_BFD, batch_layout)
        return hidden_BFD * batch_layout.valid_BF1
