"""Markdown tables of measurements: columns, medians, spreads, and what it was measured on."""

import math
import statistics
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from earful.text.interval import student

Json = dict[str, Any]


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Iterator[str]:
    """A Markdown table; a column whose name starts with > is set flush right."""
    yield f"| {' | '.join(name.removeprefix('>') for name in columns)} |"
    yield f"| {' | '.join('---:' if name.startswith('>') else '---' for name in columns)} |"
    yield from (f"| {' | '.join(map(str, row))} |" for row in rows)


def measured(columns: Sequence[str], rows: Sequence[Sequence[object]], text: str, found: Json) -> Iterator[str]:
    """A table, and below it what its figures are and what they were measured on."""
    yield from table(columns, rows)
    yield ""
    yield f"{text} {on(found['machine'])}."


def percent(rate: float | None) -> str:
    return "–" if rate is None else f"{100 * rate:.1f}"


def points(gap: float) -> str:
    """A difference of two rates."""
    return f"{100 * gap:+.1f}"


def every(found: Json, key: str) -> list[Any]:
    """The values of `key` in the rows that have it, sorted."""
    return sorted({row[key] for row in found["rows"] if key in row})


def grouped(rows: Sequence[Json], *keys: str) -> dict[tuple[Any, ...], list[Json]]:
    """The rows by their values of `keys`, in the order in which these first come."""
    groups: dict[tuple[Any, ...], list[Json]] = {}
    for row in rows:
        groups.setdefault(tuple(row[key] for key in keys), []).append(row)
    return groups


def spread(values: Sequence[float], show: Callable[[float], str] = percent) -> str:
    """The median, and the lowest and the highest where there are several."""
    if not values:
        return "–"
    middle = show(statistics.median(values))
    return middle if len(values) == 1 else f"{middle} [{show(min(values))}–{show(max(values))}]"


def median(runs: Sequence[Json], key: str) -> str:
    """Of all runs, without decimals."""
    return f"{statistics.median(run[key] for run in runs):.0f}"


def on(machine: Json) -> str:
    """What it was measured on."""
    cores, threads = (machine.get(key) for key in ("cores", "threads"))
    parts = [machine["cpu"], f"{cores} cores"] + ([f"{threads} thread{'s' * (threads != 1)}"] if threads else [])
    return ", ".join([*parts, machine.get("gpu") or "no GPU", f"PyTorch {machine['torch']}"])


def draws(found: Json) -> str:
    """How many draws of clips there were."""
    count = len(every(found, "seed"))
    return f"{count} draw{'s' * (count != 1)}"


def log_gap(runs: Sequence[tuple[float, float]]) -> str:
    """How much the errors change, in per cent, over runs `(before, after)`: mean of logarithms, Student's interval."""
    gaps = [math.log(max(after, 1e-4) / max(before, 1e-4)) for before, after in runs]
    middle = statistics.mean(gaps)
    if len(gaps) < 2:
        return f"{100 * math.expm1(middle):+.0f}"
    reach = student(len(gaps) - 1) * statistics.stdev(gaps) / math.sqrt(len(gaps))
    low, high = (100 * math.expm1(middle + sign * reach) for sign in (-1, 1))
    return f"{100 * math.expm1(middle):+.0f} [{low:+.0f}, {high:+.0f}]"


def mean_gap(runs: Sequence[tuple[float, float]]) -> str:
    """By how many points a rate changes over runs `(before, after)`: the mean, with Student's interval."""
    gaps = [100 * (after - before) for before, after in runs]
    middle = statistics.mean(gaps)
    if len(gaps) < 2:
        return f"{middle:+.1f}"
    reach = student(len(gaps) - 1) * statistics.stdev(gaps) / math.sqrt(len(gaps))
    return f"{middle:+.1f} [{middle - reach:+.1f}, {middle + reach:+.1f}]"
