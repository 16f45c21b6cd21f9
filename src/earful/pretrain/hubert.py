"""HuBERT: predict the unit of masked frames (Hsu et al. 2021).

Spans of the encoder's local frames are replaced by a learned vector; its context has to predict the original units.
Units are clusters, computed before training: of MFCC frames first, of the hidden frames of a trained encoder later
(`kmeans`).
"""

from dataclasses import dataclass, field
from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from earful.encoder.encoder import Encoder
from earful.errors import ConfigError
from earful.pretrain.masking import Spans, draw_spans, sounding
from earful.pretrain.objective import Found, Need, Objective, Views


@dataclass(frozen=True)
class HubertSettings:
    """The number of units, the masking, and the comparison of hidden frames with units.

    The paper has spans of 200 ms, of which 0.08 start at each frame of 20 ms; the values here are for frames of 40 ms.
    Hidden frames and units are compared in `code_width` dimensions (256 in the paper, for 768 of the encoder); their
    cosine is divided by `temperature` (τ). `unmasked_weight` is the weight of frames that are not masked: (1 − α) / α
    of eq. 2. The paper trains with 0, the default here: units of MFCCs are too coarse to learn from unmasked frames.

    Raises ConfigError, which names the key.
    """

    units: int = 100
    spans: Spans = field(default_factory=lambda: Spans(starts=0.16, length=5))
    code_width: int = 64
    temperature: float = 0.1
    unmasked_weight: float = 0.0

    def __post_init__(self) -> None:
        if self.units < 2:
            raise ConfigError(f"hubert: units is {self.units}, must be at least 2, else there is nothing to predict")
        if self.code_width < 1:
            raise ConfigError(f"hubert: code_width is {self.code_width}, must be at least 1")
        if not self.temperature > 0:
            raise ConfigError(f"hubert: temperature is {self.temperature}, must be > 0")
        if not self.unmasked_weight >= 0:
            raise ConfigError(f"hubert: unmasked_weight is {self.unmasked_weight}, must be 0 or more: a weight")


@final
class Hubert(Objective):
    """HuBERT on an encoder `width` wide. Its losses are means over the frames that have a unit: "masked", and, where
    it has a weight, "unmasked" times that weight. Facts: the accuracy at masked frames.

    Silence, and clips not longer than a span, are left out. Raises ConfigError for units that are too many, or not
    at the encoder's rate.
    """

    needs: frozenset[Need] = frozenset({"units"})

    def __init__(self, settings: HubertSettings, width: int) -> None:
        super().__init__()
        self.settings = settings
        self.mask_D = nn.Parameter(torch.rand(width))
        self.project = nn.Linear(width, settings.code_width)
        self.units_UE = nn.Parameter(torch.randn(settings.units, settings.code_width))

    def forward(self, encoder: Encoder, heard: Views, generator: torch.Generator) -> Found:
        """The losses of a batch; see the class."""
        local_BFD, counts_B, valid_BF = encoder.subsample(heard.frames_BFM, heard.frame_counts_B)
        units_BF = self.checked(heard.units_BU, local_BFD.shape[1])
        masked_BF = draw_spans(counts_B, local_BFD.shape[1], self.settings.spans, generator)
        seen_BFD = torch.where(masked_BF[..., None], self.mask_D.to(local_BFD.dtype), local_BFD)
        context_BFD = encoder.context(seen_BFD, valid_BF)
        taught_B = sounding(heard.frames_BFM, heard.frame_counts_B) & masked_BF.any(1)
        known_BF = valid_BF & (units_BF >= 0) & taught_B[:, None]
        if not self.settings.unmasked_weight:
            known_BF = known_BF & masked_BF
        return self.compare(context_BFD[known_BF], units_BF[known_BF], masked_BF[known_BF])

    def checked(self, units_BU: Tensor | None, size: int) -> Tensor:
        """The units of a batch, if they fit."""
        assert units_BU is not None, "the loop gives what an objective needs"
        if units_BU.shape[1] != size:
            raise ConfigError(
                f"hubert: the clips have {units_BU.shape[1]} units, but the encoder makes {size} hidden frames: "
                "make the units again, at its rate"
            )
        if units_BU.numel() and int(units_BU.max()) >= self.settings.units:
            raise ConfigError(
                f"hubert: unit {int(units_BU.max())} came, but `units` is {self.settings.units}; give the number of "
                "clusters that they were made with"
            )
        return units_BU

    def compare(self, context_ND: Tensor, units_N: Tensor, masked_N: Tensor) -> Found:
        """The losses of N hidden frames: their units, and which of the frames were masked."""
        logits_NU = self.logits(context_ND)
        cost_N = F.cross_entropy(logits_NU, units_N, reduction="none")
        losses = {"masked": _mean(cost_N, masked_N)}
        if self.settings.unmasked_weight:
            losses["unmasked"] = self.settings.unmasked_weight * _mean(cost_N, ~masked_N)
        right_N = (logits_NU.argmax(1) == units_N)[masked_N]
        return Found(losses, {"accuracy": float(right_N.float().mean())} if len(right_N) else {})

    def logits(self, context_ND: Tensor) -> Tensor:
        """The logits of hidden frames and units, [N, U]: their cosine over the temperature (Hsu et al. 2021, eq. 3)."""
        with torch.autocast(context_ND.device.type, enabled=False):  # the temperature makes bfloat16's errors ten-fold
            answers_NE = F.normalize(self.project(context_ND.float()), dim=1)
            return answers_NE @ F.normalize(self.units_UE, dim=1).T / self.settings.temperature


def _mean(cost_N: Tensor, chosen_N: Tensor) -> Tensor:
    """The mean over the selected frames; zero, with a gradient, if there are none."""
    return (cost_N * chosen_N).sum() / chosen_N.sum().clamp(min=1)
