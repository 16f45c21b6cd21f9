"""Optional noise suppression before the features, by WebRTC's suppressor (the package `webrtc-noise-gain`).

It lowers steady noise (fans, hiss, hum) in the voice band and removes what lies below speech. Whether it helps
recognition has to be measured for each model: a recogniser that was trained on noisy speech often prefers the noise.
"""

from importlib import import_module
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from earful.errors import AudioError, install

_BLOCK = 160  # the suppressor takes 10 ms at 16 kHz
_DELAY = 96  # samples by which its output lags: its 256-sample analysis window less one block
_PEAK = 16_384  # 16-bit peak of the sound inside the suppressor: room above, and fine steps below
_SCALE_FLOOR = 1e-6  # what is quieter than this stays what it is: silence


def denoise(samples_T: NDArray[np.float32], strength: Literal[1, 2, 3, 4] = 2) -> NDArray[np.float32]:
    """Suppress steady noise in samples [T] (mono, 16 kHz); the result has the same length, level and times.

    `strength` goes from 1 (gentle, some 6 dB less noise) to 4 (the strongest, which also harms the speech).
    Needs the extra `denoise`. Raises AudioError without it, or for samples that are not
    finite and mono.

    >>> denoise(np.zeros(16_000, np.float32)).shape  # doctest: +SKIP
    (16000,)
    """
    if samples_T.ndim != 1 or not np.isfinite(samples_T).all():
        raise AudioError(f"expected finite mono samples [T], got shape {samples_T.shape} {samples_T.dtype}")
    if strength not in (1, 2, 3, 4):
        raise AudioError(f"strength of the noise suppression is {strength}, must be 1, 2, 3 or 4")
    peak = float(np.abs(samples_T).max(initial=0.0))
    if peak < _SCALE_FLOOR:
        return samples_T.astype(np.float32)
    scale = _PEAK / peak
    return (_suppressed(np.rint(samples_T * scale).astype(np.int16), strength) / scale).astype(np.float32)


def _suppressed(pcm_T: NDArray[np.int16], strength: int) -> NDArray[np.int16]:
    try:
        library = import_module("webrtc_noise_gain")
    except ImportError as error:
        raise AudioError(f"noise suppression needs an optional package: {install('denoise')}") from error
    processor = library.AudioProcessor(0, strength)  # 0: no automatic gain
    padded_T = np.pad(pcm_T, (0, -len(pcm_T) % _BLOCK + _BLOCK))  # a block more, to hold what comes out late
    clean = b"".join(processor.Process10ms(block.tobytes()).audio for block in padded_T.reshape(-1, _BLOCK))
    return np.frombuffer(clean, np.int16)[_DELAY : _DELAY + len(pcm_T)]
