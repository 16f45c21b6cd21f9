"""Recordings without transcripts: what an adapted recogniser is sure that they say is learned from (self-training)."""

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
"""The confidence from which a transcript is believed."""
LEAST_LETTERS = 4
"""A shorter transcript says little, and is often of a noise."""


def believed(
    recogniser: Checkpoint,
    clips: Manifest,
    *,
    least: float = LEAST,
    letters: int = LEAST_LETTERS,
    tell: Progress,
    hearing: Hearing = itself,
) -> Manifest:
    """The clips with what the recogniser writes of them, where that is of so many `letters`, and sure enough.

    It searches with its language model, where it has one: that knows what the sound does not tell, and so teaches it
    (Lee 2013, "Pseudo-label"; Kahn et al. 2020). Its confidence, the mean probability of the letters, must be `least`,
    0 to 1, or more; `hearing` may remember what was heard before (`adapt.remember`). A clip is heard in one piece: cut
    long recordings before. Raises AudioError where a clip cannot be read.
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
    """By the language model, where there is one."""
    known = recogniser.language
    size = recogniser.config.alphabet.size
    return Search(size, known.ngram, known.words, known.weight, known.bonus) if known else None


def _emissions(model: AcousticModel, search: Search | None, frames_FM: Tensor) -> tuple[Emission, ...]:
    """The letters of one clip: searched for with the language model, or the best path."""
    logp_FV = logp_of(model, frames_FM)
    if search is None:
        return greedy(logp_FV)
    return search.hear(logp_FV.half()).emissions  # as the recogniser keeps it, so that both write the same
