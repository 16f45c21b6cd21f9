"""Voices and rooms that no product expects, made from a real voice by signal processing.

Throat, pitch and tempo are changed by Praat ("Change gender": Boersma and Weenink; package praat-parselmouth), the rest
by what earful augments with. They are changes of one real speaker: what they lack of a child or of someone who is hard
to understand is said where figures are shown.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import parselmouth
import torch
from numpy.typing import NDArray
from parselmouth.praat import call

from earful.audio.augment import reverberate
from earful.audio.files import probe, read, write
from earful.audio.line import telephone
from earful.audio.microphone import saturate, through_microphone
from earful.audio.noise import add_noise, unsteady_noise
from earful.data.manifest import Manifest

RATE_HZ = 16_000
Samples = NDArray[np.float32]
Change = Callable[[Samples, torch.Generator], Samples]


def throat(
    samples_T: Samples, *, formants: float, pitch_hz: float, range_: float = 1.0, slower: float = 1.0
) -> Samples:
    """Another throat: formants by a factor, a median pitch, the range of the pitch by a factor, and a tempo."""
    sound = parselmouth.Sound(samples_T.astype(np.float64), sampling_frequency=RATE_HZ)
    changed = call(sound, "Change gender", 75, 600, formants, pitch_hz, range_, slower)
    return np.asarray(changed.values[0], np.float32)


def slurred(samples_T: Samples, generator: torch.Generator) -> Samples:
    """Slow, monotonous, and each sound smeared into the next: magnitudes of the spectrum averaged over 90 ms."""
    slow_T = throat(samples_T, formants=1.0, pitch_hz=0, range_=0.4, slower=1.4)
    spectrum = torch.stft(torch.from_numpy(slow_T), 512, 128, window=torch.hann_window(512), return_complex=True)
    kernel = torch.ones(1, 1, 11) / 11
    magnitudes = torch.nn.functional.conv1d(spectrum.abs()[:, None], kernel, padding=5)[:, 0]
    smeared = torch.polar(magnitudes, spectrum.angle())
    return torch.istft(smeared, 512, 128, window=torch.hann_window(512), length=len(slow_T)).numpy()


def whispered(samples_T: Samples, generator: torch.Generator) -> Samples:
    """Breath in place of the voice: the smoothed envelope of the spectrum, filled with noise."""
    window = torch.hann_window(512)
    spectrum = torch.stft(torch.from_numpy(samples_T), 512, 128, window=window, return_complex=True).abs()
    envelope = torch.nn.functional.avg_pool1d(spectrum.T[None], 9, 1, 4, count_include_pad=False)[0].T
    noise = torch.stft(torch.randn(len(samples_T), generator=generator), 512, 128, window=window, return_complex=True)
    return torch.istft(envelope * noise / 16, 512, 128, window=window, length=len(samples_T)).numpy()


def radio(samples_T: Samples, generator: torch.Generator) -> Samples:
    """An overdriven transmitter with a telephone's band, amid noise that comes and goes, at 8 dB."""
    sent_T = telephone(saturate(samples_T / max(1e-3, float(np.abs(samples_T).max())), 12.0))
    return add_noise(sent_T, unsteady_noise(len(sent_T), generator), 8.0)


CHANGES: Mapping[str, Change] = {
    "a child": lambda x, g: throat(x, formants=1.3, pitch_hz=300, range_=1.3),
    "a giant": lambda x, g: throat(x, formants=0.8, pitch_hz=75),
    "slurred and slow": slurred,
    "hasty": lambda x, g: throat(x, formants=1.05, pitch_hz=0, slower=0.62),
    "whispered": whispered,
    "a telephone": lambda x, g: telephone(through_microphone(x, 12.0, g)),
    "a distant room": lambda x, g: reverberate(x, g, 0.9, -8.0),
    "a radio": radio,
}


def changed(clips: Manifest, name: str, folder: Path) -> Manifest:
    """The same clips in that voice, written into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for place, clip in enumerate(clips):
        path = folder / f"{place}.wav"
        if not path.exists():
            sound_T = read(clip.audio, clip.start_s, clip.duration_s)
            samples_T = CHANGES[name](sound_T, torch.Generator().manual_seed(place))
            write(path, samples_T / max(1.0, 1.05 * float(np.abs(samples_T).max())))
        found.append(replace(clip, audio=path, start_s=0.0, duration_s=probe(path).duration_s))
    return Manifest(tuple(found))
