"""The family of wav2vec 2.0: wav2vec 2.0, HuBERT, WavLM, XLS-R, MMS.

Baevski et al. 2020, figure 1; Hsu et al. 2021; Chen et al. 2022; Babu et al. 2021; Pratap et al. 2023.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from earful.encoder.backbone import (
    Backbone,
    Layer,
    check_cut,
    hop_below,
    in_pieces,
    padding_bias,
    pooled,
    without_padding,
)
from earful.encoder.encoder import valid_frames
from earful.encoder.wavlm import Distances, Gate
from earful.errors import ConfigError

RATE_HZ = 16_000
LONGEST_S = 30.0
"""Longer clips are processed in pieces, because the memory of attention grows with the square of the length."""


@dataclass(frozen=True)
class Wav2Vec2Config:
    """The dimensions of an encoder of the family, and where it is cut (`encoder.backbone.Cut`).

    One convolution of samples for each of `channels`, `kernels` and `strides`; `norm` after the first ("group") or all
    of them ("layer"). `pre_norm` layers are those that fairseq calls "layer norm first" and transformers "stable layer
    norm": large models have them. `position_kernel` and `position_groups` belong to the convolution for positions.
    `buckets` of distances up to `farthest` frames are WavLM's; 0 elsewhere. `inner` is the width of feed-forward.
    """

    kind: Literal["wav2vec2", "hubert", "wavlm"]
    channels: tuple[int, ...] = (512,) * 7
    kernels: tuple[int, ...] = (10, 3, 3, 3, 3, 2, 2)
    strides: tuple[int, ...] = (5, 2, 2, 2, 2, 2, 2)
    convolution_bias: bool = False
    norm: Literal["group", "layer"] = "group"
    normalise_input: bool = True
    projection_norm: bool = True
    width: int = 768
    layers: int = 12
    heads: int = 12
    inner: int = 3072
    pre_norm: bool = False
    position_kernel: int = 128
    position_groups: int = 16
    buckets: int = 0
    farthest: int = 800
    frozen: int = 12
    rank: int = 0
    pool: int = 2

    def __post_init__(self) -> None:
        check_cut(self)
        if min(self.position_groups, self.position_kernel) < 1 or self.width % self.position_groups:
            expected = f"a multiple of position_groups ({self.position_groups}) and position_kernel at least 1"
            raise ConfigError(f"{self.kind}: width is {self.width}, must be {expected}")
        counts = len(self.channels), len(self.kernels), len(self.strides)
        if not counts[0] or len(set(counts)) > 1:
            raise ConfigError(f"{self.kind}: channels, kernels and strides must be as many, got {counts}")
        if min(*self.channels, *self.kernels, *self.strides) < 1:
            raise ConfigError(f"{self.kind}: channels, kernels and strides must be at least 1")
        if self.buckets and not 1 <= self.buckets // 4 < self.farthest:
            raise ConfigError(f"{self.kind}: buckets is {self.buckets}, must be 0, or 4 to 4 × farthest")

    @property
    def stride(self) -> int:
        """Samples from one frame of the last layer to the next."""
        return math.prod(self.strides)

    @property
    def reach(self) -> int:
        """The number of samples from which one frame of the convolutions is computed."""
        reach = 1
        for kernel, stride in zip(reversed(self.kernels), reversed(self.strides), strict=True):
            reach = (reach - 1) * stride + kernel
        return reach

    @property
    def stride_s(self) -> float:
        """Seconds from one frame of the last layer to the next."""
        return self.stride / RATE_HZ

    @property
    def bins(self) -> int:
        """Numbers in each frame that `lower` gives."""
        return self.width

    @property
    def hop_s(self) -> float:
        """Seconds from one frame that `lower` gives to the next."""
        return hop_below(self)


@final
class Convolution(nn.Module):
    """A convolution of the feature encoder, an optional norm, GELU: x_BCT to x_BCT."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, *, bias: bool, norm: str | None) -> None:
        super().__init__()
        self.convolve = nn.Conv1d(inputs, outputs, kernel, stride, bias=bias)
        self.over_time = norm == "group"
        self.norm: nn.Module | None = None
        if norm is not None:
            self.norm = nn.GroupNorm(outputs, outputs) if norm == "group" else nn.LayerNorm(outputs)

    def forward(self, x_BCT: Tensor) -> Tensor:
        x_BCT = self.convolve(x_BCT)
        if self.norm is not None:
            x_BCT = self.norm(x_BCT) if self.over_time else self.norm(x_BCT.transpose(1, 2)).transpose(1, 2)
        return F.gelu(x_BCT).contiguous()


