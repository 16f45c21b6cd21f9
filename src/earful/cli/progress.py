"""Progress on stderr: a bar with the time left on a terminal, a line now and then in a log. Warnings too."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Protocol

from earful.cli.streams import plain, raw_of

APPEAR_S = 0.5
FIRST_LINE_S, LINE_EVERY_S = 2.0, 30.0


class Tell(Protocol):
    """`tell(stage, done, total)`: report the progress of a stage, with an optional note."""

    def __call__(self, stage: str, done: float, total: float, note: str = "") -> None: ...


def warn(message: str) -> None:
    """Print a warning, one line on stderr."""
    print(f"earful: warning: {plain(message)}", file=sys.stderr)


def note(message: str) -> None:
    """Print a note, one line on stderr, about something that may be intended."""
    print(f"earful: note: {plain(message)}", file=sys.stderr)


@contextmanager
def progress() -> Iterator[Tell]:
    """Show progress while the block runs.

    >>> with progress() as tell:
    ...     tell("reading", 1, 2)
    """
    if not sys.stderr.isatty():
        yield _Lines()
        return
    with _bars() as tell:
        yield tell


@contextmanager
def _bars() -> Iterator[Tell]:
    """A bar for the current stage; it appears after half a second, and is removed at the end."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn

    stage_column, note_column = (
        TextColumn(text, markup=False) for text in ("{task.description}", "{task.fields[note]}")
    )
    columns = (stage_column, BarColumn(), TaskProgressColumn(), TimeRemainingColumn(), note_column)
    bars = Progress(*columns, console=Console(file=raw_of(sys.stderr)), transient=True)
    began = time.monotonic()
    shown: dict[str, TaskID] = {}  # the current stage; a stage that is reported again begins again

    def tell(stage: str, done: float, total: float, note: str = "") -> None:
        if stage not in shown:
            give_back_memory()
            for _, finished in (shown.popitem() for _ in tuple(shown)):
                bars.remove_task(finished)
            shown[stage] = bars.add_task(stage, note="", total=total)
        elif done < bars.tasks[0].completed:  # the stage begins again: its speed is measured from here
            bars.reset(shown[stage], total=total)
        bars.update(shown[stage], completed=done, total=total, note=plain(note))
        if time.monotonic() - began >= APPEAR_S and not bars.live.is_started:
            bars.start()

    try:
        yield tell
    finally:
        if bars.live.is_started:
            bars.stop()


class _Lines:
    """For a log: a line when a stage has run for two seconds, then every half minute.

    If the progress of a stage goes back, the stage has begun again, and its remaining time is estimated anew.
    """

    def __init__(self) -> None:
        self._stage, self._began, self._next, self._done = "", 0.0, 0.0, 0.0

    def __call__(self, stage: str, done: float, total: float, note: str = "") -> None:
        now = time.monotonic()
        again, self._done = done < self._done, done
        if stage != self._stage or again:
            give_back_memory()
            self._stage, self._began, self._next = stage, now, now + FIRST_LINE_S
        if now < self._next or not 0 < done < total:
            return
        left_s = (now - self._began) * (total - done) / done
        ending = f", {note}" if note else ""
        print(f"earful: {stage}: {done / total:.0%}, {clock(left_s)} left{ending}", file=sys.stderr, flush=True)
        self._next = now + LINE_EVERY_S


def give_back_memory() -> None:
    """Return free memory to the system: glibc keeps it in pieces that the next stage cannot use."""
    import ctypes

    with suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def clock(seconds: float) -> str:
    """Seconds as hours, minutes and seconds.

    >>> clock(75), clock(3700)
    ('1:15', '1:01:40')
    """
    minutes, whole = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{whole:02}" if hours else f"{minutes}:{whole:02}"
