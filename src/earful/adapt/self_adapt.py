"""Self-adaptation: a model fits itself to the recording that it is about to transcribe, then forgets it.

It needs no transcript. A few steps on the scales and shifts of the normalisation layers lower the entropy and the class
confusion of the model's own output (SUTA: Lin, Li and Lee 2022, "Listen, Adapt, Better WER"). Each window starts from
the weights of the checkpoint, independent of earlier windows.

It removes insertions and adds deletions. So it helps most if noise causes insertions, and little or not at all on clean
speech (`bench/self_adapt.py`). A search with a language model can become worse, since its length bonus was tuned
without self-adaptation (Huang et al. 2025, "SUTA-LM").
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import repeat

import torch
from torch import Tensor, nn
from torch.func import functional_call

from earful.adapt.descend import Loss, adamw, descend
from earful.adapt.finetune import moves
from earful.encoder.encoder import MeanNorm
from earful.errors import ConfigError
from earful.model import AcousticModel, Params, fast_arithmetic

BLANK = 0
TINY = 1e-30
"""Prevents a division by zero for symbols without probability."""

NORMS = (nn.LayerNorm, nn.GroupNorm, MeanNorm)


@dataclass(frozen=True)
class SelfAdaptation:
    """The settings of self-adaptation to a window: `steps` of AdamW at `rate`.

    The loss is `entropy` times the entropy plus (1 − `entropy`) times the class confusion, both of probabilities
    flattened by a `temperature` above 1. The weights are those of Lin et al. 2022; steps and rate were the best on
    Dutch, with smaller recognisers than theirs: with ten steps letters begin to vanish.
    """

    steps: int = 5
    rate: float = 2e-3
    entropy: float = 0.3
    temperature: float = 2.5

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ConfigError(f"steps of self-adaptation are {self.steps}, must be at least 1")
        if not self.rate > 0:
            raise ConfigError(f"the rate of self-adaptation is {self.rate}, must be > 0")
        if not 0 <= self.entropy <= 1:
            raise ConfigError(f"entropy is a weight beside that of class confusion, from 0 to 1, got {self.entropy}")
        if not self.temperature > 0:
            raise ConfigError(f"the temperature of self-adaptation is {self.temperature}, must be > 0")


def entropy(logp_FV: Tensor) -> Tensor:
    """The mean entropy of frames, in nats (Lin et al. 2022, eq. 1). NaN without frames."""
    return -(logp_FV.exp() * logp_FV).sum(-1).mean()


def class_confusion(logp_FV: Tensor) -> Tensor:
    """The share of a symbol's probability that goes to other symbols in the same frames, 0 to 1: the mean over symbols.

    Frames with lower entropy have a higher weight (Jin et al. 2020, "Minimum Class Confusion", eqs. 4 to 8).
    """
    p_FV = logp_FV.exp()
    weight_F = 1 + (p_FV * logp_FV).sum(-1).exp()  # eq. 5: 1 + exp(−H)
    weight_F = (weight_F * len(weight_F) / weight_F.sum()).detach()  # eq. 6
    together_VV = p_FV.T @ (weight_F.unsqueeze(-1) * p_FV)  # eq. 7
    shares_VV = together_VV / together_VV.sum(1, keepdim=True).clamp(min=TINY)  # eq. 8
    return 1 - shares_VV.diagonal().mean()


def loss_of(model: AcousticModel, how: SelfAdaptation) -> Loss:
    """The loss function of a window, `loss(params, frames_FM)`; NaN if all frames are blank."""

    def loss(params: Mapping[str, Tensor], frames_FM: Tensor) -> Tensor:
        count_B = torch.tensor([len(frames_FM)], device=frames_FM.device)
        with fast_arithmetic(frames_FM.device):
            logp_BFV, _ = functional_call(model, dict(params), (frames_FM[None], count_B))
        flat_FV = (logp_BFV[0] / how.temperature).log_softmax(-1)
        spoken_F = logp_BFV[0].argmax(-1) != BLANK
        return how.entropy * entropy(flat_FV[spoken_F]) + (1 - how.entropy) * class_confusion(flat_FV)

    return loss


def fit_to(model: AcousticModel, frames_FM: Tensor, how: SelfAdaptation) -> Params:
    """The changed parameters, by name, after fitting to one window `[F, M]` on the model's device. The model stays.

    Returns None, for decoding without self-adaptation, if a step is not finite or all frames are blank, as in silence.
    """
    names = norms_of(model)
    start = {name: value.detach() for name, value in model.named_parameters()}
    rule = adamw(lambda name, step: how.rate, betas=(0.9, 0.999))
    with torch.inference_mode(False), torch.enable_grad():  # even if the caller has switched gradients off
        window = repeat(frames_FM.clone(), how.steps)
        for moved in descend(loss_of(model, how), start, window, rule, moves=names.__contains__):
            if not (moved.taken and bool(torch.isfinite(moved.loss))):
                return {}
    return {name: moved.params[name] for name in names}


def norms_of(model: AcousticModel) -> frozenset[str]:
    """The names of the scales and shifts of normalisation layers that are not frozen."""
    layers = [(prefix, layer) for prefix, layer in model.named_modules() if isinstance(layer, NORMS)]
    names = (f"{prefix}.{name}" for prefix, layer in layers for name, _ in layer.named_parameters())
    return frozenset(name for name in names if moves(model.config, name))
