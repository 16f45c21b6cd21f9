"""The encoder of Whisper (Radford et al. 2022, figure 1), on clips as long as they are."""

from dataclasses import dataclass
from typing import Literal, final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from earful.encoder.backbone import Backbone, Layer, check_cut, in_pieces, padding_bias, pooled, without_padding
from earful.encoder.encoder import valid_frames
from earful.errors import ConfigError
from earful.features.whisper import HOP, RATE_HZ, whisper_logmel


@dataclass(frozen=True)
class WhisperConfig:
    """The dimensions of a Whisper encoder, and where it is cut (`encoder.backbone.Cut`). `inner` is of feed-forward."""

    kind: Literal["whisper"]
    mels: int = 80
    width: int = 384
    layers: int = 4
    heads: int = 6
    inner: int = 1536
    positions: int = 1500
    frozen: int = 4
    rank: int = 0
    pool: int = 2

    def __post_init__(self) -> None:
        check_cut(self)
        if self.pool > self.positions:
            raise ConfigError(f"whisper: pool is {self.pool}, must be at most its {self.positions} positions")

    @property
    def stride_s(self) -> float:
        """Seconds from one frame of the last layer to the next."""
        return 2 * HOP / RATE_HZ

    @property
    def bins(self) -> int:
        """Numbers in each frame that `lower` gives."""
        return self.width

    @property
    def hop_s(self) -> float:
        """Seconds from one frame that `lower` gives to the next."""
        return self.stride_s * (self.pool if self.frozen == self.layers else 1)


@final
class Whisper(Backbone):
    """Log-mel, two convolutions, sinusoids, pre-norm layers, a norm; then the mean of `pool` frames."""

    def __init__(self, config: WhisperConfig) -> None:
        super().__init__()
        self.config = config
        self.first = nn.Conv1d(config.mels, config.width, 3, padding=1)
        self.second = nn.Conv1d(config.width, config.width, 3, stride=2, padding=1)
        self.positions_FD = nn.Parameter(torch.zeros(config.positions, config.width))
        self.layers = nn.ModuleList(
            Layer(config.width, config.heads, config.inner, config.rank * (n >= config.frozen), key_bias=False)
            for n in range(config.layers)
        )
        self.norm_out = nn.LayerNorm(config.width)

    def lower(self, samples_T: Tensor) -> Tensor:
        """Samples `[T]` to frames `[F, D]`; pieces of a clip longer than Whisper's 30 s are heard apart."""
        longest = self.config.positions * 2 * HOP
        return in_pieces(samples_T, longest, 2 * HOP * self.config.pool, self._lower)

    def _lower(self, samples_T: Tensor) -> Tensor:
        mel_1MF = whisper_logmel(samples_T, self.config.mels).T[None].contiguous()
        x_1DF = F.gelu(self.second(F.gelu(self.first(mel_1MF))))
        x_1FD = x_1DF.transpose(1, 2) + self.positions_FD[: x_1DF.shape[2]]
        for layer in self.layers[: self.config.frozen]:
            x_1FD = layer(x_1FD)
        if self.config.frozen == self.config.layers:
            x_1FD, _ = self._end(x_1FD, torch.tensor([x_1FD.shape[1]], device=x_1FD.device))
        return x_1FD[0].to(samples_T.dtype)

    def upper(self, frames_BFD: Tensor, frame_counts_B: Tensor) -> tuple[Tensor, Tensor]:
        """The layers above the cut, the norm and the mean of `pool` frames; the identity if nothing is above it."""
        if self.config.frozen == self.config.layers:
            return frames_BFD, frame_counts_B
        valid_BF = valid_frames(frame_counts_B, frames_BFD.shape[1])
        bias_B11F = padding_bias(valid_BF, frames_BFD.dtype)
        frames_BFD = without_padding(frames_BFD, valid_BF)
        for layer in self.layers[self.config.frozen :]:
            frames_BFD = layer(frames_BFD, bias_B11F)
        return self._end(frames_BFD, frame_counts_B)

    def _end(self, x_BFD: Tensor, counts_B: Tensor) -> tuple[Tensor, Tensor]:
        return pooled(self.norm_out(x_BFD), counts_B, self.config.pool)
