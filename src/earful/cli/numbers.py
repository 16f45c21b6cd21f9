"""Checks of numbers on the command line: no NaN, infinity or absurdly large value."""

import typer

from earful.config import MOST_SEED

__all__ = ["MOST_COUNT", "MOST_SEED", "finite"]

MOST_COUNT = 1_000_000_000
"""The largest number of clips, steps or sentences."""


def finite(value: float | None) -> float | None:
    """Check that the value of an option is finite: `min` and `max` of an option let NaN pass."""
    if value is not None and not abs(value) <= MOST_COUNT:
        raise typer.BadParameter(f"{value} is not a number up to {MOST_COUNT}")
    return value
