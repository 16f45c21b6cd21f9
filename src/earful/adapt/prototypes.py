"""Output rows as prototypes: a letter is the mean of the hidden frames that align with it."""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn import functional

from earful.adapt.rows import BIAS, WEIGHT
from earful.ctc.loss import occupancies
from earful.data.batch import Batch
from earful.model import ENCODE, AcousticModel

STRENGTH = 2.0
"""The weight of a letter's old row in its mean, in frames: a letter with few frames stays near its old row."""


def prototype_rows(model: AcousticModel, params: Mapping[str, Tensor], batch: Batch) -> dict[str, Tensor]:
    """A text head for `params` with rows from the hidden frames of `batch`; differentiable with respect to `params`.

    Nearest class means (Snell et al. 2017, eq. 8) as a linear layer: a symbol's logit is minus s times the squared
    distance to its mean, plus the log of its share of the frames. The current head aligns the clips by CTC posteriors,
    which count as constants; s makes the new rows as long as the old ones on average. Symbols with few frames stay near
    their old rows.
    """
    hidden_BFD, counts_B = functional_call(model, dict(params), (batch.frames_BFM, batch.frame_counts_B, ENCODE))
    weight_VD, bias_V = params[WEIGHT], params[BIAS]
    logp_FBV = functional.linear(hidden_BFD, weight_VD, bias_V).float().log_softmax(-1).transpose(0, 1).detach()
    share_FBV = occupancies(logp_FBV, batch.labels_BL, counts_B, batch.label_counts_B)
    counts_V = share_FBV.sum((0, 1))
    mean_VD = torch.einsum("fbv,bfd->vd", share_FBV, hidden_BFD) / counts_V.clamp(min=1e-6)[:, None]
    met_V = counts_V > 0.5
    centred_VD = mean_VD - (mean_VD * counts_V[:, None]).sum(0) / counts_V.sum()
    scale = (_length(weight_VD - weight_VD.mean(0), met_V) / _length(centred_VD, met_V)).detach()
    square_V = mean_VD.square().sum(1)
    prior_V = (counts_V + 0.5).log()
    new_VD = weight_VD[:1] + scale * (mean_VD - mean_VD[:1])
    new_V = bias_V[:1] - scale / 2 * (square_V - square_V[:1]) + prior_V - prior_V[:1]
    trust_V = counts_V / (counts_V + STRENGTH)
    return {
        WEIGHT: torch.lerp(weight_VD, new_VD, trust_V[:, None]),
        BIAS: torch.lerp(bias_V, new_V, trust_V),
    }


def _length(rows_VD: Tensor, met_V: Tensor) -> Tensor:
    """The mean norm of the rows of symbols that occur."""
    return torch.where(met_V, rows_VD.norm(dim=1), 0.0).sum() / met_V.sum().clamp(min=1)
