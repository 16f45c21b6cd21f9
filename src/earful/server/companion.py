"""A process beside the server that does one thing at a time and may die of it: a line of JSON in, one out."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from threading import Lock, Timer
from typing import Any


class CompanionError(Exception):
    """The process has died, or was ended because it took too long: `late` says which."""

    def __init__(self, late: bool) -> None:
        super().__init__("it took too long" if late else "it died")
        self.late = late


class Companion:
    """The process `python -m MODULE ARGUMENTS…`, started when it is first asked, and anew after it has died.

    It ends by itself when the server does: its input ends then.
    """

    def __init__(self, module: str, arguments: Sequence[str] = ()) -> None:
        self._command = [sys.executable, "-m", module, *arguments]
        self._process: subprocess.Popen[str] | None = None
        self._lock = Lock()

    def ask(self, request: Mapping[str, Any], limit_s: float) -> dict[str, Any]:
        """What it answers. Raises CompanionError where it gives no answer within so many seconds."""
        with self._lock:
            process = self._running()
            assert process.stdin is not None and process.stdout is not None
            late = False

            def end() -> None:
                nonlocal late
                late = True
                process.kill()

            timer = Timer(limit_s, end)
            timer.daemon = True
            timer.start()
            try:
                process.stdin.write(json.dumps(dict(request)) + "\n")
                process.stdin.flush()
                line = process.stdout.readline()
            except BrokenPipeError:
                line = ""
            finally:
                timer.cancel()
            if not line.endswith("\n"):
                self._end()
                raise CompanionError(late)
            answered: dict[str, Any] = json.loads(line)
            return answered

    def close(self) -> None:
        """End it, now."""
        if self._process is not None:
            self._process.kill()
        with self._lock:
            self._end()

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None or self._process.poll() is not None:
            self._end()
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                encoding="utf-8",
            )
        return self._process

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            try:
                if pipe is not None:
                    pipe.close()
            except OSError:  # what was not yet sent cannot be any more
                continue
