"""BEST-RQ: predict the code of the masked input, from a code book that is never trained (Chiu et al. 2022).

Spans of the input are replaced by noise. For each hidden frame with masked input, the encoder predicts the code of the
original input. A code is the nearest of random vectors to a random projection of the input. So nothing can collapse,
and nothing has to be computed beforehand.
"""

from dataclasses import dataclass, field
from typing import NamedTuple, final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from earful.encoder.encoder import Encoder, subtract_mean, valid_frames
from earful.errors import ConfigError
from earful.pretrain.masking import QUIETEST, Spans, at_input_rate, draw_spans, sounding, stack
from earful.pretrain.objective import Found, Objective, Views


@dataclass(frozen=True)
class BestRqSettings:
    """The code book, and what is masked.

    The paper masks spans of 400 ms, of which 0.01 start at each frame of 10 ms; the values here are for frames of 40
    ms. It has 8192 codes for a Conformer of 0.6 billion weights; `code_width` is the paper's. `noise` is the standard
    deviation of the masking noise, relative to that of each bin of the clip. `seed` draws projection and code book.

    Raises ConfigError, which names the key.
    """

    codes: int = 1024
    code_width: int = 16
    spans: Spans = field(default_factory=lambda: Spans(starts=0.04, length=10))
    noise: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        if self.codes < 2:
            raise ConfigError(f"best_rq: codes is {self.codes}, must be at least 2, else there is nothing to predict")
        if self.code_width < 1:
            raise ConfigError(f"best_rq: code_width is {self.code_width}, must be at least 1")
        if not self.noise >= 0:
            raise ConfigError(f"best_rq: noise is {self.noise}, must be 0 or more: a standard deviation")


class Normalised(NamedTuple):
    """Frames with mean 0 and standard deviation 1 in each bin of each clip, and their original deviations."""

    frames_BFM: Tensor
    deviation_B1M: Tensor


def normalise(frames_BFM: Tensor, counts_B: Tensor) -> Normalised:
    """Normalise each bin of each clip over its frames; a constant bin stays (near) zero.

    Without this the loudest bins would dominate the random projection, and few codes would be used (Chiu et al. 2022).
    """
    centred_BFM = subtract_mean(frames_BFM, valid_frames(counts_B, frames_BFM.shape[1]))
    variance_B1M = centred_BFM.square().sum(1, keepdim=True) / counts_B.clamp(min=1)[:, None, None]
    deviation_B1M = variance_B1M.sqrt().clamp(min=QUIETEST)
    return Normalised(centred_BFM / deviation_B1M, deviation_B1M)


class RandomQuantiser(nn.Module):
    """A fixed random projection (uniform, Glorot) and a fixed random code book (normal, on the unit sphere)."""

    projection_KE: Tensor
    codes_CE: Tensor

    def __init__(self, size: int, codes: int, code_width: int, seed: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        projection_KE = nn.init.xavier_uniform_(torch.empty(size, code_width), generator=generator)
        codes_CE = F.normalize(torch.randn(codes, code_width, generator=generator), dim=1)
        self.register_buffer("projection_KE", projection_KE)
        self.register_buffer("codes_CE", codes_CE)

    def forward(self, stacked_NK: Tensor) -> Tensor:
        """The code nearest to each row, ids [N]: argmin ‖c / ‖c‖ − Ax / ‖Ax‖‖ (Chiu et al. 2022, eq. 1).

        Among codes on the unit sphere that is the one with the largest product with Ax, for any length of Ax.
        """
        with torch.autocast(stacked_NK.device.type, enabled=False):  # bfloat16 would blur the targets
            return (stacked_NK.float() @ self.projection_KE @ self.codes_CE.T).argmax(1)


@final
class BestRq(Objective):
    """BEST-RQ on an encoder `width` wide at `subsampling` of `bins`. Its loss, "masked", is the mean cross-entropy over
    masked hidden frames. Facts: accuracy there, and the perplexity of the target codes.

    The encoder gets frames on their usual scale: the noise of a span is the mean plus 0.1 times the deviation of each
    bin. Silence, and clips not longer than a span, are left out.
    """

    def __init__(self, settings: BestRqSettings, bins: int, width: int, subsampling: int) -> None:
        super().__init__()
        self.settings = settings
        self.quantise = RandomQuantiser(subsampling * bins, settings.codes, settings.code_width, settings.seed)
        self.classify = nn.Linear(width, settings.codes)

    def forward(self, encoder: Encoder, heard: Views, generator: torch.Generator) -> Found:
        """The loss of a batch; see the class."""
        frames_BFM, counts_B = heard.frames_BFM, heard.frame_counts_B
        normal = normalise(frames_BFM, counts_B)
        stacked_BFK, real_BFK = stack(normal.frames_BFM, counts_B, encoder.subsampling)
        masked_BF = draw_spans(encoder.output_counts(counts_B), real_BFK.shape[1], self.settings.spans, generator)
        masked_BF = masked_BF & sounding(frames_BFM, counts_B)[:, None]
        hidden_BFD, _ = encoder(self.disturbed(normal, masked_BF, encoder.subsampling, generator), counts_B)
        return self.compare(hidden_BFD[masked_BF], self.quantise(stacked_BFK[masked_BF]))

    def disturbed(self, normal: Normalised, masked_BF: Tensor, subsampling: int, generator: torch.Generator) -> Tensor:
        """Frames on their own scale with noise in place of masked ones, their mean subtracted: [B, F, M]."""
        masked_BF1 = at_input_rate(masked_BF, subsampling, normal.frames_BFM.shape[1])[..., None]
        # As many numbers as are masked, and not as the batch is large: padding must not change what is drawn.
        shape = (int(masked_BF1.sum()), normal.frames_BFM.shape[2])
        noise_NM = self.settings.noise * torch.randn(shape, generator=generator, device=generator.device)
        noise_NM = noise_NM.to(normal.frames_BFM)
        return normal.frames_BFM.masked_scatter(masked_BF1, noise_NM) * normal.deviation_B1M

    def compare(self, hidden_ND: Tensor, codes_N: Tensor) -> Found:
        """The loss of N masked hidden frames and their codes."""
        logits_NC = self.classify(hidden_ND).float()
        loss = F.cross_entropy(logits_NC, codes_N, reduction="sum") / max(1, len(codes_N))
        if not len(codes_N):
            return Found({"masked": loss}, {})
        accuracy = float((logits_NC.argmax(1) == codes_N).float().mean())
        return Found({"masked": loss}, {"accuracy": accuracy, "perplexity": perplexity(codes_N)})


def perplexity(codes_N: Tensor) -> float:
    """exp(entropy) of the frequencies of codes: 1 if only one occurs, their number if all are equally frequent."""
    share_C = torch.bincount(codes_N).double() / len(codes_N)
    return float(torch.special.entr(share_C).sum().exp())
