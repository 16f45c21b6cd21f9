"""Log-mel filterbank, exactly as Kaldi computes it, batched and differentiable.

Kaldi's `compute-fbank-feats` (Povey et al. 2011) with --dither=0 --snip-edges=false, on samples in [-1, 1].
"""

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from earful.errors import AudioError, ConfigError

_EPSILON = float(torch.finfo(torch.float32).eps)


@dataclass(frozen=True)
class FbankConfig:
    """The filterbank's options; the defaults are what every earful model is trained on."""

    bins: int = 80
    rate_hz: int = 16_000
    window_s: float = 0.025
    hop_s: float = 0.010
    low_hz: float = 20.0
    high_hz: float = 7600.0
    preemphasis: float = 0.97

    def __post_init__(self) -> None:
        if not (self.rate_hz > 0 and self.bins > 0 and self.hop > 0 and self.window > 1):
            raise ConfigError(f"rate_hz, bins, window_s and hop_s must be greater than 0, got {self}")
        if not 0 <= self.low_hz < self.high_hz <= self.rate_hz / 2:
            raise ConfigError(
                f"expected 0 ≤ low_hz < high_hz ≤ {self.rate_hz / 2:g}, got {self.low_hz:g} and {self.high_hz:g}"
            )

    @property
    def window(self) -> int:
        """Samples in a window."""
        return int(self.rate_hz * self.window_s + 1e-6)

    @property
    def hop(self) -> int:
        """Samples from one frame to the next."""
        return int(self.rate_hz * self.hop_s + 1e-6)


