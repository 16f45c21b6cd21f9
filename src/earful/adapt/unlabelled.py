"""Self-training on recordings without transcripts: the confident transcripts of an adapted recogniser."""

from collections.abc import Iterator
from dataclasses import replace

from torch import Tensor

from earful.adapt.clips import Progress
from earful.adapt.remember import Hearing, itself
from earful.checkpoint import Checkpoint
from earful.ctc.beam import Search
from earful.ctc.greedy import Emission, greedy
from earful.data.frames import compute_clips
from earful.data.manifest import Manifest
from earful.data.utterance import Utterance
from earful.model import AcousticModel, ears_of, logp_of

LEAST = 0.6
"""The least confidence of a transcript that is used."""
LEAST_LETTERS = 4
"""Shorter transcripts teach little, and are often of noise."""


def believed(
    recogniser: Checkpoint,
    clips: Manifest,
    *,
    least: float = LEAST,
    letters: int = LEAST_LETTERS,
    tell: Progress,
    hearing: Hearing = itself,
) -> Manifest:
    """The clips with the recogniser's transcripts, if these have enough `letters` and a sufficient confidence.

    It decodes with its language model, if it has one, which adds information that the sound lacks (Lee 2013,
    "Pseudo-label"; Kahn et al. 2020). The confidence, the mean probability of the letters, must be at least `least`, 0
    to 1. `hearing` may be a cache of frames (`adapt.remember`). A clip is encoded in one piece: cut long recordings
    before. Raises AudioError if a clip cannot be read.
    """
    return Manifest(tuple(_believed(recogniser, clips, least, letters, tell, hearing)))


def _believed(
    recogniser: Checkpoint, clips: Manifest, least: float, letters: int, tell: Progress, hearing: Hearing
) -> Iterator[Utterance]:
    model, symbols, search = recogniser.build(), recogniser.config.alphabet.symbols, _search(recogniser)
    for number, (clip, heard) in enumerate(zip(clips, compute_clips(clips, hearing(ears_of(model))), strict=True), 1):
        emissions = _emissions(model, search, heard.frames_FM)
        tell("writing down", number, len(clips))
        text = " ".join("".join(symbols[e.symbol - 1] for e in emissions).split())
        sure = sum(e.confidence for e in emissions) / max(len(emissions), 1)
        if len(text) >= letters and sure >= least:
            yield replace(clip, text=text, extra={**clip.extra, "confidence": round(sure, 3)})


def _search(recogniser: Checkpoint) -> Search | None:
    """The search with the language model; None without one."""
    known = recogniser.language
    size = recogniser.config.alphabet.size
    return Search(size, known.ngram, known.words, known.weight, known.bonus) if known else None


def _emissions(model: AcousticModel, search: Search | None, frames_FM: Tensor) -> tuple[Emission, ...]:
    """The letters of one clip, by the search with the language model, or by greedy decoding."""
    logp_FV = logp_of(model, frames_FM)
    if search is None:
        return greedy(logp_FV)
    return search.hear(logp_FV.half()).emissions  # as stored by the recogniser, so that both write the same
