"""earful's complete transcript of a recording, without silences and with the language model, in float32.

Most targets are compared with the best path alone (`proof.Exact`); the page of `web` does all that earful does.
"""

import io
from collections.abc import Iterator, Sequence
from typing import NamedTuple, final

import numpy as np
import soundfile

from earful.audio.files import SAMPLE_RATE_HZ
from earful.ctc.beam import LEAST_LOGP
from earful.ctc.greedy import Numbers
from earful.ctc.stretches import Said, merge_stretches
from earful.export.proof import TOSS_UP, Written, network
from earful.export.source import Source
from earful.transcriber import Samples, Transcriber


class Tape(NamedTuple):
    """For a recording: log-probabilities `[F, V]`, likeliest symbols `[F]`, and frames of possible speech `[F]`."""

    logp_FV: Numbers
    best_F: Numbers
    heard_F: Numbers


@final
class Whole(Transcriber):
    """earful itself, by torch; it remembers the log-probabilities of its last text."""

    def __init__(self, source: Source) -> None:
        super().__init__(source.writing)
        self._network = network(source)
        self._last: Tape | None = None
        self.tapes: dict[int, tuple[Tape, float]] = {}

    def _logp_of(self, samples_T: Samples) -> Numbers:
        return self._network(samples_T)

    def _kept(self, logp_FV: Numbers) -> tuple[Numbers, ...]:
        return (logp_FV,)

    def _decoded(self, whole: Sequence[Numbers], heard_F: Numbers) -> list[Said]:
        (logp_FV,) = whole
        self._last = Tape(logp_FV, logp_FV.argmax(-1), heard_F)
        return self._written_down(self._last)

    def _written_down(self, tape: Tape) -> list[Said]:
        if self._search is None:
            return [merge_stretches(tape.best_F, np.ones(len(tape.best_F), np.float32), tape.heard_F)]
        return super()._decoded([tape.logp_FV.astype(np.float16)], tape.heard_F)

    def heard(self, samples_T: Samples) -> Written:
        """Its transcript of a recording, given as a file, as for the page."""
        found = self.transcribe(as_file(samples_T))
        return Written(found.text, (), tuple((word.text, word.start_s, word.end_s) for word in found.words))

    def of(self, tape: Tape, duration_s: float) -> Written:
        """Its transcript for other log-probabilities."""
        best, *_ = self._written_down(tape)
        words = self._words(best, duration_s)
        return Written(self.text_of(words), (), tuple((word.text, word.start_s, word.end_s) for word in words))

    def as_likely(self, samples_T: Samples) -> Iterator[Written]:
        """Its transcript for the target's log-probabilities (`tapes`), if they equal its own except for rounding."""
        self.heard(samples_T)
        tape, duration_s = self.tapes[id(samples_T)]
        if self._last is not None and _near(tape, self._last):
            yield self.of(tape, duration_s)


def as_file(samples_T: Samples) -> bytes:
    """A WAV file of float32, without rounding."""
    file = io.BytesIO()
    soundfile.write(file, samples_T, SAMPLE_RATE_HZ, format="WAV", subtype="FLOAT")
    return file.getvalue()


def _near(mine: Tape, theirs: Tape) -> bool:
    """Whether both leave out the same silences, and their probabilities agree elsewhere."""
    if mine.logp_FV.shape != theirs.logp_FV.shape or (mine.heard_F != theirs.heard_F).any():
        return False
    likely_FV = (theirs.logp_FV >= LEAST_LOGP) | (mine.logp_FV >= LEAST_LOGP)
    return bool(np.abs(mine.logp_FV.astype(np.float64) - theirs.logp_FV)[likely_FV].max(initial=0.0) < TOSS_UP)
