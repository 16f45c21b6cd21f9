"""A bounded thread pool for computing, with an error for clients if too many calls wait."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import ParamSpec, TypeVar

from earful.server.problems import Problem

P = ParamSpec("P")
T = TypeVar("T")
_AGAIN_S = 5


class Pool:
    """`workers` threads, and a queue of `waiting` calls. onnxruntime and the search release the interpreter's lock."""

    def __init__(self, workers: int, waiting: int) -> None:
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="earful-transcribing")
        self._most, self._asked, self._lock = workers + waiting, 0, Lock()

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call the function on a thread of the pool. Raises Problem (503) where too many wait already."""

        def call() -> T:
            try:
                return function(*args, **kwargs)
            finally:
                with self._lock:
                    self._asked -= 1

        with self._lock:
            if self._asked >= self._most:
                raise Problem(
                    503,
                    f"{self._asked} transcriptions wait already; try again in {_AGAIN_S} s",
                    code="overloaded",
                    headers={"Retry-After": str(_AGAIN_S)},
                )
            self._asked += 1
        running = asyncio.wrap_future(future := self._threads.submit(call))
        try:
            return await running
        except asyncio.CancelledError:
            if future.cancelled():  # it never began, so `call` will not count it out
                with self._lock:
                    self._asked -= 1
            raise

    @property
    def asked(self) -> int:
        """The number of running and waiting calls."""
        return self._asked

    def close(self) -> None:
        """Wait for running calls, and drop waiting ones."""
        self._threads.shutdown(wait=True, cancel_futures=True)
