"""Whisper's log-mel spectrogram (Radford et al. 2022, section 2.2) of a clip, without padding to 30 seconds."""

import math
from functools import lru_cache

import torch
from torch import Tensor

RATE_HZ, WINDOW, HOP = 16_000, 400, 160
_STEP_HZ, _BREAK_HZ = 200 / 3, 1000.0


def whisper_logmel(samples_T: Tensor, bins: int = 80) -> Tensor:
    """Compute frames `[F, M]`, one per 10 ms, from samples `[T]` in [-1, 1] at 16 kHz; F is T // 160, at least 1.

    The loudest bin sets the floor, 80 dB below. Whisper pads every clip to 30 s first; silence changes no other frame.
    """
    samples_T = torch.nn.functional.pad(samples_T, (0, max(0, HOP - len(samples_T))))
    # Mirrored at the ends as `torch.stft` does, but zeros where a clip is shorter than half a window.
    edge = WINDOW // 2
    mirrored = "reflect" if len(samples_T) > edge else "constant"
    padded_T = torch.nn.functional.pad(samples_T[None, None], (edge, edge), mode=mirrored)[0, 0]
    window_W = torch.hann_window(WINDOW, dtype=samples_T.dtype, device=samples_T.device)
    spectrum_FK = torch.fft.rfft(padded_T.unfold(0, WINDOW, HOP)[: len(samples_T) // HOP] * window_W)
    power_FK = spectrum_FK.real.square() + spectrum_FK.imag.square()
    with torch.autocast(samples_T.device.type, enabled=False):  # bfloat16 would round the logarithm to 1/128
        mel_FM = power_FK @ slaney_matrix(bins, samples_T.dtype).to(samples_T.device)
    log_FM = mel_FM.clamp(min=1e-10).log10()
    return (torch.maximum(log_FM, log_FM.max() - 8.0) + 4.0) / 4.0


@lru_cache(maxsize=8)
def slaney_matrix(bins: int, dtype: torch.dtype) -> Tensor:
    """Triangular filters `[K, M]` of equal area on Slaney's mel scale (Slaney 1998, "Auditory Toolbox")."""
    highest_hz = torch.tensor(RATE_HZ / 2, dtype=torch.float64)
    edges_hz = _hertz(torch.linspace(0.0, float(_mel(highest_hz)), bins + 2, dtype=torch.float64))
    left_M, centre_M, right_M = edges_hz[:-2], edges_hz[1:-1], edges_hz[2:]
    hz_K1 = torch.linspace(0, RATE_HZ / 2, WINDOW // 2 + 1, dtype=torch.float64)[:, None]
    rising_KM, falling_KM = (hz_K1 - left_M) / (centre_M - left_M), (right_M - hz_K1) / (right_M - centre_M)
    return (torch.minimum(rising_KM, falling_KM).clamp(min=0) * 2 / (right_M - left_M)).to(dtype)


def _mel(hz: Tensor) -> Tensor:
    """Slaney's scale: straight below 1 kHz, logarithmic above."""
    above = _BREAK_HZ / _STEP_HZ + torch.log(hz.clamp(min=_BREAK_HZ) / _BREAK_HZ) * 27 / math.log(6.4)
    return torch.where(hz < _BREAK_HZ, hz / _STEP_HZ, above)


def _hertz(mel: Tensor) -> Tensor:
    above = _BREAK_HZ * torch.exp((mel - _BREAK_HZ / _STEP_HZ) * math.log(6.4) / 27)
    return torch.where(mel < _BREAK_HZ / _STEP_HZ, mel * _STEP_HZ, above)
