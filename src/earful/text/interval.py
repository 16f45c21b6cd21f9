"""The 95 % interval of an error rate: it contains the rate of all other utterances of the kind in 19 of 20 cases."""

from collections.abc import Hashable, Sequence
from math import exp, sqrt
from typing import Final

import numpy as np

Interval = tuple[float, float]

_Z: Final = 1.959963984540054


def interval_of(errors: Sequence[float], lengths: Sequence[float], clusters: Sequence[Hashable] = ()) -> Interval:
    """The interval of Σ errors / Σ lengths, both of each utterance; those of a cluster (a speaker) count as one.

    The ratio's variance is that of its linear part over G clusters (Cochran 1977, Sampling Techniques, § 6.4), its
    quantile Student's t with G − 1 degrees of freedom, on the logarithm of the rate. Percentiles of a bootstrap, which
    is usual here (Bisani & Ney 2004), are far too narrow for a handful of clips (`bench/coverage.py`). If there is no
    error, one is assumed for the upper bound. A single cluster tells nothing: the interval is then from 0 to 1.
    """
    numbers = {name: i for i, name in enumerate(dict.fromkeys(clusters or range(len(errors))))}
    of = [numbers[name] for name in clusters or range(len(errors))]
    wrong_G, long_G = (np.bincount(of, values, len(numbers)) for values in (errors, lengths))
    count, length = len(numbers), max(float(long_G.sum()), 1.0)
    rate = float(wrong_G.sum()) / length
    if count < 2:
        return 0.0, max(1.0, rate)
    if not rate:
        wrong_G = np.where(np.arange(count) == long_G.argmax(), 1.0, 0.0)
    assumed = float(wrong_G.sum()) / length
    off_G = wrong_G - assumed * long_G
    error = sqrt(count / (count - 1) * float(off_G @ off_G)) / (length * assumed)
    spread = exp(min(student(count - 1) * error, 700.0))
    return rate / spread, min(assumed * spread, max(1.0, rate))


def student(freedom: int) -> float:
    """The 97.5 % quantile of Student's t (Abramowitz & Stegun 26.7.5; exact for one degree of freedom and two).

    >>> [round(student(f), 2) for f in (1, 2, 3, 9, 1000)]
    [12.71, 4.3, 3.18, 2.26, 1.96]
    """
    if freedom < 3:
        return (12.706204736, 4.302652730)[freedom - 1]
    z: float = _Z
    terms: tuple[float, ...] = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + sum(term / float(freedom) ** (power + 1) for power, term in enumerate(terms))
