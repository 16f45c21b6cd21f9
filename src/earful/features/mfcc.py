"""Mel-frequency cepstral coefficients on top of the filterbank, as Kaldi's `compute-mfcc-feats --use-energy=false`."""

import math
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

import torch
from torch import Tensor

from earful.errors import ConfigError
from earful.features.fbank import FbankConfig, fbank


@dataclass(frozen=True)
class MfccConfig:
    """The options of the cepstrum: how many coefficients, the lifter (0: none), and the filterbank below.

    `kind` distinguishes it from a filterbank, which has no `kind`, in recipes and in a model's configuration.
    """

    kind: Literal["mfcc"] = "mfcc"
    ceps: int = 13
    lifter: float = 22.0
    fbank: FbankConfig = field(default_factory=lambda: FbankConfig(bins=23))

    def __post_init__(self) -> None:
        if not 1 <= self.ceps <= self.fbank.bins:
            raise ConfigError(f"expected 1 to {self.fbank.bins} (the bins of the filterbank) cepstra, got {self.ceps}")
        if self.lifter < 0:
            raise ConfigError(f"lifter is {self.lifter}, must be 0 (none) or more")

    @property
    def bins(self) -> int:
        """The number of coefficients in a frame."""
        return self.ceps

    @property
    def hop_s(self) -> float:
        """Seconds from one frame to the next."""
        return self.fbank.hop_s


Spectral = MfccConfig | FbankConfig
"""What makes frames of sound by arithmetic alone, without learned weights."""


def spectral(samples_T: Tensor, config: Spectral) -> Tensor:
    """The frames [F, M] of samples [T]: cepstra, or log-mel bins."""
    frames_BFM, _ = (
        mfcc(samples_T, config=config) if isinstance(config, MfccConfig) else fbank(samples_T, config=config)
    )
    return frames_BFM[0]


def mfcc(
    samples_BT: Tensor, sample_counts_B: Tensor | None = None, config: MfccConfig = MfccConfig()
) -> tuple[Tensor, Tensor]:
    """Compute MFCCs [B, F, C] and the frame counts [B]; the arguments and errors are those of `fbank`.

    C0 is the first coefficient (Davis & Mermelstein 1980, with Kaldi's orthonormal cosine transform and lifter).

    >>> mfcc(torch.randn(2, 16_000))[0].shape
    torch.Size([2, 100, 13])
    """
    logmel_BFM, frame_counts_B = fbank(samples_BT, sample_counts_B, config.fbank)
    return logmel_BFM @ cosine_matrix(config, logmel_BFM.device, logmel_BFM.dtype), frame_counts_B


@lru_cache(maxsize=32)
def cosine_matrix(config: MfccConfig, device: torch.device, dtype: torch.dtype) -> Tensor:
    """The orthonormal DCT-II, its columns weighted by the lifter 1 + L/2 sin(πi/L): [M, C]."""
    bins = config.fbank.bins
    middle_M1 = torch.arange(bins, dtype=torch.float64)[:, None] + 0.5
    order_C = torch.arange(config.ceps, dtype=torch.float64)
    dct_MC = torch.cos(torch.pi / bins * middle_M1 * order_C) * math.sqrt(2 / bins)
    dct_MC[:, 0] /= math.sqrt(2)
    return (dct_MC * _lifter(order_C, config.lifter)).to(device, dtype)


def _lifter(order_C: Tensor, width: float) -> Tensor:
    if width == 0:
        return torch.ones_like(order_C)
    return 1 + 0.5 * width * torch.sin(torch.pi * order_C / width)
