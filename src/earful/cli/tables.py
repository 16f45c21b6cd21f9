"""Results on stdout: JSON for machines, tables for people."""

import json
import math
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from earful.cli.streams import plain, raw_of


def print_json(value: Any) -> None:
    """Print one JSON object on one line; NaN and infinity become null."""
    from earful.config import finite

    utf8 = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    print(json.dumps(finite(value), ensure_ascii=not utf8, allow_nan=False), flush=True)


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str | None = None, narrow: bool = False
) -> None:
    """Print a table. A column whose name starts with > is aligned to the right; `narrow` leaves less space between.

    Nothing in the cells is taken for markup.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", pad_edge=False, collapse_padding=narrow)
    for name in columns:
        right = name.startswith(">")
        table.add_column(name.removeprefix(">"), justify="right" if right else "left", no_wrap=right, overflow="fold")
    for row in rows:
        table.add_row(*(Text(plain(str(cell))) for cell in row))
    # A pipe or a file has no width: each row is one line.
    width = None if sys.stdout.isatty() else 100_000
    Console(file=raw_of(sys.stdout), width=width, highlight=False).print(table)


def interval(bounds: Sequence[float]) -> str:
    """An interval of two rates, in per cent."""
    return " – ".join(f"{100 * bound:.1f}" for bound in bounds)


def percent(rate: float) -> str:
    """An error rate.

    >>> percent(0.1234), percent(float("nan"))
    ('12.3 %', '–')
    """
    return f"{100 * rate:.1f} %" if math.isfinite(rate) else "–"


def counted(count: int, noun: str) -> str:
    """A count with its noun in the right number.

    >>> counted(1, "clip"), counted(20, "clip")
    ('1 clip', '20 clips')
    """
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def peak_memory_mb() -> int | None:
    """The peak memory of this process in MB; None if the system does not report it (Windows)."""
    status = Path("/proc/self/status")  # of Linux, where `getrusage` begins with the peak of who started this process
    if status.exists() and (found := re.search(r"^VmHWM:\s+(\d+) kB", status.read_text("utf-8"), re.MULTILINE)):
        return round(int(found[1]) / (1 << 10))
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1 << 20 if sys.platform == "darwin" else 1 << 10))


def print_facts(found: Mapping[str, object], shown: Mapping[str, object], *, json: bool) -> None:
    """Print the results of a training: `found` as JSON, or a table with some values replaced by those `shown`."""
    if json:
        print_json(found)
        return
    from earful.cli.progress import clock

    rows = {**found, **shown, "time": clock(float(str(found["seconds"])))}
    print_table(("", ""), [(name.replace("_", " "), value) for name, value in rows.items() if name != "seconds"])


def within(folder: Path, path: Path) -> str:
    """A path relative to `folder` if it is inside, else unchanged."""
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.as_posix()
