"""Summaries of benchmark rows: medians, bootstrap intervals over tasks and seeds, paired differences, and caveats."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
from numpy.typing import NDArray

from earful.kshot.protocol import USUAL, Steps
from earful.kshot.results import Row

RESAMPLES = 2000
ENOUGH = 5
"""The number of values below which an interval means little."""
ALIKE = 1.25
"""Processor times that differ by less count as equal."""

Values = NDArray[np.float64]
Interval = tuple[float, float]


@dataclass(frozen=True)
class Summary:
    """One entrant at one number of clips and of steps, over all tasks and seeds: medians, with 95 % intervals.

    `difference` is the median difference from the first entrant (below 0: better), on the same tasks and supports. Both
    intervals are None if there is only one value.
    """

    entrant: str
    shots: int
    steps: Steps
    taken: float
    cer: float
    interval_95: Interval | None
    difference: float | None
    difference_95: Interval | None
    cpu_s: float
    values: int


def summarise(rows: Sequence[Row], seed: int = 0) -> list[Summary]:
    """A summary of each entrant, shots and steps, in the order of the rows; of complete grids only."""
    entrants, shots, steps = (list(dict.fromkeys(getattr(r, name) for r in rows)) for name in _AXES)
    found = []
    for count in shots:
        for step in steps:
            first: Values | None = None
            for entrant in entrants:
                own = [r for r in rows if (r.entrant, r.shots, r.steps) == (entrant, count, step)]
                cers_TS = _grid(own)
                difference_TS = None if first is None else cers_TS - first
                first = cers_TS if first is None else first
                summary = Summary(
                    entrant,
                    count,
                    step,
                    taken=median(r.taken for r in own),
                    cer=float(np.median(cers_TS)),
                    interval_95=interval(cers_TS, seed),
                    difference=None if difference_TS is None else float(np.median(difference_TS)),
                    difference_95=None if difference_TS is None else interval(difference_TS, seed),
                    cpu_s=median(r.cpu_s for r in own),
                    values=len(own),
                )
                found.append(summary)
    return found


_AXES = ("entrant", "shots", "steps")


def interval(values_TS: Values, seed: int = 0, resamples: int = RESAMPLES) -> Interval | None:
    """The 95 % interval of the median of `[tasks, seeds]`, by percentiles; None for a single value.

    A bootstrap in two stages (Davison & Hinkley 1997, section 3.8): tasks are drawn with replacement, and then the
    seeds of each. With one task it covers other draws of clips, but not other languages. With few values it is rather
    too narrow than too wide.
    """
    tasks, seeds = values_TS.shape
    if tasks * seeds < 2:
        return None
    random = np.random.default_rng(seed)
    rows_RT1 = random.integers(tasks, size=(resamples, tasks, 1))
    columns_RTS = random.integers(seeds, size=(resamples, tasks, seeds))
    medians_R = np.median(values_TS[rows_RT1, columns_RTS], axis=(1, 2))
    low, high = np.percentile(medians_R, [2.5, 97.5])
    return float(low), float(high)


def notes_on(rows: Sequence[Row]) -> list[str]:
    """Caveats on the figures: different compute, and few values."""
    entrants = list(dict.fromkeys(r.entrant for r in rows))
    return [*_equal_steps(rows, entrants), *_own_steps(rows, entrants), *_few(rows)]


def _equal_steps(rows: Sequence[Row], entrants: Sequence[str]) -> Iterator[str]:
    """Entrants whose time differs for the same clips and steps."""
    spent = {e: sum(r.cpu_s for r in rows if r.entrant == e and r.steps not in (0, USUAL)) for e in entrants}
    first = spent[entrants[0]]
    for entrant in entrants[1:]:
        if first > 0 and not 1 / ALIKE < (ratio := spent[entrant] / first) < ALIKE:
            yield (
                f"equal steps are not equal compute: {entrant} takes {ratio:.2g} times the processor time of "
                f"{entrants[0]} for them; compare by the seconds, too"
            )


def _own_steps(rows: Sequence[Row], entrants: Sequence[str]) -> Iterator[str]:
    """The numbers of steps of each entrant, if each takes its usual number."""
    own = {e: [r for r in rows if r.entrant == e and r.steps == USUAL] for e in entrants}
    if any(own.values()) and len({tuple(sorted(r.taken for r in each)) for each in own.values()}) > 1:
        told = [
            f"{e} {median(r.taken for r in each):g} in {median(r.cpu_s for r in each):.2g} s" for e, each in own.items()
        ]
        yield f"by their own plans the entrants take different numbers of steps (medians): {', '.join(told)}"


def _few(rows: Sequence[Row]) -> Iterator[str]:
    values = len({(r.task, r.seed) for r in rows})
    if values < ENOUGH:
        yield f"the intervals are of {values} values and too narrow; take more seeds, or more tasks"


def _grid(rows: Sequence[Row]) -> Values:
    """CER as `[tasks, seeds]`. Raises ValueError if one is missing."""
    by_task: dict[str, dict[int, float]] = {}
    for row in rows:
        by_task.setdefault(row.task, {})[row.seed] = row.cer
    seeds = sorted({row.seed for row in rows})
    if any(set(found) != set(seeds) for found in by_task.values()):
        raise ValueError("expected every seed of every task, got some; run the benchmark to its end")
    return np.array([[found[seed] for seed in seeds] for found in by_task.values()], dtype=np.float64)
