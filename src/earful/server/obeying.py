"""What processes beside the server have in common: they answer lines until their input ends, and mind no Ctrl-C."""

import json
import signal
import sys
from collections.abc import Callable, Mapping
from typing import Any


def obey(do: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> None:
    """Answer each line of JSON on stdin with one on stdout, until there are no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the server ends what it has begun
    answers = sys.stdout
    sys.stdout = sys.stderr  # what a decoder prints is no answer
    for line in sys.stdin:
        answers.write(json.dumps(do(json.loads(line)), allow_nan=False) + "\n")
        answers.flush()
