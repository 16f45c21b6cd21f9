"""Learning curves: power laws with a floor, drawn from their posterior given a few noisy points.

cer(t) = floor + scale · t^(−exponent) (Hestness et al. 2017; POW3 of Viering and Loog 2021). A few points do not
determine three parameters. So the result is not the best curve but a sample of the posterior (Bayes on a grid; Domhan
et al. 2015 use MCMC).

Suffixes: `S` sizes, the smallest first; `N` curves; `E` exponents and `P` floors on the grid.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

EXPONENT, EXPONENT_SPREAD = 0.4, 0.6
"""The prior of the exponent: its median, and the standard deviation of its logarithm. The floor is uniform between 0
and the CER at the largest size."""
RUN, BEND = 0.03, 0.04
"""The standard deviation of log CER between adaptations to equally many other clips, and its deviation from any power
law per doubling of speech. All four are chosen by hand, from eleven adaptations to Dutch, 3 to 100 clips, of a base
without Dutch."""

LOW = 0.025
"""The lower quantile of a 95 % interval."""

_CURVES = 2000
_EXPONENTS, _FLOORS = torch.logspace(-1.7, 0.3, 61, dtype=torch.float64), torch.linspace(0, 0.98, 50).double()


@dataclass(frozen=True)
class Curve:
    """cer(minutes) = floor + scale · minutes^(−exponent)."""

    floor: float
    scale: float
    exponent: float


class Curves(NamedTuple):
    """Equally likely learning curves: log CER after `reach_s` of speech, exponents and floors as shares of that CER.

    `above_N` is the deviation of the user's own adaptations from the curve, in standard deviations.
    """

    reach_s: float
    log_cer_N: Tensor
    exponent_N: Tensor
    floor_N: Tensor
    above_N: Tensor

    def quantiles(self, seconds: Tensor) -> Tensor:
        """The low end of the interval, the median and the high end `[3, …]` of CER after `seconds` `[…]` of speech."""
        doublings = torch.log2(seconds / self.reach_s)
        spread = (RUN**2 + BEND**2 * doublings.abs()).sqrt()
        log_N1 = self.log_cer_N[:, None] + _fall(self.floor_N[:, None], self.exponent_N[:, None], doublings)
        return torch.quantile(
            (log_N1 + self.above_N[:, None] * spread).exp(), torch.tensor([LOW, 0.5, 1 - LOW]).double(), dim=0
        )


def fit_curve(seconds_S: Tensor, cer_S: Tensor, noise_SS: Tensor, generator: torch.Generator) -> tuple[Curve, Curves]:
    """The likeliest curve, and a sample of the posterior, for log CER with the covariance `noise_SS`.

    Exponent and floor lie on a grid; given both, log CER at the largest size is normal around its generalised least
    squares estimate. Points far from the largest size count less, since curves bend (`BEND`).
    """
    doublings_S = torch.log2(seconds_S / seconds_S[-1])
    bend_SS = BEND**2 * torch.minimum(doublings_S.abs()[:, None], doublings_S.abs())
    precision_SS = torch.linalg.inv(noise_SS + bend_SS)
    fall_EPS = _fall(_FLOORS[:, None], _EXPONENTS[:, None, None], doublings_S)
    level_EPS, weight = cer_S.log() - fall_EPS, precision_SS.sum()
    mean_EP = (level_EPS @ precision_SS.sum(0)) / weight
    misfit_EP = ((level_EPS @ precision_SS) * level_EPS).sum(-1) - weight * mean_EP**2
    known_E = -((_EXPONENTS / EXPONENT).log() / EXPONENT_SPREAD).square() / 2
    log_EP = known_E[:, None] - misfit_EP / 2
    cells_N = torch.multinomial(torch.softmax(log_EP.flatten(), 0), _CURVES, replacement=True, generator=generator)
    normal_2N = torch.randn(2, _CURVES, generator=generator, dtype=torch.float64)
    exponent_N, floor_N = _EXPONENTS[cells_N // len(_FLOORS)], _FLOORS[cells_N % len(_FLOORS)]
    log_cer_N = mean_EP.flatten()[cells_N] + normal_2N[0] / weight.sqrt()
    reach_s, best = float(seconds_S[-1]), int(log_EP.argmax())
    exponent, floor = float(_EXPONENTS[best // len(_FLOORS)]), float(_FLOORS[best % len(_FLOORS)])
    cer = math.exp(mean_EP.flatten()[best])
    curve = Curve(floor * cer, (1 - floor) * cer * (reach_s / 60) ** exponent, exponent)
    return curve, Curves(reach_s, log_cer_N, exponent_N, floor_N, normal_2N[1])


def _fall(floor: Tensor, exponent: Tensor, doublings: Tensor) -> Tensor:
    """The change of log CER after this number of doublings of speech."""
    return torch.log(floor + (1 - floor) * torch.exp2(-exponent * doublings))
