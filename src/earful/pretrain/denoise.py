"""Denoising: clean speech from noisy, reverberant speech with masked spans (Vincent et al. 2008; Liu et al. 2021).

It needs no text, only clean recordings, to which noise is added. At masked frames the encoder has to predict speech; at
the other frames it has to separate speech from noise.
"""

from dataclasses import dataclass, field
from typing import final

import torch
from torch import Tensor, nn

from earful.encoder.encoder import Encoder, subtract_mean, valid_frames
from earful.pretrain.masking import Spans, at_input_rate, draw_spans, sounding, stack
from earful.pretrain.objective import Found, Need, Objective, Views


@dataclass(frozen=True)
class DenoiseSettings:
    """The masking, as in TERA (Liu et al. 2021): 0.15 of the frames; hidden frames of 40 ms."""

    spans: Spans = field(default_factory=lambda: Spans(starts=0.03, length=5))


@final
class Denoise(Objective):
    """A denoising autoencoder on an encoder `width` wide at `subsampling` of `bins`: one linear layer on hidden frames
    predicts the clean input frames below each, minus their mean over the clip, as in the encoder's input.

    Its loss, "clean", is the mean absolute difference, over all frames and bins, in the unit of the frames (natural
    logarithms of energies). It is absolute and not squared, as in TERA: the logarithm of clean speech is very low in
    pauses, at its floor in synthetic ones, and squares would spend the gradient on the depth of silence.

    Facts: "explained", the explained share of the clean frames' variance, 1 − Σ(error²) / Σ(clean²); it is below 0 if
    each clip's mean would be nearer. Silence is left out; a clip not longer than a span is denoised, but not masked.
    """

    needs: frozenset[Need] = frozenset({"clean"})

    def __init__(self, settings: DenoiseSettings, bins: int, width: int, subsampling: int) -> None:
        super().__init__()
        self.settings = settings
        self.restore = nn.Linear(width, subsampling * bins)

    def forward(self, encoder: Encoder, heard: Views, generator: torch.Generator) -> Found:
        """The loss of a batch; see the class."""
        assert heard.clean_BFM is not None, "the loop gives what an objective needs"
        counts_B = heard.frame_counts_B
        valid_BF = valid_frames(counts_B, heard.frames_BFM.shape[1])
        clean_BFK, real_BFK = stack(subtract_mean(heard.clean_BFM, valid_BF), counts_B, encoder.subsampling)
        masked_BF = draw_spans(encoder.output_counts(counts_B), real_BFK.shape[1], self.settings.spans, generator)
        hidden_BFD, _ = encoder(_masked(heard, valid_BF, masked_BF, encoder.subsampling), counts_B)
        taught_BFK = real_BFK & sounding(heard.frames_BFM, counts_B)[:, None, None]
        return compare(self.restore(hidden_BFD)[taught_BFK].float(), clean_BFK[taught_BFK].float())


def _masked(heard: Views, valid_BF: Tensor, masked_BF: Tensor, subsampling: int) -> Tensor:
    """The input minus its mean, masked by zero, which is that mean."""
    hidden_BF1 = at_input_rate(masked_BF, subsampling, valid_BF.shape[1])[..., None]
    return subtract_mean(heard.frames_BFM, valid_BF).masked_fill(hidden_BF1, 0.0)


def compare(restored_N: Tensor, clean_N: Tensor) -> Found:
    """The loss of N numbers, each a bin of a frame, and the explained share of the clean ones' variance (about 0)."""
    error_N = restored_N - clean_N
    loss = error_N.abs().sum() / max(1, len(clean_N))
    variance = float(clean_N.double().square().sum())
    if not variance:
        return Found({"clean": loss}, {})
    return Found({"clean": loss}, {"explained": 1 - float(error_N.detach().double().square().sum()) / variance})
