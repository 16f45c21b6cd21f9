"""Results on stdout: JSON for machines, tables for people."""

import json
import math
import resource
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def print_json(value: Any) -> None:
    """One JSON object on one line; what is no number is null."""
    utf8 = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    print(json.dumps(finite(value), ensure_ascii=not utf8, allow_nan=False), flush=True)


def finite(value: Any) -> Any:
    """The value with null for NaN and infinity, which JSON does not have; all the way down.

    >>> finite({"cer": float("nan"), "rates": (0.5, 1)})
    {'cer': None, 'rates': [0.5, 1]}
    """
    if isinstance(value, Mapping):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str | None = None) -> None:
    """A table; a column whose name starts with > is set flush right. Nothing in the cells is taken for markup."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", pad_edge=False)
    for name in columns:
        right = name.startswith(">")
        table.add_column(name.removeprefix(">"), justify="right" if right else "left", no_wrap=right)
    for row in rows:
        table.add_row(*(Text(str(cell)) for cell in row))
    # A pipe or a file has no width: do not squeeze what goes there into 80 columns.
    Console(width=None if sys.stdout.isatty() else 160, highlight=False).print(table)


def percent(rate: float) -> str:
    """An error rate.

    >>> percent(0.1234), percent(float("nan"))
    ('12.3 %', '–')
    """
    return f"{100 * rate:.1f} %" if math.isfinite(rate) else "–"


def peak_memory_mb() -> int:
    """The most memory that this process has held."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1 << 20 if sys.platform == "darwin" else 1 << 10))
