"""Numbers on the command line: none is NaN, infinite or beyond what any option means."""

import typer

from earful.config import MOST_SEED

__all__ = ["MOST_COUNT", "MOST_SEED", "finite"]

MOST_COUNT = 1_000_000_000
"""More clips, steps or sentences than anybody has time for."""


def finite(value: float | None) -> float | None:
    """The value of an option, which has to be a number: min and max of an option let NaN pass."""
    if value is not None and not abs(value) <= MOST_COUNT:
        raise typer.BadParameter(f"{value} is not a number up to {MOST_COUNT}")
    return value
