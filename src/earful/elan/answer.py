"""The recogniser that ELAN calls: `python -m earful.elan.answer`, in the extension's folder.

ELAN cancels by ending the process. Whatever is written appears whole or not at all.
"""

import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal

from earful.elan import cmdi
from earful.elan.protocol import Answer, in_ascii, needed, path_in, read_request
from earful.elan.settings import Settings, named, read_settings, write_settings
from earful.elan.tiers import Span, read_spans, write_tiers
from earful.errors import ConfigError, EarfulError

if TYPE_CHECKING:
    from earful.recognizer import Recognizer, Samples
    from earful.transcript import Transcript, Word

PHRASES, WORDS = "earful_phrases", "earful_words"
ADAPTED = 0.9
"""The share of ELAN's progress bar for adaptation; the rest is for transcribing."""
Tiers = dict[str, list[tuple[int, int, str]]]


def answer(stdin: BinaryIO, stdout: BinaryIO, folder: Path) -> bool:
    """Carry out one call, with messages on stdout; returns whether there is a result. Raises only on termination."""
    said = Answer(stdout)
    said.progress(0.0, "starting")
    try:
        _answer(read_request(stdin), folder, said)
        done = True
    except EarfulError as error:
        said.say(f"ERROR: {error}")
        done = False
    except OSError as error:
        said.say(f"ERROR: {error.filename or ''}: {error.strerror or error}")
        done = False
    except Exception as error:
        said.say(f"ERROR: a fault of earful: {type(error).__name__}: {error}; please report it")
        done = False
    said.end(done)
    return done


def _answer(request: Mapping[str, str], folder: Path, said: Answer) -> None:
    """Raises EarfulError; OSError."""
    audio = needed(request, cmdi.SOURCE, "recording")
    out = needed(request, cmdi.TIERS, "file for the result")
    settings = read_settings(folder)
    name = request.get(cmdi.MODEL) or next(iter(settings.models), "")
    if name not in settings.models:
        there = ", ".join(settings.models) or "none; run: earful elan install --model MODEL"
        raise ConfigError(f"there is no model {name!r}; there are {there}")
    segments = path_in(request, cmdi.SEGMENTS)
    spans = read_spans(segments) if segments else []
    if segments and not spans:
        said.say("INFO: the tier of segments is empty: the whole recording is transcribed")
    said.progress(0.01, f"loading {name}")
    from earful.recognizer import Recognizer

    recognizer = Recognizer.load(settings.models[name])
    if request.get(cmdi.TASK) == cmdi.ADAPT:
        recognizer = _adapt(recognizer, request, audio, said)
        _keep(recognizer, request.get(cmdi.NEW_MODEL) or f"{name}-adapted", folder, settings, said)
    begin = ADAPTED if request.get(cmdi.TASK) == cmdi.ADAPT else 0.05
    tiers = _in_segments(recognizer, audio, spans, said, begin) if spans else _whole(recognizer, audio, said, begin)
    write_tiers(out, tiers)


def _whole(recognizer: "Recognizer", audio: Path, said: Answer, begin: float) -> Tiers:
    """The whole recording, cut at pauses. Raises AudioError."""
    from earful.audio.files import SAMPLE_RATE_HZ, blocks, probe
    from earful.recognizer import WINDOW_S

    total_s = max(probe(audio).duration_s, 0.001)

    def heard() -> "Iterator[Samples]":
        done_s = 0.0
        for block_T in blocks(audio, WINDOW_S):
            yield block_T
            done_s += len(block_T) / SAMPLE_RATE_HZ
            said.progress(begin + (1 - begin) * done_s / total_s, "transcribing")

    return _tiers(recognizer.transcribe_blocks(heard()))


def _tiers(transcript: "Transcript") -> Tiers:
    from earful.writers.phrases import in_milliseconds, milliseconds, phrases

    words = in_milliseconds(transcript.words, transcript.duration_s)
    spoken = ((p.words[0].start_s, p.words[-1].end_s, p.text) for p in phrases(words))
    return {
        PHRASES: [(milliseconds(start_s), milliseconds(end_s), text) for start_s, end_s, text in spoken],
        WORDS: _in_whole(words),
    }


