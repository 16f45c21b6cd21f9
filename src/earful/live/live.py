"""Live words: what is being said, while it is said. Words that have settled never change; a tail after them may.

Every fraction of a second the newest sound is heard (`live.ear`) and read: all that follows the last settled words, and
a few of these before, so that the language model knows what came; in their frames nothing else is possible any more.
A word settles where its frames stay, what ends it has been heard, and two readings one after the other agree on it and
on all before it (Liu, Spanakis and Niehues 2020, "Low-latency sequence-to-sequence speech recognition and translation
by partial hypothesis selection", call that local agreement). Beside that all is heard once more with what lies around
it (`live.again`): the transcript in the end is of that.
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
    """What has settled since the last time, and what follows, which may still change."""

    settled: tuple[Word, ...]
    tail: tuple[Word, ...]


@final
class Live:
    """A recording that goes on: `feed` it samples as they come, and `end` it.

    >>> live = Live(Runner.load("my-model"))          # doctest: +SKIP
    >>> for samples_T in microphone:                  # doctest: +SKIP
    ...     settled, tail = live.feed(samples_T)
    >>> live.end().text                               # doctest: +SKIP
    'all that was said'

    What has settled never changes. The transcript in the end is that of `transcribe`, and may differ from it in a few
    letters. Memory is bounded but for the words. A transcriber may serve several, one after another. `clock` tells
    seconds.
    """

    def __init__(
        self, transcriber: Transcriber, pace: Pace = USUAL, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._ear, self._reader = Ear(transcriber, pace), _Reader(transcriber)
        self._transcriber, self._pace, self._clock = transcriber, pace, clock
        self._again, self._turns = Again(transcriber), list[Transcript]()
        self._turn = self._heard = 0  # samples: where the turn began, and up to where it was heard
        self._took_s = 0.0
        self._settled: list[Word] = []
        self._tail: tuple[Word, ...] = ()

    @property
    def duration_s(self) -> float:
        """How much has been fed."""
        return self._ear.samples / SAMPLE_RATE_HZ

    def feed(self, samples_T: Samples) -> Update:
        """Take the samples `[T]` that come next (float, mono, 16 kHz), of any number.

        Raises AudioError: they are no finite sound.
        """
        check_mono(samples_T)
        if not np.isfinite(samples_T).all():
            raise AudioError("expected finite samples, got NaN or infinity; check where they come from")
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
        """Up to where it was heard."""
        return self._heard / SAMPLE_RATE_HZ

    def settle(self, *, last: bool = False) -> Update:
        """Settle all that was said so far, as where somebody has stopped speaking; `last`: no sound follows."""
        if self._ear.samples > self._heard or self._tail:
            self._listen(until="the end" if last else "now")
        return self._update()

    def turn(self) -> Transcript:
        """What was said since the last turn, as `transcribe` hears a recording of that; another turn begins.

        Times are those of the whole recording.
        """
        begin_s = self._turn / SAMPLE_RATE_HZ
        said, self._again, self._turn = self._again.end(), Again(self._transcriber), self._ear.samples
        words = tuple(replace(w, start_s=w.start_s + begin_s, end_s=w.end_s + begin_s) for w in said.words)
        self._turns.append(replace(said, words=words))
        return self._turns[-1]

    def end(self) -> Transcript:
        """There is no more sound: all that was said, as `transcribe` hears it, turn by turn. `feed` it nothing more.

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
    """From frames to words: it holds the frames that have not settled, with a few before them."""

    def __init__(self, transcriber: Transcriber) -> None:
        self._transcriber = transcriber
        self._begin = self._border = 0  # the first frame that is held, and up to which frame words have settled
        self._logp_FV = np.zeros((0, transcriber.writing.alphabet.size), np.float16)
        self._heard_F = np.zeros(0, np.bool_)
        self._recent: list[Letters] = []
        self._said: tuple[str, ...] = ()
        symbols, hop_s = transcriber.writing.alphabet.symbols, transcriber.writing.hop_s
        self._space = symbols.index(" ") + 1 if " " in symbols else 0
        times_s = LONGEST_GAP_S, REREAD_S, LONGEST_S
        self._gap, self._reread, self._longest = (round(seconds / hop_s) for seconds in times_s)

    def read(self, frames: Frames, duration_s: float, *, whole: bool) -> Update:
        """The words that settle by these frames, and those that do not yet; all where they are the `whole`."""
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
        """The words after the border, none too long, their frames counted from the start of the recording."""
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
        """How many words begin in frames that stay."""
        stays_s = self._stays * self._transcriber.writing.hop_s
        return sum(word.start_s < stays_s for word in words)

    @property
    def _stays(self) -> int:
        return self._begin + len(self._logp_FV)

    def _settling(self, words: Sequence[Word], raw: Sequence[Word]) -> int:
        """How many words settle: their frames stay, something follows or long nothing, and they were read before."""
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
        """In the frames of these words, and where for long nothing is said, nothing else is possible any more."""
        quiet = (pending[0][0].start if pending else self._stays) - self._gap
        border = max(letters[-1][-1].end if letters else self._border, quiet)
        if border <= self._border:
            return
        forced_FV = self._forced(letters, max(min(border, self._stays), self._border))
        self._logp_FV[self._border - self._begin :][: len(forced_FV)] = forced_FV
        self._border, self._recent = border, [*self._recent, *letters][-RECENT:]
        self._drop()

    def _forced(self, letters: Sequence[Letters], border: int) -> Numbers:
        """The frames up to the new border: they say these words, and spaces between them, and nothing else."""
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
        """Hold of what has settled only what is read again: some words of the same stretch."""
        kept = [word[0].start for word in self._recent[-REREAD:] if word[0].start >= self._border - self._reread]
        silent = np.flatnonzero(~self._heard_F[: self._border - self._begin])
        after = self._begin + int(silent[-1]) + 1 if len(silent) else self._begin
        drop = min(max(kept[0] if kept else self._border, after), self._stays) - self._begin
        self._logp_FV, self._heard_F = self._logp_FV[drop:].copy(), self._heard_F[drop:].copy()
        self._begin += drop


def make_ready(transcriber: Transcriber) -> None:
    """What is loaded or compiled at first use is, now, before somebody speaks."""
    live = Live(transcriber)
    live.feed((np.sin(np.arange(SAMPLE_RATE_HZ)) / 20).astype(np.float32))
    live.end()
    transcriber.spell(silent_frames(2, transcriber.writing.alphabet.size).astype(np.float16), np.ones(2, np.bool_))
