"""Recognizer: load, transcribe, adapt, save. What most programs need of earful."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from torch import Tensor

from earful.adapt.adapt import AdaptReport, adapt
from earful.audio.files import SAMPLE_RATE_HZ, blocks
from earful.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from earful.ctc.greedy import Emission, best_path, merge
from earful.data.clips import read_clips
from earful.data.manifest import Manifest
from earful.errors import AudioError
from earful.features.fbank import fbank

Samples = np.ndarray[Any, np.dtype[np.float32]]

WINDOW_S, CONTEXT_S = 16.0, 2.0
"""Long recordings are decoded in windows of 16 s, with 2 s of the neighbours heard on either side."""


@dataclass(frozen=True)
class Word:
    """A word, when it is said, and how sure the recogniser is (0 to 1: the mean probability of its letters)."""

    text: str
    start_s: float
    end_s: float
    confidence: float


@dataclass(frozen=True)
class Transcript:
    """What a recording says."""

    text: str
    words: tuple[Word, ...]
    confidence: float
    duration_s: float


@final
class Recognizer:
    """A recogniser of one language, accent or voice. Immutable: `adapt` returns a new one.

    >>> recognizer = Recognizer.load("earful-base").adapt("clips/")     # doctest: +SKIP
    >>> recognizer.transcribe("new.wav").text                           # doctest: +SKIP
    """

    def __init__(self, checkpoint: Checkpoint, report: AdaptReport | None = None) -> None:
        self.checkpoint = checkpoint
        self.report = report
        self._model = checkpoint.build()

    @classmethod
    def load(cls, model: str | Path) -> "Recognizer":
        """Load a model folder, or a shipped base by its name. Raises CheckpointError."""
        return cls(load_checkpoint(model))

    def save(self, folder: str | Path, *, replace: bool = False) -> None:
        """Write the model folder, whole or not at all. Raises CheckpointError."""
        save_checkpoint(folder, self.checkpoint, replace=replace)

    def adapt(self, clips: str | Path | Manifest, **options: Any) -> "Recognizer":
        """A new recogniser, adapted to transcribed clips (a Manifest, or what `read_clips` reads).

        The options are those of `earful.adapt.adapt.adapt`; what it measured is the new recogniser's `report`.
        """
        manifest = clips if isinstance(clips, Manifest) else read_clips(clips)
        checkpoint, report = adapt(self.checkpoint, manifest, **options)
        return Recognizer(checkpoint, report)

    def transcribe(self, audio: str | Path | Samples) -> Transcript:
        """Transcribe a file of any length, or float32 samples `[T]` of 16 kHz mono, in bounded memory.

        Raises:
            AudioError: the file cannot be read, or the samples are not finite mono floats.
        """
        pieces = _slices(_checked(audio)) if isinstance(audio, np.ndarray) else blocks(audio, WINDOW_S)
        return self.transcribe_blocks(pieces)

    def transcribe_blocks(self, pieces: Iterable[Samples]) -> Transcript:
        """Transcribe consecutive blocks of samples, each WINDOW_S long but the last."""
        best, p, duration_s = [], [], 0.0
        for window_T, before_s, own_s in _windows(pieces):
            duration_s += own_s
            path = self._path(window_T, before_s, own_s)
            best.append(path[0])
            p.append(path[1])
        return self._transcript(torch.cat(best), torch.cat(p), duration_s)

    def transcribe_many(self, frames: Iterable[Tensor]) -> Iterator[str]:
        """The texts of clips given by their features `[F, M]`: what scoring needs."""
        for frames_FM in frames:
            best_F, _ = best_path(self._logp(frames_FM))
            yield self.checkpoint.config.alphabet.decode(
                [e.symbol for e in merge(best_F, torch.ones(len(best_F)))]
            ).strip()

    def _logp(self, frames_FM: Tensor) -> Tensor:
        if not len(frames_FM):
            return torch.zeros(0, self.checkpoint.config.alphabet.size)
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            logp_BFV, _ = self._model(frames_FM[None], torch.tensor([len(frames_FM)]))
        return logp_BFV[0]  # type: ignore[no-any-return]

    def _path(self, window_T: Samples, before_s: float, own_s: float) -> tuple[Tensor, Tensor]:
        """The best path of the window's own part, its context cut away."""
        config = self.checkpoint.config
        frames_BFM, _ = fbank(torch.from_numpy(window_T)[None], config=config.features)
        best_F, p_F = best_path(self._logp(frames_BFM[0]))
        first = round(before_s / config.output_hop_s)
        last = first + round(own_s / config.output_hop_s)
        return best_F[first:last], p_F[first:last]

    def _transcript(self, best_F: Tensor, p_F: Tensor, duration_s: float) -> Transcript:
        emissions = merge(best_F, p_F)
        words = tuple(self._words(emissions))
        mean = sum(e.confidence for e in emissions) / len(emissions) if emissions else 0.0
        return Transcript(" ".join(word.text for word in words), words, mean, duration_s)

    def _words(self, emissions: Iterable[Emission]) -> Iterator[Word]:
        symbols, hop_s = self.checkpoint.config.alphabet.symbols, self.checkpoint.config.output_hop_s
        letters: list[Emission] = []
        for emission in (*emissions, None):
            if emission is not None and not symbols[emission.symbol - 1].isspace():
                letters.append(emission)
            elif letters:
                text = "".join(symbols[e.symbol - 1] for e in letters)
                confidence = sum(e.confidence for e in letters) / len(letters)
                yield Word(text, letters[0].start * hop_s, letters[-1].end * hop_s, confidence)
                letters = []


def _checked(samples_T: Samples) -> Samples:
    if samples_T.ndim != 1 or not np.issubdtype(samples_T.dtype, np.floating):
        raise AudioError(
            f"expected float samples [T], mono, 16 kHz, got {samples_T.dtype} {samples_T.shape}; convert them"
        )
    if not np.isfinite(samples_T).all():
        raise AudioError("the samples hold NaN or infinity; repair the recording")
    return samples_T.astype(np.float32, copy=False)


def _slices(samples_T: Samples) -> Iterator[Samples]:
    size = round(WINDOW_S * SAMPLE_RATE_HZ)
    yield from (samples_T[i : i + size] for i in range(0, len(samples_T), size))


def _windows(pieces: Iterable[Samples]) -> Iterator[tuple[Samples, float, float]]:
    """`(samples with context, seconds of context before, seconds of its own)` for every block."""
    context = round(CONTEXT_S * SAMPLE_RATE_HZ)
    before = np.zeros(0, np.float32)
    held: Samples | None = None
    for piece in pieces:
        if held is not None:
            yield (
                np.concatenate([before, held, piece[:context]]),
                len(before) / SAMPLE_RATE_HZ,
                len(held) / SAMPLE_RATE_HZ,
            )
            before = held[-context:]
        held = piece
    if held is not None:
        yield np.concatenate([before, held]), len(before) / SAMPLE_RATE_HZ, len(held) / SAMPLE_RATE_HZ
