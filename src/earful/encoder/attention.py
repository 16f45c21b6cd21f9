"""Multi-head self-attention with rotary positions, in plain matrix products, so that all derivatives exist."""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from earful.encoder.encoder import BranchEnd


class Layout(NamedTuple):
    """Data of one batch that all attention layers need, computed once.

    valid_BF1 is true on real frames; bias_B11F is added to the scores; cosine_F1E and sine_F1E turn by position.
    """

    valid_BF1: Tensor
    bias_B11F: Tensor
    cosine_F1E: Tensor
    sine_F1E: Tensor


def layout(valid_BF: Tensor, head_width: int, dtype: torch.dtype) -> Layout:
    """Prepare a batch for attention: valid_BF, the width of one head, and the dtype that attention will run in."""
    # The lowest finite number and not -inf, so that an item without any frame gives no NaN.
    bias_BF = torch.zeros_like(valid_BF, dtype=dtype).masked_fill(~valid_BF, torch.finfo(dtype).min)
    cosine_FE, sine_FE = rotation(valid_BF.shape[1], head_width, valid_BF.device)
    return Layout(
        valid_BF1=valid_BF.unsqueeze(-1),
        bias_B11F=bias_BF[:, None, None, :],
        cosine_F1E=cosine_FE.unsqueeze(1).to(dtype),
        sine_F1E=sine_FE.unsqueeze(1).to(dtype),
    )


def rotation(frame_count: int, head_width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Cosine and signed sine of every angle, both [frames, head width] (Su et al. 2021, eq. 15 and 34), for `rotate`.

    The angles are computed in float64, since float32 loses them on long recordings.
    """
    exponent_E = torch.arange(0, head_width, 2, device=device, dtype=torch.float64) / head_width
    position_F = torch.arange(frame_count, device=device, dtype=torch.float64)
    angle_FE = position_F.unsqueeze(1) * torch.pow(10_000.0, -exponent_E)
    cosine_FE, sine_FE = angle_FE.cos(), angle_FE.sin()
    return torch.cat((cosine_FE, cosine_FE), dim=1), torch.cat((-sine_FE, sine_FE), dim=1)


def rotate(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Turn the pairs (i, i + E/2) of the last axis by their angles."""
    first, second = x.chunk(2, dim=-1)
    return x * cosine + torch.cat((second, first), dim=-1) * sine


class SelfAttention(nn.Module):
    """Scaled dot-product self-attention over the valid frames (Vaswani et al. 2017, eq. 1), hidden_BFD to hidden_BFD.

    PyTorch's fused kernels have no second derivative. The products written out have one, and under bfloat16 on a CPU
    they are also faster, at the lengths of utterances.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.project_in = nn.Linear(width, 3 * width)
        self.project_out = BranchEnd(width, width)

    def forward(self, hidden_BFD: Tensor, layout: Layout) -> Tensor:
        """Attend within every item; frames beyond its count have any finite values."""
        batch, frames, width = hidden_BFD.shape
        qkv_BF3HE = self.project_in(hidden_BFD).view(batch, frames, 3, self.heads, width // self.heads)
        query_BFHE, key_BFHE, value_BFHE = qkv_BF3HE.unbind(2)
        query_BHFE = rotate(query_BFHE, layout.cosine_F1E, layout.sine_F1E).transpose(1, 2)
        key_BHEF = rotate(key_BFHE, layout.cosine_F1E, layout.sine_F1E).permute(0, 2, 3, 1)
        scale = 1.0 / math.sqrt(width // self.heads)
        score_BHFF = torch.matmul(query_BHFE * scale, key_BHEF) + layout.bias_B11F
        mixed_BHFE = torch.matmul(torch.softmax(score_BHFF, dim=-1), value_BFHE.transpose(1, 2))
        return self.project_out(mixed_BHFE.transpose(1, 2).reshape(batch, frames, width))  # type: ignore[no-any-return]
