"""The recordings of a proof: the user's, else synthetic speech of the language, else test signals."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from earful.audio.files import SAMPLE_RATE_HZ, read
from earful.data.clips import read_clips
from earful.data.manifest import Manifest
from earful.data.readers.sound import is_sound
from earful.data.synthesis.speak import speak_corpus
from earful.errors import AudioError, ExportError, ManifestError, SynthesisError
from earful.transcriber import Samples

MOST, LONGEST_S = 50, 60.0
"""The largest number of recordings, and the largest length of each, that are compared."""
SPOKEN = 20


@dataclass(frozen=True)
class Recording:
    """Samples `[T]`, and their transcript, if known."""

    name: str
    samples_T: Samples
    text: str | None = None


def recordings_in(check: Path) -> list[Recording]:
    """The user's: a sound file, transcribed clips in any form, or a folder of sound. Raises ExportError; AudioError."""
    if check.is_file() and is_sound(check):
        return [Recording(check.name, _beginning(check))]
    try:
        found = list(_of_clips(read_clips(check)))
    except ManifestError as error:
        sound = sorted(path for path in check.rglob("*") if path.is_file() and is_sound(path)) if check.is_dir() else []
        if not sound:
            raise ExportError(f"{check}: no recordings to check with ({error})") from error
        found = [Recording(path.name, _beginning(path)) for path in sound[:MOST]]
    if not found:
        raise ExportError(f"{check}: no recordings to check with; name clips or a folder of sound")
    return found


def spoken_in(languages: list[str], count: int = SPOKEN) -> list[Recording]:
    """Synthetic speech in the first of the languages that espeak-ng speaks; none if it speaks none of them."""
    for language in languages:
        try:
            with TemporaryDirectory() as folder:
                manifest, _ = speak_corpus([language], folder, clips=count, invented=0.0, seed=0)
                return list(_of_clips(manifest))
        except SynthesisError:
            continue
    return []


def signals() -> list[Recording]:
    """Test signals: tones that glide and stop, with noise; the last is longer than two windows."""
    found = []
    for number, seconds in enumerate((0.4, 1.0, 2.5, 4.0, 7.3, 15.0, 15.02, 34.0)):
        rng, t = np.random.default_rng(number), np.arange(round(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
        pitch_hz = 120 + 60 * np.sin(2 * np.pi * 0.7 * t)
        voice = sum(np.sin(2 * np.pi * k * np.cumsum(pitch_hz) / SAMPLE_RATE_HZ) / k for k in range(1, 20))
        spoken = 0.1 * voice * (np.sin(2 * np.pi * 3 * t) > -0.3) + 0.01 * rng.standard_normal(len(t))
        found.append(Recording(f"signal of {seconds} s", spoken.astype(np.float32)))
    return found


def _of_clips(manifest: Manifest) -> Iterator[Recording]:
    for each in list(manifest)[:MOST]:
        duration_s = min(each.duration_s or LONGEST_S, LONGEST_S)
        whole = each.duration_s is None or each.duration_s <= LONGEST_S
        yield Recording(each.id, read(each.audio, each.start_s, duration_s), each.text if whole else None)


def _beginning(path: Path) -> Samples:
    try:
        return read(path, 0.0, LONGEST_S)
    except AudioError:
        return read(path)  # shorter than that
