"""The common loop of the server's helper processes: answer lines until the input ends, and ignore Ctrl-C."""

import json
import signal
import sys
from collections.abc import Callable, Mapping
from typing import Any


def obey(do: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> None:
    """Answer each line of JSON on stdin with one on stdout, until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the server ends its own processes
    answers = sys.stdout
    sys.stdout = sys.stderr  # output of a decoder library is not an answer
    for line in sys.stdin:
        answers.write(json.dumps(do(json.loads(line)), allow_nan=False) + "\n")
        answers.flush()
