"""The program of one worker process: reads jobs, speaks, writes clips, answers. One JSON object a line, both ways.

Each job runs in a fork of the process as it was after start-up. espeak-ng carries state from one sentence to the next;
a fork always starts from the same state, so a clip depends on its job alone, and what a crash leaves behind is gone.
If a job dies, the worker dies with it: `workers` starts another. Where there is no fork the worker speaks itself;
clips then depend a little on what was said before.
This module and what it imports stay free of torch: `workers` says why.
"""

import contextlib
import json
import os
import sys
import warnings
from pathlib import Path
from typing import Any, TextIO

from earful.audio.files import SAMPLE_RATE_HZ, write
from earful.data.synthesis.espeak import engine, speak
from earful.data.synthesis.languages import find_language
from earful.data.synthesis.speech import Voice, plain_phone
from earful.errors import EarfulError, SynthesisError

FOREIGN = "holds a word that espeak-ng says in another language"
SILENT = "espeak-ng has nothing to say"


def main() -> None:
    """Serve until standard input ends."""
    answers = _private_stdout()
    try:
        engine()
    except EarfulError as error:
        _answer(answers, {"error": str(error)})
        return
    _answer(answers, {"ready": True})
    for line in sys.stdin:
        if not hasattr(os, "fork"):
            _answer(answers, serve(json.loads(line)))
        elif _in_fork(line, answers) != 0:
            sys.exit(1)


def serve(job: dict[str, Any]) -> dict[str, Any]:
    """Do one job: say `text` in `voice` with `seed`, write it to `path` (None: only the phones are wanted).

    `phonemes`, if given and true: what stands in [[ ]] are names of phonemes.
    The answer holds duration and phones; or `left_out`, why this text is not said; or `error`, why nothing can be.
    A job with `words` is answered with the phones of each, none for what is not said in the language.
    """
    voice = Voice(**job["voice"])
    try:
        find_language(voice.language)
    except SynthesisError as error:
        return {"error": str(error)}
    if "words" in job:
        said = engine().pronounce(job["words"], voice.language)
        return {"phones": [[plain for phone in phones if (plain := plain_phone(phone))] for phones in said]}
    try:
        speech = speak(job["text"], voice, job["seed"], job.get("phonemes", False))
    except SynthesisError:
        return {"left_out": SILENT}
    if speech.foreign:
        return {"left_out": FOREIGN}
    try:
        if job["path"] is not None:
            write(Path(job["path"]), speech.samples_T)
    except EarfulError as error:
        return {"error": str(error)}
    phones = [[plain_phone(phone.symbol), round(phone.start_s, 4)] for phone in speech.phones]
    return {"duration": len(speech.samples_T) / SAMPLE_RATE_HZ, "phones": phones}


def _in_fork(line: str, answers: TextIO) -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # idle threads of numpy's BLAS: the child never calls it
        child = os.fork()
    if child == 0:
        status = 1
        with contextlib.suppress(BaseException):
            _answer(answers, serve(json.loads(line)))
            status = 0
        os._exit(status)
    return os.waitpid(child, 0)[1]


def _answer(answers: TextIO, answer: dict[str, Any]) -> None:
    answers.write(json.dumps(answer) + "\n")
    answers.flush()


def _private_stdout() -> TextIO:
    """Take standard output for answers, and send to nowhere what C code prints."""
    answers = os.fdopen(os.dup(1), "w", encoding="ascii", newline="\n")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    return answers
