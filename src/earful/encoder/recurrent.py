"""Recurrent encoders: convolution and bidirectional GRU layers, or bidirectional LSTM layers.

Packed sequences are not used: two passes of a one-directional layer, the second over each item reversed within its own
length, give every item the same result under any padding, and all derivatives.

The derivatives that exist with PyTorch 2.13:

- On a CPU, second derivatives in reverse mode: GRU and LSTM.
- Forward mode (`torch.func.jvp`, Hessian-vector products forward over reverse): GRU; LSTM in float64, or in float32
  within `torch.backends.mkldnn.flags(enabled=False)`, because oneDNN's LSTM has no forward rule.
- `torch.vmap`: neither; loop over the tasks.
- On a GPU, cuDNN's layers have no second derivative: compute within `torch.backends.cudnn.flags(enabled=False)`.
"""

from typing import final

import torch
from torch import Tensor, nn

from earful.encoder.encoder import Dropout, Encoder, EncoderConfig
from earful.encoder.subsample import entrance

CELLS: dict[str, type[nn.GRU] | type[nn.LSTM]] = {"bigru": nn.GRU, "bilstm": nn.LSTM}


def reversal(counts_B: Tensor, frame_count: int) -> Tensor:
    """For each frame the index of its mirror image within the item; padding stays in place. [batch, frames]."""
    position_F = torch.arange(frame_count, device=counts_B.device)
    mirrored_BF = counts_B.unsqueeze(1) - 1 - position_F
    return torch.where(mirrored_BF >= 0, mirrored_BF, position_F)


def mirror(hidden_BFD: Tensor, index_BF: Tensor) -> Tensor:
    """Reverse each item in time by the indices of `reversal`; doing it twice changes nothing."""
    return torch.gather(hidden_BFD, 1, index_BF.unsqueeze(-1).expand(hidden_BFD.shape))


class RecurrentLayer(nn.Module):
    """x + project(both directions of norm(x)), hidden_BFD to hidden_BFD."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        cell = CELLS[config.kind]
        self.norm = nn.LayerNorm(config.width)
        self.onward = cell(config.width, config.width, batch_first=True)
        self.backward_in_time = cell(config.width, config.width, batch_first=True)
        self.project = nn.Linear(2 * config.width, config.width)
        self.dropout = Dropout(config.dropout)

    def forward(self, hidden_BFD: Tensor, index_BF: Tensor) -> Tensor:
        """Run both directions; `index_BF` comes from `reversal`."""
        x_BFD = self.norm(hidden_BFD)
        onward_BFD = self.onward(x_BFD)[0]
        back_BFD = mirror(self.backward_in_time(mirror(x_BFD, index_BF))[0], index_BF)
        return hidden_BFD + self.dropout(self.project(torch.cat((onward_BFD, back_BFD), dim=-1)))  # type: ignore[no-any-return]


@final
class Recurrent(Encoder):
    """Bidirectional recurrent encoder, each direction as wide as the encoder, with residual connections.

    GRU: Cho et al. 2014. LSTM: Hochreiter and Schmidhuber 1997; both directions: Graves and Schmidhuber 2005.
    The module's docstring lists the derivatives that exist.
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.width = config.width
        self.subsampling = config.subsampling
        self.subsample = entrance(config)
        self.layers = nn.ModuleList(RecurrentLayer(config) for _ in range(config.layers))
        self.norm_out = nn.LayerNorm(config.width)

    def context(self, hidden_BFD: Tensor, valid_BF: Tensor) -> Tensor:
        """All layers, hidden_BFD to hidden_BFD."""
        index_BF = reversal(valid_BF.sum(1), hidden_BFD.shape[1])
        for layer in self.layers:
            hidden_BFD = layer(hidden_BFD, index_BF)
        return self.norm_out(hidden_BFD) * valid_BF.unsqueeze(-1)  # type: ignore[no-any-return]
