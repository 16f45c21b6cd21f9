"""A helper process for one task at a time that may crash: a line of JSON in, a line of JSON out."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from threading import Lock, Timer
from typing import Any


class CompanionError(Exception):
    """The process has crashed, or was killed because it took too long (`late`)."""

    def __init__(self, late: bool) -> None:
        super().__init__("it took too long" if late else "it died")
        self.late = late


class Companion:
    """The process `python -m MODULE ARGUMENTS…`, started at the first request, and again after a crash.

    It exits with the server, when its input ends.
    """

    def __init__(self, module: str, arguments: Sequence[str] = ()) -> None:
        self._command = [sys.executable, "-m", module, *arguments]
        self._process: subprocess.Popen[str] | None = None
        self._lock = Lock()

    def ask(self, request: Mapping[str, Any], limit_s: float) -> dict[str, Any]:
        """Send a request, and return the answer. Raises CompanionError if there is none within `limit_s` seconds."""
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
        """Kill the process."""
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
            except OSError:  # unsent input is lost
                continue
