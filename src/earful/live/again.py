"""A second pass over a live recording that decodes it like `transcribe`, so the final transcript is the same.

Live words come from sound with little right context. This pass encodes whole windows with full context as soon as their
sound has arrived, and decodes each stretch between silences when it ends. It keeps little of what it decoded.
"""

from typing import final

import numpy as np
from numpy.typing import NDArray

from earful.audio.files import SAMPLE_RATE_HZ
from earful.audio.silence import spoken
from earful.ctc.greedy import Emission, Numbers
from earful.ctc.stretches import stretches
from earful.features.windows import CONTEXT_S, WINDOW_S, Window
from earful.transcriber import Samples, Transcriber
from earful.transcript import Transcript

LONGEST_S = 600.0
"""A stretch without a silence that is longer is cut, lest it be held for hours: the one thing that `transcribe` does
otherwise."""
_CUT_S = 60.0  # seconds at the end of such a stretch in which the likeliest pause is the cut
_PAUSE_S = 0.5
_WINDOW, _CONTEXT = round(WINDOW_S * SAMPLE_RATE_HZ), round(CONTEXT_S * SAMPLE_RATE_HZ)


@final
class Again:
    """The second pass: `add` samples, `hear` a window if one is ready (`waits_s`), and `end`."""

    def __init__(self, transcriber: Transcriber) -> None:
        self._transcriber, self._hop_s = transcriber, transcriber.writing.hop_s
        self._held_T, self._new, self._samples = np.zeros(0, np.float32), list[Samples](), 0
        self._first = self._begin = 0  # samples: the start of the held sound, and of the next part
        self._heard = 0  # the number of decoded frames; the frames after them are held
        self._logp_FV, self._heard_F = np.zeros((0, transcriber.writing.alphabet.size), np.float32), np.zeros(0, bool)
        self._letters = list[NDArray[np.float64]]()  # for each decoded word: rows of `Emission`

    @property
    def waits_s(self) -> float:
        """How many seconds ago, in sound, the next window became complete; negative if it is not complete yet."""
        return (self._samples - self._begin - _WINDOW - _CONTEXT) / SAMPLE_RATE_HZ

    def add(self, samples_T: Samples) -> None:
        """Append samples without encoding them yet."""
        self._new.append(samples_T)
        self._samples += len(samples_T)

    def hear(self) -> None:
        """Encode the next window, and decode the stretches that have ended."""
        self._listen(self._window(last=False))

    def end(self) -> Transcript:
        """The whole transcript, after the last sound; empty without sound."""
        while self._samples - self._begin > _WINDOW:
            self._listen(self._window(last=False))
        if self._samples > self._begin:
            self._listen(self._window(last=True))
        self._decode(len(self._logp_FV))
        duration_s = self._samples / SAMPLE_RATE_HZ
        raw = self._transcriber.words([_letters_of(rows) for rows in self._letters], duration_s)
        words = tuple(self._transcriber.written(raw))
        mean = sum(word.confidence for word in words) / len(words) if words else 0.0
        return Transcript(self._transcriber.text_of(words), words, mean, duration_s)

    def _window(self, *, last: bool) -> Window:
        """The next part of the recording, with its context (as `features.windows`)."""
        self._held_T, self._new = np.concatenate([self._held_T, *self._new]), []
        end = self._samples if last else self._begin + _WINDOW
        content_T = self._held_T[: end + _CONTEXT - self._first]
        return Window(content_T, self._first, self._begin, end, last)

    def _listen(self, window: Window) -> None:
        own = window.own(1 / SAMPLE_RATE_HZ, self._hop_s)
        logp_FV, heard_F = self._transcriber.hear(window.content, spoken(window.content))
        self._logp_FV = np.concatenate([self._logp_FV, logp_FV[own]])
        self._heard_F = np.concatenate([self._heard_F, heard_F[own]])
        self._begin, first = window.end, max(window.end - _CONTEXT, self._first)
        self._held_T, self._first = self._held_T[first - self._first :].copy(), first
        silent = np.flatnonzero(~self._heard_F)
        if len(silent):
            self._decode(int(silent[-1]) + 1)
        if len(self._logp_FV) * self._hop_s > LONGEST_S:
            self._decode(self._pause())

    def _decode(self, count: int) -> None:
        """Decode the first of the held frames, stretch by stretch, and drop them."""
        for begin, end in stretches(self._heard_F[:count]):
            for words in self._transcriber.spell(self._logp_FV[begin:end], self._heard_F[begin:end]):
                self._letters += [_rows_of(word, self._heard + begin) for word in words]
        self._logp_FV, self._heard_F = self._logp_FV[count:].copy(), self._heard_F[count:].copy()
        self._heard += count

    def _pause(self) -> int:
        """The frame, among the last ones, that is most likely in a pause."""
        symbols, size = self._transcriber.writing.alphabet.symbols, round(_PAUSE_S / self._hop_s)
        nothing = [0, *(place for place, symbol in enumerate(symbols, 1) if symbol.isspace())]
        first = len(self._logp_FV) - round(_CUT_S / self._hop_s)
        p_F: Numbers = np.exp(self._logp_FV[first:, nothing]).sum(1)
        return first + int(np.convolve(p_F, np.ones(size), "valid").argmax()) + size // 2


def _rows_of(word: list[Emission], offset: int) -> NDArray[np.float64]:
    """The letters of a word in a fifth of the memory; frames are counted from the start of the recording."""
    return np.array([(e.symbol, e.start + offset, e.end + offset, e.confidence, e.sure) for e in word])


def _letters_of(rows: NDArray[np.float64]) -> list[Emission]:
    return [Emission(int(symbol), int(start), int(end), p, sure) for symbol, start, end, p, sure in rows.tolist()]
