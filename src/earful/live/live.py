"""Live words. Settled words never change; the tail after them may.

Several times a second the newest sound is encoded (`live.ear`) and decoded, together with a few settled words as
context for the language model; their frames allow no other words. A word settles if its frames are final, its end has
been decoded, and two successive hypotheses agree on it and on all words before it ("local agreement": Liu, Spanakis and
Niehues 2020, "Low-latency sequence-to-sequence speech recognition and translation by partial hypothesis selection"). A
second pass with full context (`live.again`) makes the final transcript.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple, final

import numpy as np

from earful.audio.files import SAMPLE_RATE_HZ
from earful.audio.waveform import check_mono
from earful.ctc.greedy import Emission, Numbers
from earful.ctc.stretches import NEVER, silent_frames
from earful.errors import AudioError
from earful.live.again import Again
from earful.live.ear import MOST_S, USUAL, Ear, Frames, Pace, Until
from earful.transcriber import LONGEST_GAP_S, Samples, Transcriber
from earful.transcript import Transcript, Word

LAG_S = 0.5
"""So long after a word the search may still think better of it."""
LATE_S = 8.0
"""A word that old settles, agreed on or not."""
LONGEST_S = 8.0
"""A word that lasts longer is cut: where none ends, as in a writing without spaces, nothing would ever settle."""
REREAD, REREAD_S, RECENT = 3, 4.0, 20
"""So many settled words, of the last seconds, are read again before the new; and with so many new ones are compared,
for how sure they are."""

PATIENCE_S = 5.0
"""So long a window may wait to be heard again until nobody speaks: that takes as long as hearing new sound often."""

Letters = Sequence[Emission]


class Update(NamedTuple):
    """The words that have settled since the last update, and the tail, which may still change."""

    settled: tuple[Word, ...]
    tail: tuple[Word, ...]


@final
class Live:
    """A live transcription: `feed` it samples as they arrive, then `end` it.

    >>> live = Live(Runner.load("my-model"))          # doctest: +SKIP
    >>> for samples_T in microphone:                  # doctest: +SKIP
    ...     settled, tail = live.feed(samples_T)
    >>> live.end().text                               # doctest: +SKIP
    'all that was said'

    Settled words never change. The final transcript is that of `transcribe` and may differ from the settled words in a
    few letters. Memory is bounded except for the words. Several may share one transcriber, one at a time. `clock`
    returns seconds.
    """

    def __init__(
        self, transcriber: Transcriber, pace: Pace = USUAL, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._ear, self._reader = Ear(transcriber, pace), _Reader(transcriber)
        self._transcriber, self._pace, self._clock = transcriber, pace, clock
        self._again, self._turns = Again(transcriber), list[Transcript]()
        self._turn = self._heard = 0  # samples: the start of the turn, and the end of the encoded sound
        self._took_s = 0.0
        self._settled: list[Word] = []
        self._tail: tuple[Word, ...] = ()

    @property
    def duration_s(self) -> float:
        """Seconds of sound received so far."""
        return self._ear.samples / SAMPLE_RATE_HZ

    def feed(self, samples_T: Samples) -> Update:
        """Process the next samples `[T]` (float, mono, 16 kHz), any number of them.

        Raises AudioError: a sample is NaN or infinite.
        """
        check_mono(samples_T)
        if not np.isfinite(samples_T).all():
            raise AudioError("expected finite samples, got NaN or infinity; check their source")
        most = round(MOST_S * SAMPLE_RATE_HZ)
        for begin in range(0, len(samples_T), most):
            piece_T = samples_T[begin : begin + most].astype(np.float32)
            self._ear.add(piece_T)
            self._again.add(piece_T)
            waiting_s = (self._ear.samples - self._heard) / SAMPLE_RATE_HZ
            if waiting_s >= max(self._pace.hop_s, self._took_s / self._pace.share):
                self._listen()
            if self._again.waits_s >= (PATIENCE_S if self._tail else 0.0):
                self._again.hear()
        return self._update()

    @property
    def heard_s(self) -> float:
        """The end of the encoded sound, in seconds of the recording."""
        return self._heard / SAMPLE_RATE_HZ

    def settle(self, *, last: bool = False) -> Update:
        """Settle all words so far, as at the end of an utterance; `last`: no sound follows."""
        if self._ear.samples > self._heard or self._tail:
            self._listen(until="the end" if last else "now")
        return self._update()

    def turn(self) -> Transcript:
        """End the turn: the transcript since the last turn, as by `transcribe`. A new turn begins.

        Times count from the start of the whole recording.
        """
        begin_s = self._turn / SAMPLE_RATE_HZ
        said, self._again, self._turn = self._again.end(), Again(self._transcriber), self._ear.samples
        words = tuple(replace(w, start_s=w.start_s + begin_s, end_s=w.end_s + begin_s) for w in said.words)
        self._turns.append(replace(said, words=words))
        return self._turns[-1]

    def end(self) -> Transcript:
        """End the recording: the whole transcript, as by `transcribe`, turn by turn. Do not `feed` it after that.

        Raises AudioError: there were no samples.
        """
        if not self._ear.samples:
            raise AudioError("the recording holds no samples; record it again or leave it out")
        self.turn()
        words = tuple(word for turn in self._turns for word in turn.words)
        mean = sum(word.confidence for word in words) / len(words) if words else 0.0
        return Transcript(self._transcriber.text_of(words), words, mean, self.duration_s)

    def _listen(self, until: Until = "what is sure") -> None:
        began = self._clock()
        settled, self._tail = self._reader.read(self._ear.hear(until), self.duration_s, whole=until != "what is sure")
        self._settled += settled
        self._heard, self._took_s = self._ear.samples, self._clock() - began

    def _update(self) -> Update:
        settled, self._settled = tuple(self._settled), []
        return Update(settled, self._tail)


class _Reader:
    """From frames to words; it holds the frames of unsettled words, and a few settled frames before them."""

    def __init__(self, transcriber: Transcriber) -> None:
        self._transcriber = transcriber
        self._begin = self._border = 0  # the first held frame, and the last settled one
        self._logp_FV = np.zeros((0, transcriber.writing.alphabet.size), np.float16)
        self._heard_F = np.zeros(0, np.bool_)
        self._recent: list[Letters] = []
        self._said: tuple[str, ...] = ()
        symbols, hop_s = transcriber.writing.alphabet.symbols, transcriber.writing.hop_s
        self._space = symbols.index(" ") + 1 if " " in symbols else 0
        times_s = LONGEST_GAP_S, REREAD_S, LONGEST_S
        self._gap, self._reread, self._longest = (round(seconds / hop_s) for seconds in times_s)

    def read(self, frames: Frames, duration_s: float, *, whole: bool) -> Update:
        """The words that settle with these frames, and the others; if the frames are the `whole`, all words settle."""
        logp_FV = np.concatenate([self._logp_FV, frames.logp_FV.astype(np.float16)])
        heard_F = np.concatenate([self._heard_F, frames.heard_F])
        staying = len(self._logp_FV) + frames.staying
        self._logp_FV, self._heard_F = logp_FV[:staying], heard_F[:staying]
        letters = self._new(self._transcriber.spell(logp_FV, heard_F))
        raw = self._transcriber.words([*self._recent, *letters], duration_s)[len(self._recent) :]
        words = tuple(self._transcriber.written(raw))
        count = self._begun(words) if whole else self._settling(words, raw)
        self._said = tuple(word.text for word in words[count:])
        spelt = count
        if count and len(words) < len(raw):  # syllables were joined
            spelt = sum(word.end_s <= words[count - 1].end_s for word in raw)
        self._settle(letters[:spelt], letters[spelt:])
        return Update(words[:count], words[count:])

    def _new(self, stretches: Sequence[Sequence[Letters]]) -> list[Letters]:
        """The words after the settled ones, none too long; frames are counted from the start of the recording."""
        words = list[Letters]()
        for word in (word for stretch in stretches for word in stretch):
            placed = (replace(e, start=e.start + self._begin, end=e.end + self._begin) for e in word)
            letters = [e for e in placed if e.start >= self._border]
            while letters:
                count = sum(e.start < letters[0].start + self._longest for e in letters)
                words.append(letters[:count])
                letters = letters[count:]
        return words

    def _begun(self, words: Sequence[Word]) -> int:
        """The number of words that begin in final frames."""
        stays_s = self._stays * self._transcriber.writing.hop_s
        return sum(word.start_s < stays_s for word in words)

    @property
    def _stays(self) -> int:
        return self._begin + len(self._logp_FV)

    def _settling(self, words: Sequence[Word], raw: Sequence[Word]) -> int:
        """The number of words that settle: final frames, followed by a word or a long pause, and agreed on before."""
        stays_s = self._stays * self._transcriber.writing.hop_s
        count = 0
        for place, word in enumerate(words):
            follows = any(word.end_s <= each.start_s <= stays_s for each in raw)
            ended = word.end_s <= stays_s - (LAG_S if follows else LONGEST_GAP_S)
            agreed = place < len(self._said) and self._said[place] == word.text
            if not (ended and (agreed or word.end_s <= stays_s - LATE_S)):
                break
            count += 1
        return count

    def _settle(self, letters: Sequence[Letters], pending: Sequence[Letters]) -> None:
        """Settle these words, and long silence after them: their frames allow nothing else from now on."""
        quiet = (pending[0][0].start if pending else self._stays) - self._gap
        border = max(letters[-1][-1].end if letters else self._border, quiet)
        if border <= self._border:
            return
        forced_FV = self._forced(letters, max(min(border, self._stays), self._border))
        self._logp_FV[self._border - self._begin :][: len(forced_FV)] = forced_FV
        self._border, self._recent = border, [*self._recent, *letters][-RECENT:]
        self._drop()

    def _forced(self, letters: Sequence[Letters], border: int) -> Numbers:
        """Log-probabilities up to the last settled frame that allow only these words and spaces between them."""
        forced_FV = silent_frames(border - self._border, self._logp_FV.shape[1])
        said, end = [e for word in letters for e in word], self._border
        for word in letters:
            if self._space and (self._recent or end > self._border) and end < word[0].start:
                said.append(Emission(self._space, end, end + 1, 1.0))
            end = word[-1].end
        for each in said:
            place = slice(each.start - self._border, each.end - self._border)
            forced_FV[place] = NEVER
            forced_FV[place, each.symbol] = 0.0
        return forced_FV

    def _drop(self) -> None:
        """Drop settled frames, except for a few words of the same stretch as context."""
        kept = [word[0].start for word in self._recent[-REREAD:] if word[0].start >= self._border - self._reread]
        silent = np.flatnonzero(~self._heard_F[: self._border - self._begin])
        after = self._begin + int(silent[-1]) + 1 if len(silent) else self._begin
        drop = min(max(kept[0] if kept else self._border, after), self._stays) - self._begin
        self._logp_FV, self._heard_F = self._logp_FV[drop:].copy(), self._heard_F[drop:].copy()
        self._begin += drop


def make_ready(transcriber: Transcriber) -> None:
    """Load and compile everything now, before somebody speaks."""
    live = Live(transcriber)
    live.feed((np.sin(np.arange(SAMPLE_RATE_HZ)) / 20).astype(np.float32))
    live.end()
    transcriber.spell(silent_frames(2, transcriber.writing.alphabet.size).astype(np.float16), np.ones(2, np.bool_))