def _in_segments(recognizer: "Recognizer", audio: Path, spans: Sequence[Span], said: Answer, begin: float) -> Tiers:
    """Each segment separately; a segment without speech has an empty text. Raises AudioError."""
    from dataclasses import replace

    from earful.audio.files import read
    from earful.writers.phrases import in_milliseconds, milliseconds

    tiers: Tiers = {PHRASES: [], WORDS: []}
    for number, span in enumerate(spans):
        done = begin + (1 - begin) * number / len(spans)
        said.progress(done, f"transcribing segment {number + 1} of {len(spans)}")
        found = recognizer.transcribe(read(audio, span.start_s, span.end_s - span.start_s))
        tiers[PHRASES].append((milliseconds(span.start_s), milliseconds(span.end_s), found.text))
        words = [replace(w, start_s=w.start_s + span.start_s, end_s=w.end_s + span.start_s) for w in found.words]
        tiers[WORDS] += _in_whole(in_milliseconds(words, span.end_s))
    return tiers


def _in_whole(words: "Sequence[Word]") -> list[tuple[int, int, str]]:
    from earful.writers.phrases import milliseconds

    return [(milliseconds(word.start_s), milliseconds(word.end_s), word.text) for word in words]


def _adapt(recognizer: "Recognizer", request: Mapping[str, str], audio: Path, said: Answer) -> "Recognizer":
    """A recogniser adapted to the texts of the corrected tier. Raises EarfulError."""
    from earful.data.manifest import Manifest
    from earful.data.utterance import Utterance

    place = needed(request, cmdi.CORRECTED, "tier with corrected texts")
    written = [span for span in read_spans(place) if span.text]
    if not written:
        raise ConfigError("the tier to learn from has no texts; choose the one with the corrected texts")
    clips = Manifest(
        tuple(Utterance(f"{n}", audio, s.start_s, s.end_s - s.start_s, s.text) for n, s in enumerate(written, 1))
    )

    tell = Stages(said)
    effort: Literal["quick", "usual"] = "quick" if request.get(cmdi.EFFORT) == "quick" else "usual"
    adapted = recognizer.adapt(clips, effort=effort, language=request.get(cmdi.LANGUAGE) or None, progress=tell)
    assert adapted.report is not None, "an adapted recogniser has one"
    report = adapted.report
    said.say(f"INFO: character errors before {_percent(report.cer_before)}, after {_percent(report.cer_after)}")
    for warning in report.warnings:
        said.say(f"INFO: {warning}")
    return adapted


class Stages:
    """Progress through an unknown number of stages: each takes a quarter of the rest.

    ELAN's bar never goes back, so a stage must not fill it.
    """

    def __init__(self, said: Answer) -> None:
        self._said, self._stage, self._from, self._done = said, "", 0.02, 0.02

    def __call__(self, stage: str, done: float, total: float) -> None:
        if stage != self._stage:
            self._stage, self._from = stage, self._done
        part = min(done / total, 1.0) if total else 0.0
        self._done = max(self._done, self._from + (ADAPTED - self._from) * part / 4)
        self._said.progress(self._done, stage)


def _percent(rate: float) -> str:
    return f"{100 * rate:.1f} %" if rate == rate else "not measured"


def _keep(recognizer: "Recognizer", wanted: str, folder: Path, settings: Settings, said: Answer) -> None:
    """Save a new model, and offer it in ELAN's list. Raises CheckpointError."""
    from earful.elan.install import describe

    there = {path.name for path in settings.home.iterdir()} if settings.home.is_dir() else set[str]()
    name = named(wanted, {*settings.models, *there})
    place = settings.home / name
    place.parent.mkdir(parents=True, exist_ok=True)
    recognizer.save(place)
    said.say(f"INFO: the new model is in {place}")
    try:
        write_settings(folder, Settings({**settings.models, name: str(place)}, settings.home))
        describe(folder)
        said.say(f"INFO: start ELAN again to choose {name}")
    except OSError as error:  # a folder of the system's: the model is kept, and whoever installed may add it
        said.say(f"INFO: {error.filename}: {error.strerror}; run: earful elan install --model {place}")


def main() -> int:
    """Answer the call that is on stdin; ended by ELAN, it leaves nothing half-written."""
    in_ascii()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what is being written is cleaned away
    return 0 if answer(sys.stdin.buffer, sys.stdout.buffer, Path.cwd()) else 1


if __name__ == "__main__":
    sys.exit(main())
