"""The contract of self-supervised objectives: modules that turn an encoder and a batch of speech into losses.

The encoder is the result. The objective's own weights (quantisers, predictors, projections) are thrown away at the end.
One loop serves all objectives, and their weighted sum.
"""

from abc import ABC, abstractmethod
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from earful.encoder.encoder import Encoder

Need = Literal["other", "clean", "classes", "units"]


class Views(NamedTuple):
    """Speech without transcripts, padded with zeros. Parts that no objective needs are None.

    `other` is another augmentation of the same clips; `clean` are the clips without augmentation, of the same length.
    `classes_BC` has the ids of a clip's clip, speaker, language and word (in the order of CLASSES; −1 if unknown);
    `units_BU` are the targets of masked prediction, one per hidden frame (−1 if there is none).
    """

    frames_BFM: Tensor
    frame_counts_B: Tensor
    other_BFM: Tensor | None = None
    other_counts_B: Tensor | None = None
    clean_BFM: Tensor | None = None
    classes_BC: Tensor | None = None
    units_BU: Tensor | None = None


CLASSES = ("clip", "speaker", "language", "word")


class Found(NamedTuple):
    """Losses by name, to be minimised, and facts by name, to be shown (perplexity of a code book, accuracy)."""

    losses: dict[str, Tensor]
    facts: dict[str, float]


class Objective(nn.Module, ABC):
    """An objective after its paper. `tests/contract/test_objectives.py` tests this contract for every one:

    - `forward(encoder, heard, generator)` draws all its randomness from `generator`: the same seed, the same losses.
    - Padding of a batch is never read, and losses do not depend on its amount.
    - A batch from which nothing can be learned (one clip, clips shorter than a span, silence) gives losses of zero that
      still have a gradient, zero: never NaN.
    - Every weight of its own, and of the encoder, can get a gradient, except those that it names as frozen.
    - No buffer changes in `forward`, so that a resumed run equals an uninterrupted one. (`after_step` may change some.)
    """

    needs: frozenset[Need] = frozenset()

    @abstractmethod
    def forward(self, encoder: Encoder, heard: Views, generator: torch.Generator) -> Found:
        """The losses of a batch; each a scalar, a mean over the predictions, in nats if it is a likelihood."""

    def after_step(self, step: int, steps: int) -> None:
        """Update values that change with the steps (a temperature); called after each, with the number of all steps."""
