"""Several trainings at once, each with an equal share of the processor's threads.

The steps of a small model are many small operations. Two threads in one training save little time; two trainings at
once save half of it (`bench/adapt_speed.py`).
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue
from threading import Event
from typing import TypeVar

import torch

T = TypeVar("T")
Report = Callable[[int], None]
"""A function to call after each step with the number of steps taken."""

MOST = 3
"""The most trainings at once, because of memory: each keeps its own moments and activations."""

_LOOK_S = 0.2  # on some systems Ctrl-C does not end a wait without a limit


class _Ended(Exception):
    """Another of the works has failed, or the caller was interrupted."""


def at_once(works: Sequence[Callable[[Report], T]], steps: int, report: Report, *, alone: bool = False) -> list[T]:
    """The results of the works, in order. Each work calls its argument after each of its `steps`.

    `report` gets the steps of all works together, in the caller's thread. If a work raises, or the caller is
    interrupted, the others end at their next step, and the exception is raised. With `alone`, or if torch has one
    thread, they run one after another.
    """
    done = [0] * len(works)

    def tell(number: int, step: int) -> None:
        if step > done[number]:
            done[number] = step
            report(sum(done))

    def through(number: int, told: Callable[[int, int], None]) -> T:
        found = works[number](partial(told, number))
        told(number, steps)  # a training that was complete already takes none
        return found

    threads = torch.get_num_threads()
    if alone or threads == 1 or len(works) < 2:
        return [through(number, tell) for number in range(len(works))]
    news, over, size = SimpleQueue[tuple[int, int]](), Event(), min(MOST, len(works))

    def step_taken(number: int, step: int) -> None:
        if over.is_set():
            raise _Ended
        news.put((number, step))

    def run(number: int) -> T:
        torch.set_num_threads(max(1, threads // size))  # of this thread
        return through(number, step_taken)

    with ThreadPoolExecutor(size) as pool:
        futures = [pool.submit(run, number) for number in range(len(works))]
        try:
            while not _over(futures):
                with suppress(Empty):
                    tell(*news.get(timeout=_LOOK_S))
        finally:
            over.set()
            pool.shutdown(cancel_futures=True)
            torch.set_num_threads(threads)  # threads that are still to come ask what was set last
    while not news.empty():
        tell(*news.get())
    return [future.result() for future in futures]


def _over(futures: Sequence["Future[T]"]) -> bool:
    """Whether all are done. Raises the exception of a failed one."""
    for future in futures:
        if future.done():
            future.result()
    return all(future.done() for future in futures)
