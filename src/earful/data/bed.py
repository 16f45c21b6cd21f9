"""A bed of speech: clips one after the other, amid which an encoder hears another clip (`Backbone.amid`)."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from earful.audio.augment import Augmentation, augment
from earful.audio.files import SAMPLE_RATE_HZ, read
from earful.data.utterance import Utterance

BED_S, PIECE_S, GAP_S = 11.0, 5.0, 0.5
"""The lengths of a bed, of the longest clip in it, and of the silence after each. 19 s of Whisper's 30 s are left."""
TRIED = 200
"""The most clips that are examined: a few fill a bed."""


def bed_of(
    utterances: Sequence[Utterance],
    generator: torch.Generator,
    *,
    seconds: float = BED_S,
    augmentation: Augmentation | None = None,
) -> Tensor:
    """Samples `[T]` of randomly drawn clips, until they are `seconds` long or all clips are used.

    Each is cut to PIECE_S, changed by the `augmentation` if there is one, and followed by silence. Clips longer than
    GAP_S come first. Raises AudioError if a recording cannot be read.
    """
    order = torch.randperm(len(utterances), generator=generator).tolist()[:TRIED]
    order.sort(key=lambda i: (utterances[i].duration_s or 0) < 2 * GAP_S)
    room, pieces = round(seconds * SAMPLE_RATE_HZ), []
    gap_T = np.zeros(round(GAP_S * SAMPLE_RATE_HZ), np.float32)
    for clip in (utterances[i] for i in order):
        if room <= 0:
            break
        samples_T = read(clip.audio, clip.start_s, min(PIECE_S, clip.duration_s or PIECE_S), clip.channel)
        if augmentation is not None:
            samples_T, _ = augment(samples_T, augmentation, generator)
        pieces.append(np.concatenate([samples_T, gap_T])[:room])
        room -= len(pieces[-1])
    return torch.from_numpy(np.concatenate(pieces)) if pieces else torch.zeros(0)