@final
class Wav2Vec2(Backbone):
    """Convolutions of the samples, projection, positions by a convolution, layers; then the mean of `pool` frames.

    Everything below the layers is always frozen.
    """

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__()
        self.config = config
        self.features = nn.ModuleList(_convolutions(config))
        self.norm_features = nn.LayerNorm(config.channels[-1]) if config.projection_norm else nn.Identity()
        self.project = nn.Linear(config.channels[-1], config.width)
        kernel, groups = config.position_kernel, config.position_groups
        self.positions = nn.Conv1d(config.width, config.width, kernel, padding=kernel // 2, groups=groups)
        self.distances = Distances(config.buckets, config.farthest, config.heads) if config.buckets else None
        self.layers = nn.ModuleList(_layer(config, n) for n in range(config.layers))
        self.norm_in = nn.Identity() if config.pre_norm else nn.LayerNorm(config.width)
        self.norm_out = nn.LayerNorm(config.width) if config.pre_norm else nn.Identity()

    def lower(self, samples_T: Tensor) -> Tensor:
        """Samples `[T]` to frames `[F, D]`; a clip longer than 30 s is processed in pieces."""
        c = self.config
        if c.normalise_input:
            samples_T = standardised(samples_T)
        return in_pieces(samples_T, round(LONGEST_S * RATE_HZ), c.stride * c.pool, self._lower, c.reach - c.stride)

    def _lower(self, samples_T: Tensor) -> Tensor:
        x_1FD = self._embedded(F.pad(samples_T, (0, max(0, self.config.reach - len(samples_T)))))
        positions_HFF = self.distances(x_1FD.shape[1]) if self.distances is not None else None
        for layer in self.layers[: self.config.frozen]:
            x_1FD = layer(x_1FD, None, positions_HFF)
        if self.config.frozen == self.config.layers:
            x_1FD, _ = self._end(x_1FD, torch.tensor([x_1FD.shape[1]], device=x_1FD.device))
        return x_1FD[0].to(samples_T.dtype)

    def _embedded(self, samples_T: Tensor) -> Tensor:
        """The input of the first layer."""
        first, *rest = self.features
        # In float32, since bfloat16 would add noise to the sound itself.
        with torch.autocast(samples_T.device.type, enabled=False):
            x_1CF = first(samples_T[None, None])
        for convolution in rest:
            x_1CF = convolution(x_1CF)
        x_1FD = self.project(self.norm_features(x_1CF.transpose(1, 2))).to(samples_T.dtype)
        places_1DF = self.positions(x_1FD.transpose(1, 2).contiguous())[:, :, : x_1FD.shape[1]]
        return self.norm_in(x_1FD + F.gelu(places_1DF).transpose(1, 2))  # type: ignore[no-any-return]

    def upper(self, frames_BFD: Tensor, frame_counts_B: Tensor) -> tuple[Tensor, Tensor]:
        """The layers above the cut, the norm and the mean of `pool` frames; the identity if nothing is above it."""
        if self.config.frozen == self.config.layers:
            return frames_BFD, frame_counts_B
        valid_BF = valid_frames(frame_counts_B, frames_BFD.shape[1])
        bias_B11F = padding_bias(valid_BF, frames_BFD.dtype)
        frames_BFD = without_padding(frames_BFD, valid_BF)
        positions_HFF = self.distances(frames_BFD.shape[1]) if self.distances is not None else None
        for layer in self.layers[self.config.frozen :]:
            frames_BFD = layer(frames_BFD, bias_B11F, positions_HFF)
        return self._end(frames_BFD, frame_counts_B)

    def _end(self, x_BFD: Tensor, counts_B: Tensor) -> tuple[Tensor, Tensor]:
        return pooled(self.norm_out(x_BFD), counts_B, self.config.pool)


def _convolutions(config: Wav2Vec2Config) -> Iterator[Convolution]:
    sizes = zip((1, *config.channels[:-1]), config.channels, config.kernels, config.strides, strict=True)
    for n, (inputs, outputs, kernel, stride) in enumerate(sizes):
        norm = config.norm if n == 0 or config.norm == "layer" else None
        yield Convolution(inputs, outputs, kernel, stride, bias=config.convolution_bias, norm=norm)


def _layer(config: Wav2Vec2Config, number: int) -> Layer:
    rank = config.rank * (number >= config.frozen)
    gate = Gate(config.heads, config.width // config.heads) if config.buckets else None
    return Layer(config.width, config.heads, config.inner, rank, pre_norm=config.pre_norm, gate=gate)


def standardised(samples_T: Tensor) -> Tensor:
    """Samples with the mean 0 and the variance 1."""
    centred_T = samples_T - samples_T.mean()
    return centred_T / (centred_T.square().mean() + 1e-7).sqrt()
