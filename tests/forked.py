"""Processes that need not import what takes seconds: forks of one that has imported it, once for a run of the tests.

Only what is of several processes at once is run by this. What a command imports, and how it starts, is tested by
processes that start from nothing (`tests/end_to_end`, and those under torchrun).
"""

import multiprocessing
import os
import runpy
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path

PRELOADED = ["earful.cli.train", "earful.cli.pretrain", "earful.cli.metatrain", "earful.metatrain.speech.train"]
PRELOADED += ["earful.pretrain.supervised", "earful.pretrain.selfsupervised", "torch.distributed", "torch._dynamo"]


def start(log: Path, words: Sequence[str], variables: Mapping[str, str]) -> BaseProcess:
    """Start `python WORDS`, where these are `-m MODULE ARGUMENTS` or `SCRIPT ARGUMENTS`; it prints into `log`."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    process = context.Process(target=_run, args=(str(log), list(words), dict(variables)), daemon=True)
    process.start()
    return process


def _run(log: str, words: list[str], variables: dict[str, str]) -> None:
    os.environ.update(variables)
    place = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for number in (1, 2):
        os.dup2(place, number)
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - multiprocessing has closed what was there
    sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    if words[0] == "-m":
        sys.argv = words[1:]
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = words
        runpy.run_path(words[0], run_name="__main__")
