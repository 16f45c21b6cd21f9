"""How much the language model counts beside the sound ("shallow fusion"), and what each symbol adds: tuned on clips."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from earful.ctc.beam import LEAST_LOGP, Search, frames_of
from earful.ctc.ngram import NGram
from earful.ctc.words import Words
from earful.errors import TextError
from earful.text.score import errors_of_each

TUNING_WIDTH = 32
WEIGHTS = (0.5, 0.75, 1.0, 1.25)
BONUSES = (0.5, 1.0, 1.5, 2.0, 2.5)
PRIOR = 1500.0
"""The prior from other recordings (`unusual`) weighs as much as this number of held-out characters."""
USUAL = 1.0, 1.5
"""The default weight and bonus, from other recordings, if there are no recordings to tune them on."""


class Fusion(NamedTuple):
    """The weights of the language model and of the length, and the character error rate to be expected with them.

    That rate is of each recording with the weight and bonus chosen on the others: `errors` has its wrong characters.
    """

    weight: float
    bonus: float
    cer: float
    errors: tuple[int, ...] = ()


class Recording(NamedTuple):
    """A held-out recording: its log-probabilities, its transcript, and language models trained without it.

    Recordings of one `group` are not independent of each other (`data.apart`); without a group it is on its own.
    """

    logp_FV: Tensor
    text: str
    ngram: NGram
    words: Words | None = None
    group: int | None = None


def tune(
    recordings: Sequence[Recording],
    weights: Sequence[float] = WEIGHTS,
    bonuses: Sequence[float] = BONUSES,
    *,
    prior: float = PRIOR,
    width: int = TUNING_WIDTH,
    least_logp: float = LEAST_LOGP,
) -> Fusion:
    """The weight and bonus with the lowest character error rate on held-out recordings and on earlier ones (`unusual`).

    A few recordings are too little: chance would often choose values that cost much elsewhere. So their errors are
    added to those that the prior expects of `prior` characters; with hours of recordings, only their own errors matter.
    The resulting rate is cross-validated, group by group, because the rate on the clips that choose is too low. Of
    equally good values the smaller weight is taken, then the smaller bonus.

    Raises:
        ConfigError: as `Search`. TextError: there are no recordings.
    """
    if not recordings:
        raise TextError("expected held-out recordings to weigh the language model by, got none; hold some out")
    frames = [frames_of(recording.logp_FV, least_logp) for recording in recordings]
    references, size = [recording.text for recording in recordings], recordings[0].logp_FV.shape[1]
    searches = {
        id(each.ngram): Search(size, each.ngram, each.words, width=width, least_logp=least_logp) for each in recordings
    }

    def wrong(weight: float, bonus: float) -> list[int]:
        weighed = {key: each.with_fusion(weight, bonus) for key, each in searches.items()}
        texts = [
            each.ngram.alphabet.decode(weighed[id(each.ngram)].ids(heard))
            for each, heard in zip(recordings, frames, strict=True)
        ]
        return [each.characters.errors for each in errors_of_each(references, texts)]

    candidates = sorted(product(weights, bonuses))
    for each in searches.values():
        each.make_ready()  # by one thread, for all
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:  # the search lets other threads run
        errors_CR = np.array(list(pool.map(wrong, *zip(*candidates, strict=True))))
    before_C = np.array([prior * unusual(*each) for each in candidates])
    group_R = np.array([-1 - i if each.group is None else each.group for i, each in enumerate(recordings)])
    unmet_R = np.zeros(len(recordings), int)
    for group in set(group_R.tolist()):
        own_R = group_R == group
        unmet_R[own_R] = errors_CR[np.argmin(errors_CR[:, ~own_R].sum(1) + before_C), own_R]
    weight, bonus = candidates[int(np.argmin(errors_CR.sum(1) + before_C))]
    return Fusion(weight, bonus, float(unmet_R.sum()) / max(sum(map(len, references)), 1), tuple(unmet_R.tolist()))


def unusual(weight: float, bonus: float) -> float:
    """The character error rate that a weight and bonus cost in comparison with the `USUAL` ones.

    It is a parabola, fitted by eye to a few runs on real Dutch: a unit of weight needs 1.3 more of bonus, and along
    that line little changes.
    """
    further, longer = weight - USUAL[0], bonus - USUAL[1]
    return 0.025 * further**2 + 0.013 * (longer - 1.3 * further) ** 2


# --- what the search reads -------------------------------------------------------------------------------------------
