"""From the encoder's frames to log-probabilities of symbols."""

import torch
from torch import Tensor, nn


class Upsample(nn.Module):
    """Each encoder frame becomes `factor` frames, one linear layer each (sub-pixel convolution, Shi et al. 2016).

    The encoder works at 40 ms, which is cheap. CTC gets 20 ms, because at 40 ms fast speech would leave hardly a path.
    `hidden_BFD` → `[B, factor · F, D]`.
    """

    def __init__(self, width: int, factor: int) -> None:
        super().__init__()
        self.factor = factor
        self.expand = nn.Linear(width, factor * width)
        # Starts as a repetition of the frame, so that the positions differ only by what they learn.
        if self.expand.weight.is_meta:  # only a shape; and torch loads its compiler to draw noise of that
            return
        with torch.no_grad():
            noise = 0.1 * torch.randn_like(self.expand.weight) / width**0.5
            self.expand.weight.copy_(torch.eye(width).repeat(factor, 1) + noise)
            self.expand.bias.zero_()

    def forward(self, hidden_BFD: Tensor, counts_B: Tensor) -> tuple[Tensor, Tensor]:
        batch, frames, width = hidden_BFD.shape
        return self.expand(hidden_BFD).reshape(batch, frames * self.factor, width), counts_B * self.factor


class Head(nn.Linear):
    """One row of weights per symbol; row 0 is the blank. `hidden_BFD` → `logp_BFV`, float32, normalised over `V`."""

    def forward(self, hidden_BFD: Tensor) -> Tensor:
        return super().forward(hidden_BFD).float().log_softmax(-1)
