"""Worker processes that may die: a sentence that kills one is tried once more in a new one, then given up.

Workers are programs of their own (no `multiprocessing`: it would run the caller's script again, and pickle), in their
own session, so that Ctrl-C reaches only the caller, who then ends them; none outlives the `with` block.
"""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from earful.errors import SynthesisError

# The package root is stood in for by an empty module: importing the real one could load torch, and a fork of a process
# that has loaded torch takes longer than speaking a sentence.
_PROGRAM = """
import sys, types
sys.modules["earful"] = root = types.ModuleType("earful")
root.__path__ = [sys.argv[1]]
from earful.data.synthesis.worker import main
main()
"""
COMMAND = (sys.executable, "-P", "-c", _PROGRAM, str(Path(__file__).resolve().parents[2]))
_TRIES = 2

Answer = dict[str, Any]
_Job = TypeVar("_Job")
_Result = TypeVar("_Result")


class Worker:
    """One process, started when first asked; used by one thread at a time, but closed by any."""

    def __init__(self, timeout_s: float, command: tuple[str, ...] = COMMAND) -> None:
        self._timeout_s = timeout_s
        self._command = command
        self._process: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()
        self._closed = False

    def ask(self, job: Answer) -> Answer | None:
        """Hand over a job and wait; None if the process died, took too long or answered nonsense."""
        process = self._started()
        answer = None if process is None else _exchange(process, json.dumps(job), self._timeout_s)
        if answer is None:
            self.end()
        return answer

    def close(self) -> None:
        """End the process for good."""
        self._closed = True
        self.end()

    def end(self) -> None:
        """End the process; the next job starts a new one."""
        with self._lock:
            if self._process is not None:
                _kill(self._process)
                self._process.wait()
                for pipe in (self._process.stdin, self._process.stdout):
                    _close(pipe)
                self._process = None

    def _started(self) -> subprocess.Popen[str] | None:
        with self._lock:
            if self._closed or self._process is not None:
                return self._process
            self._process = process = _start(self._command)
        greeting = _exchange(process, None, self._timeout_s)
        if greeting is not None and "error" in greeting:
            self.end()
            raise SynthesisError(greeting["error"])
        return process if greeting is not None else None


class Workers:
    """A fixed number of workers, for use in a `with` block.

    >>> with Workers(2) as workers:  # doctest: +SKIP
    ...     answers = list(workers.in_order(workers.ask, jobs))
    """

    def __init__(self, count: int, timeout_s: float = 30.0, command: tuple[str, ...] = COMMAND) -> None:
        if count < 1:
            raise SynthesisError(f"workers is {count}, must be at least 1")
        self.count = count
        self.ahead = 4 * count
        self._all = [Worker(timeout_s, command) for _ in range(count)]
        self._free: queue.SimpleQueue[Worker] = queue.SimpleQueue()
        self._pool = ThreadPoolExecutor(count, "speak")

    def __enter__(self) -> "Workers":
        for worker in self._all:
            self._free.put(worker)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for worker in self._all:
            worker.close()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def ask(self, job: Answer) -> Answer | None:
        """Have a free worker do the job; None if it killed two of them. Raises SynthesisError if none can start."""
        worker = self._free.get()
        try:
            return next((answer for _ in range(_TRIES) if (answer := worker.ask(job)) is not None), None)
        finally:
            self._free.put(worker)

    def in_order(self, function: Callable[[_Job], _Result], jobs: Iterable[_Job]) -> Generator[tuple[_Job, _Result]]:
        """Yield each job with its result, in order, while up to `ahead` later ones are under way."""
        pending: deque[tuple[_Job, Future[_Result]]] = deque()
        try:
            for job in jobs:
                pending.append((job, self._pool.submit(function, job)))
                if len(pending) > self.ahead:
                    first, future = pending.popleft()
                    yield first, future.result()
            while pending:
                first, future = pending.popleft()
                yield first, future.result()
        finally:
            for _, future in pending:
                future.cancel()
            _settle(future for _, future in pending)


def _settle(futures: Iterable[Future[Any]]) -> None:
    """Wait until what could not be cancelled has ended, whatever its result."""
    for future in futures:
        if not future.cancelled():
            future.exception()


def _start(command: tuple[str, ...]) -> subprocess.Popen[str]:
    pipe, nowhere = subprocess.PIPE, subprocess.DEVNULL
    try:
        return subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=nowhere, text=True, encoding="ascii", start_new_session=True
        )
    except OSError as error:
        raise SynthesisError(f"{command[0]}: cannot start a worker process: {error.strerror}") from error


def _exchange(process: subprocess.Popen[str], line: str | None, timeout_s: float) -> Answer | None:
    """Write a line, read a line; None if the process ends or is ended for being late."""
    assert process.stdin is not None and process.stdout is not None
    late = threading.Timer(timeout_s, _kill, (process,))
    late.daemon = True
    late.start()
    try:
        if line is not None:
            process.stdin.write(line + "\n")
            process.stdin.flush()
        answer = json.loads(process.stdout.readline())
        return answer if isinstance(answer, dict) else None
    except (OSError, ValueError):  # a broken pipe, a closed one, or half an answer
        return None
    finally:
        late.cancel()


def _kill(process: subprocess.Popen[str]) -> None:
    """Kill the worker and its fork, which are one process group where there are such."""
    if process.returncode is not None:
        return  # waited for already: the number may be another's by now
    try:
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    except (ProcessLookupError, PermissionError):  # the latter is macOS's word for a group of zombies
        return


def _close(pipe: Any) -> None:
    try:
        pipe.close()
    except OSError:
        return  # unsent bytes to a process that is gone