def frame_count(sample_count: int, config: FbankConfig = FbankConfig()) -> int:
    """The number of frames of `sample_count` samples: one per hop, rounded, so less than half a hop gives none.

    >>> frame_count(16_000)
    100
    """
    return (sample_count + config.hop // 2) // config.hop


def fbank(
    samples_BT: Tensor, sample_counts_B: Tensor | None = None, config: FbankConfig = FbankConfig()
) -> tuple[Tensor, Tensor]:
    """Compute log-mel filterbank frames of a padded batch of waveforms.

    `samples_BT` [B, T] (or [T] for one waveform: then B is 1) at `config.rate_hz`, in [-1, 1], float32 or float64;
    `sample_counts_B` [B] gives the true lengths, by default T. Samples beyond an item's length have no effect: its
    frames are the same as without padding, reflected at its own end. Returns the frames [B, F, M] (natural log, zeros
    beyond an item's count) and the frame counts [B]. Raises AudioError when the shapes or the counts do not fit.

    >>> frames_BFM, frame_counts_B = fbank(torch.randn(2, 16_000), torch.tensor([16_000, 8_000]))
    >>> frames_BFM.shape, frame_counts_B
    (torch.Size([2, 100, 80]), tensor([100,  50]))
    """
    samples_BT = samples_BT[None] if samples_BT.ndim == 1 else samples_BT
    counts_B = _checked_counts(samples_BT, sample_counts_B)
    frame_counts_B = (counts_B + config.hop // 2) // config.hop
    frames = frame_count(int(counts_B.max()) if len(counts_B) else 0, config)
    if frames == 0:  # the FFT libraries refuse empty batches
        return samples_BT.new_zeros(len(samples_BT), 0, config.bins), frame_counts_B
    # Part by part, so that intermediate results stay in the processor's cache: up to 4 × as fast.
    rows = max(1, _windows_at_a_time(samples_BT) // frames)
    parts = zip(torch.split(samples_BT, rows), torch.split(counts_B, rows), strict=True)
    logmel_BFM = torch.cat([_logmel(_windows(part_BT, part_B, frames, config), config) for part_BT, part_B in parts])
    return _masked(logmel_BFM, frame_counts_B), frame_counts_B


def power_spectrum(windows_BFW: Tensor, config: FbankConfig) -> Tensor:
    """Power spectrum [B, F, K] of windows [B, F, W]: mean removed, pre-emphasised, weighted with Povey's window."""
    centred_BFW = windows_BFW - windows_BFW.mean(-1, keepdim=True)
    # The first sample is its own predecessor: x[0] -= preemphasis * x[0].
    before_BFW = torch.cat([centred_BFW[..., :1], centred_BFW[..., :-1]], -1)
    emphasised_BFW = centred_BFW - config.preemphasis * before_BFW
    shaped_BFW = emphasised_BFW * povey_window(config, windows_BFW.device, windows_BFW.dtype)
    spectrum_BFK = torch.fft.rfft(shaped_BFW, n=_fft_size(config))
    power_BFK: Tensor = spectrum_BFK.real.square() + spectrum_BFK.imag.square()
    return power_BFK


@lru_cache(maxsize=32)
def povey_window(config: FbankConfig, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Povey's window [W]: a symmetric Hann window to the power 0.85 (Kaldi, feat/feature-window.cc)."""
    window_W = torch.hann_window(config.window, periodic=False, dtype=torch.float64).pow(0.85)
    return window_W.to(device, dtype)


@lru_cache(maxsize=32)
def mel_matrix(config: FbankConfig, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Triangular filters [K, M], equally spaced and straight on the mel scale (Kaldi, feat/mel-computations.cc)."""
    size = _fft_size(config)
    low, high = _mel(torch.tensor([config.low_hz, config.high_hz], dtype=torch.float64)).tolist()
    edges = torch.linspace(low, high, config.bins + 2, dtype=torch.float64)
    left_M, centre_M, right_M = edges[:-2], edges[1:-1], edges[2:]
    mel_K1 = _mel(torch.arange(size // 2 + 1, dtype=torch.float64) * config.rate_hz / size)[:, None]
    rising_KM = (mel_K1 - left_M) / (centre_M - left_M)
    falling_KM = (right_M - mel_K1) / (right_M - centre_M)
    return torch.minimum(rising_KM, falling_KM).clamp(min=0).to(device, dtype)


def _logmel(windows_BFW: Tensor, config: FbankConfig) -> Tensor:
    """Log-mel frames [B, F, M] of windows [B, F, W], computed in parts."""
    mel_KM = mel_matrix(config, windows_BFW.device, windows_BFW.dtype)
    stretches = torch.split(windows_BFW, _windows_at_a_time(windows_BFW), 1)
    mel_BFM = torch.cat([power_spectrum(stretch_BFW, config) @ mel_KM for stretch_BFW in stretches], 1)
    return mel_BFM.clamp(min=_EPSILON).log()


def _windows_at_a_time(samples: Tensor) -> int:
    return 512 if samples.device.type == "cpu" else 1 << 17  # on a GPU only to bound the memory


def _mel(frequency_hz: Tensor) -> Tensor:
    return 1127.0 * torch.log1p(frequency_hz / 700.0)  # the scale of HTK: Young et al. 2006, eq. 5.13


def _fft_size(config: FbankConfig) -> int:
    return 1 << (config.window - 1).bit_length()


def _checked_counts(samples_BT: Tensor, sample_counts_B: Tensor | None) -> Tensor:
    if samples_BT.ndim != 2 or not samples_BT.is_floating_point():
        raise AudioError(f"expected floating-point samples [B, T], got {tuple(samples_BT.shape)} {samples_BT.dtype}")
    batch, length = samples_BT.shape
    if sample_counts_B is None:
        return torch.full((batch,), length, device=samples_BT.device)
    if sample_counts_B.shape != (batch,) or bool(((sample_counts_B < 0) | (sample_counts_B > length)).any()):
        raise AudioError(f"expected {batch} sample counts from 0 to {length}, got {sample_counts_B.tolist()}")
    return sample_counts_B.to(samples_BT.device, torch.long)


def _windows(samples_BT: Tensor, counts_B: Tensor, frames: int, config: FbankConfig) -> Tensor:
    """Cut overlapping windows [B, F, W]; frame k is centred on sample k·hop + hop/2, ends are reflected."""
    hop, window = config.hop, config.window
    first = hop // 2 - window // 2
    positions = torch.arange(first, (frames - 1) * hop + first + window, device=samples_BT.device)
    index_BP = _reflected(positions[None], counts_B[:, None])
    return samples_BT.gather(1, index_BP).unfold(1, window, hop)


def _reflected(position: Tensor, count: Tensor) -> Tensor:
    """Mirror positions into 0 … count-1, as often as needed, the edge counted twice: … 1 0 | 0 1 2 | 2 1 0 | 0 …"""
    folded = position % (2 * count.clamp(min=1))
    return torch.minimum(folded, 2 * count.clamp(min=1) - 1 - folded)


def _masked(frames_BFM: Tensor, frame_counts_B: Tensor) -> Tensor:
    """Set the frames beyond each item's count to zero."""
    beyond_BF = torch.arange(frames_BFM.shape[1], device=frames_BFM.device) >= frame_counts_B[:, None]
    return frames_BFM.masked_fill(beyond_BF[..., None], 0.0)
