"""Transcriber: from sound to words with times, for any source of log-probabilities; without torch."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from earful.audio.channels import Channel
from earful.audio.denoise import denoise as suppressed
from earful.audio.files import SAMPLE_RATE_HZ, blocks, probe
from earful.audio.silence import GRID_S, spoken
from earful.audio.source import Audio, from_samples, source_of
from earful.ctc.certain import Certain
from earful.ctc.confidence import clues_of, confidences
from earful.ctc.greedy import Emission, Numbers, best_path
from earful.ctc.pauses import LONGEST_S as LONGEST_PAUSE_S
from earful.ctc.pauses import spaced
from earful.ctc.stretches import Said, merge_stretches, said_in, search_stretches, silent_frames
from earful.errors import AudioError, ConfigError
from earful.features.windows import CONTEXT_S, WINDOW_S, Tape, Window, windows
from earful.folders import Language
from earful.text.alphabet import Alphabet
from earful.text.lexicon import Lexicon
from earful.text.normalize import TextRules, normalize
from earful.text.pinyin import TONES, between_scripts, with_marks
from earful.transcript import Transcript, Word, together

if TYPE_CHECKING:
    from earful.ctc.beam import Search

Samples = np.ndarray[Any, np.dtype[np.float32]]

LONGEST_GAP_S = 1.0
"""The longest duration of a letter, and the longest gap between the letters of a word."""


@dataclass(frozen=True)
class Writing:
    """How a model writes: its letters, the length of an output frame, its rules, and its lexicon.

    `shift` belongs to the confidences of words by the best path. The search uses the `language` model.
    """

    alphabet: Alphabet
    rules: TextRules
    hop_s: float
    shift: float = 0.0
    lexicon: Lexicon | None = None
    language: Language | None = None


class Transcriber(ABC):
    """The common part of `Recognizer`, with torch, and `Runner`, without. They differ only in `_logp_of`.

    `greedy` leaves the language model out. `hot` are words or phrases to make likelier, each with a bonus per letter in
    nats (`ctc.hot`). `guesses` is the number of texts for each recording.

    Raises TextError: a hot word has letters that the model does not write.
    """

    def __init__(
        self,
        writing: Writing,
        *,
        greedy: bool = False,
        hot: Mapping[str, float] | None = None,
        guesses: int = 1,
    ) -> None:
        self.writing = writing
        self._guesses = guesses
        self._language = None if greedy else writing.language
        self._search = self._ready(hot or {})

    def listening_for(self, hot: Mapping[str, float]) -> Self:
        """The same with other hot words; the loaded parts are shared.

        Raises TextError: a hot word has letters that the model does not write.
        """
        other = copy(self)
        other._search = other._ready(hot)
        return other

    @abstractmethod
    def _logp_of(self, samples_T: Samples) -> Numbers:
        """Log-probabilities `[F, V]` of samples `[T]`, at most a window."""

    def transcribe(
        self,
        audio: Audio | Samples | tuple[NDArray[Any], int],
        channel: Channel | Literal["each"] = "auto",
        *,
        silences: bool = False,
        denoise: bool = False,
        advance: Callable[[float], None] | None = None,
        certain: Callable[[Sequence[str]], None] | None = None,
    ) -> Transcript:
        """Transcribe a recording of any length. The memory beyond the input is bounded.

        `audio` is a path, the bytes of a file, a file opened in binary mode, float samples `[T]` of 16 kHz mono, or
        samples `[T]` or `[T, C]` and their rate in Hz. `channel` is as in `audio.files.read`, or "each": then the
        channel is the speaker of each word. Silences of two seconds and more (`audio.silence`) are left out, so that
        nothing is written there, unless `silences`. `denoise` suppresses steady noise first. `advance` gets the seconds
        of each window that was heard. `certain` gets words as soon as they are certain, whatever is heard after them
        (`ctc.certain`; not with "each", nor in Chinese characters, which what follows chooses).
        `earful.writers.formats.render` turns the result into text, subtitles, ELAN's files …

        Raises:
            AudioError: the recording cannot be read, or the samples are no finite sound.
            ConfigError: several guesses are wanted for each channel.
        """
        if isinstance(audio, np.ndarray):
            pieces = _heard(_slices(_checked(audio)), denoise, advance)
            return self.transcribe_blocks(pieces, silences=silences, certain=certain)
        source = from_samples(*audio) if isinstance(audio, tuple) else source_of(audio)

        def one(number: Channel, certain: Callable[[Sequence[str]], None] | None = None) -> Transcript:
            pieces = _heard(blocks(source, WINDOW_S, number), denoise, advance)
            return self.transcribe_blocks(pieces, silences=silences, certain=certain)

        if channel != "each":
            return one(channel, certain)
        if self._guesses > 1:
            raise ConfigError("guesses are possible for one channel only; name one, as with --channel left")
        return together({f"speaker {n}": one(n) for n in range(1, probe(source).channels + 1)})

    def transcribe_blocks(
        self,
        pieces: Iterable[Samples],
        *,
        silences: bool = False,
        certain: Callable[[Sequence[str]], None] | None = None,
    ) -> Transcript:
        """Transcribe consecutive blocks of samples, all WINDOW_S long except the last; `certain` as in `transcribe`.

        Raises:
            AudioError: there are no samples.
        """
        parts = windows(map(_contiguous, pieces), round(CONTEXT_S * SAMPLE_RATE_HZ))
        return self._transcript(parts, 1 / SAMPLE_RATE_HZ, self._logp_of, None if silences else spoken, certain)

    def _transcript(
        self,
        recording: Iterable[Window],
        unit_s: float,
        logp_of: Callable[[Numbers], Numbers],
        spoken: Callable[[Samples], NDArray[np.bool_]] | None = None,
        certain: Callable[[Sequence[str]], None] | None = None,
    ) -> Transcript:
        """Decode windows whose positions count units of `unit_s`; `logp_of` hears their content.

        Stretches of the content that are not `spoken` (per GRID_S) are left out, and nothing is written there.
        """
        tapes, duration_s = list[Tape](), 0.0
        told = self._telling(certain) if certain and self.writing.rules.writing != "characters" else None
        for window in recording:
            own = window.own(unit_s, self.writing.hop_s)
            logp_FV, heard_F = self._listen(window.content, logp_of, spoken)
            kept = (heard_F[own], *self._kept(logp_FV[own]))
            tapes = tapes or [Tape() for _ in kept]
            for tape, part in zip(tapes, kept, strict=True):
                tape.add(part)
            if told:
                told(*kept)
            duration_s = window.end * unit_s
        if not tapes:
            raise AudioError("the recording holds no samples; record it again or leave it out")
        heard_F, *whole = (tape.whole() for tape in tapes)
        best, *others = self._decoded(whole, heard_F)
        words = tuple(self.written(self._words(best, duration_s)))
        mean = sum(word.confidence for word in words) / len(words) if words else 0.0
        text = self.text_of(words)
        guesses = (text, *(self.text_of(self.written(self._words(each, duration_s))) for each in others))
        return Transcript(text, words, mean, duration_s, guesses if self._guesses > 1 else ())

    def _telling(self, certain: Callable[[Sequence[str]], None]) -> Callable[..., None]:
        """Tells of each part, as it is kept, the words that are certain by it."""
        known, count, symbols = Certain(self._search), 0, self.writing.alphabet.symbols

        def tell(heard_F: Numbers, *kept: Numbers) -> None:
            nonlocal count
            new = list[str]()
            for said, over in known.add(heard_F, *kept):
                words = list(self._spelt([Emission(symbol, 0, 0, 0.0) for symbol in said]))
                texts = ["".join(symbols[e.symbol - 1] for e in word) for word in words]
                texts = texts if over or self._ends_a_word(said) else texts[:-1]
                new += texts[count:]
                count = 0 if over else max(count, len(texts))
            if new:
                certain([word.text for word in self.written([Word(text, 0.0, 0.0, 0.0) for text in new])])

        return tell

    def _ends_a_word(self, said: Sequence[int]) -> bool:
        """Whether a word can be no longer than the last of these symbols."""
        last = self.writing.alphabet.symbols[said[-1] - 1] if said else " "
        return last.isspace() or (self.writing.rules.writing != "given" and last in TONES)

    def transcript_of(self, logp_FV: Numbers, duration_s: float) -> Transcript:
        """The transcript of a whole recording's log-probabilities `[F, V]`, by the best path."""
        said = merge_stretches(*best_path(logp_FV), np.ones(len(logp_FV), np.bool_))
        words = tuple(self.written(self._words(said, duration_s)))
        mean = sum(word.confidence for word in words) / len(words) if words else 0.0
        return Transcript(self.text_of(words), words, mean, duration_s)

    def hear(self, content_T: Samples, spoken_G: NDArray[np.bool_]) -> tuple[Numbers, Numbers]:
        """Log-probabilities `[F, V]` of at most a window of sound, and the frames in which somebody may speak, `[F]`.

        `spoken_G` has the latter for each GRID_S: `audio.silence.spoken`.
        """
        return self._listen(_contiguous(content_T), self._logp_of, lambda _: spoken_G)

    def spell(self, logp_FV: Numbers, heard_F: Numbers) -> list[list[list[Emission]]]:
        """The letters of each word in log-probabilities `[F, V]`, for each stretch of possible speech."""
        return [list(self._spelt(stretch)) for stretch in self._decoded(self._kept(logp_FV), heard_F)[0]]

    def text_of(self, words: Iterable[Word]) -> str:
        """The words as one text, by the model's rules."""
        text = " ".join(word.text for word in words)
        return text if self.writing.rules.writing != "characters" else between_scripts(text)

    def _decoded(self, whole: Sequence[Numbers], heard_F: Numbers) -> list[Said]:
        """The letters of a whole recording, from the kept windows: the best text first, then other guesses."""
        if self._search is None:
            best_F, p_F = whole
            return [merge_stretches(best_F, p_F, heard_F)]
        (logp_FV,) = whole
        return search_stretches(self._search, logp_FV, heard_F, self._guesses)

    def _ready(self, hot: Mapping[str, float]) -> "Search | None":
        """The search; None if there is nothing to search with: then the best path is used."""
        alphabet, language = self.writing.alphabet, self._language
        if language is None and not hot and self._guesses == 1:
            return None
        from earful.ctc.beam import Search  # it compiles, which takes as long as a short clip
        from earful.ctc.hot import hot_tree

        tree = hot_tree({normalize(each, self.writing.rules): boost for each, boost in hot.items()}, alphabet)
        if language is not None:
            return Search(alphabet.size, language.ngram, language.words, language.weight, language.bonus, tree)
        return Search(alphabet.size, hot=tree)

    def _kept(self, logp_FV: Numbers) -> tuple[Numbers, ...]:
        """The part of a window that is kept: the best path, or all for a search."""
        return best_path(logp_FV) if self._search is None else (logp_FV.astype(np.float16),)

    def _listen(
        self,
        content: Numbers,
        logp_of: Callable[[Numbers], Numbers],
        spoken: Callable[[Samples], NDArray[np.bool_]] | None,
    ) -> tuple[Numbers, Numbers]:
        """Log-probabilities of a window's content, and the frames of possible speech; the others write nothing."""
        logp_FV, heard_F = self._unspaced(content, logp_of, spoken)
        symbols, longest = self.writing.alphabet.symbols, round(LONGEST_PAUSE_S / self.writing.hop_s)
        if " " not in symbols or self.writing.rules.writing != "given":  # pinyin parts words by its tones
            return logp_FV, heard_F
        return spaced(logp_FV, heard_F, symbols.index(" ") + 1, longest), heard_F

    def _unspaced(
        self,
        content: Numbers,
        logp_of: Callable[[Numbers], Numbers],
        spoken: Callable[[Samples], NDArray[np.bool_]] | None,
    ) -> tuple[Numbers, Numbers]:
        spoken_G = spoken(content) if spoken else np.ones(0, np.bool_)
        if spoken_G.all():
            logp_FV = logp_of(content)
            return logp_FV, np.ones(len(logp_FV), np.bool_)
        hop_s = self.writing.hop_s
        heard_T, heard_F = (np.repeat(spoken_G, round(GRID_S / unit_s)) for unit_s in (1 / SAMPLE_RATE_HZ, hop_s))
        count = math.ceil(len(content) / SAMPLE_RATE_HZ / hop_s)
        heard_F, logp_FV = heard_F[:count], silent_frames(count, self.writing.alphabet.size)
        if spoken_G.any():
            heard_logp_FV = logp_of(content[heard_T[: len(content)]])
            places = np.flatnonzero(heard_F)[: len(heard_logp_FV)]
            logp_FV[places] = heard_logp_FV[: len(places)]
        return logp_FV, heard_F

    def _words(self, said: Said, duration_s: float) -> list[Word]:
        return self.words([word for stretch in said for word in self._spelt(stretch)], duration_s)

    def words(self, letters: Sequence[Sequence[Emission]], duration_s: float) -> list[Word]:
        """The words of these letters, as spelt, with their times and confidences.

        No word reaches beyond the end of the recording.
        """
        symbols, hop_s, language = self.writing.alphabet.symbols, self.writing.hop_s, self._language
        texts = ["".join(symbols[e.symbol - 1] for e in word) for word in letters]
        known = (language.ngram, language.words) if language else (None, None)
        sure = confidences(clues_of(letters, texts, *known), language.shift if language else self.writing.shift)
        frames = (said_in(word, round(LONGEST_GAP_S / hop_s)) for word in letters)
        times = [(min(start * hop_s, duration_s), min(end * hop_s, duration_s)) for start, end in frames]
        return [Word(text, *each, p) for text, each, p in zip(texts, times, sure, strict=True)]

    def _spelt(self, emissions: Iterable[Emission]) -> Iterator[list[Emission]]:
        """Letters between spaces; of pinyin, up to a tone, after which a space may have been forgotten."""
        symbols, pinyin = self.writing.alphabet.symbols, self.writing.rules.writing != "given"
        letters: list[Emission] = []
        for emission in (*emissions, None):
            symbol = symbols[emission.symbol - 1] if emission else " "
            if letters and (symbol.isspace() or (pinyin and symbols[letters[-1].symbol - 1] in TONES)):
                yield letters
                letters = []
            if emission and not symbol.isspace():
                letters.append(emission)

    def written(self, words: Iterable[Word]) -> Iterable[Word]:
        """The words by the rules: syllables with their accents, or characters by the lexicon."""
        rules, lexicon = self.writing.rules, self.writing.lexicon
        if rules.writing == "given":
            return words
        heard = list(words)
        if rules.writing == "pinyin" or lexicon is None:
            return [replace(word, text=with_marks(word.text)) for word in heard]
        left = iter(heard)
        return [
            _joined(each.text, list(islice(left, each.syllables))) for each in lexicon.write([w.text for w in heard])
        ]


def _joined(text: str, syllables: Sequence[Word]) -> Word:
    """One word of several syllables; those that stayed pinyin have their accents."""
    confidence = sum(syllable.confidence for syllable in syllables) / len(syllables)
    return Word(with_marks(text), syllables[0].start_s, syllables[-1].end_s, confidence)


def _checked(samples_T: Samples) -> Samples:
    if samples_T.ndim != 1 or not np.issubdtype(samples_T.dtype, np.floating):
        raise AudioError(
            f"expected float samples [T], mono, 16 kHz, got {samples_T.dtype} {samples_T.shape}; convert them"
        )
    if not np.isfinite(samples_T).all():
        raise AudioError("the samples hold NaN or infinity; repair the recording")
    return samples_T


def _slices(samples_T: Samples) -> Iterator[Samples]:
    size = round(WINDOW_S * SAMPLE_RATE_HZ)
    yield from (samples_T[i : i + size] for i in range(0, len(samples_T), size))


def _heard(pieces: Iterable[Samples], denoise: bool, advance: Callable[[float], None] | None) -> Iterator[Samples]:
    """The windows, one by one on demand; `advance` gets the length of each."""
    for piece_T in pieces:
        yield suppressed(piece_T) if denoise else piece_T
        if advance:
            advance(len(piece_T) / SAMPLE_RATE_HZ)


def _contiguous(samples_T: Samples) -> Samples:
    """A copy, since torch takes no array that is read-only or runs backwards."""
    return samples_T.astype(np.float32, order="C")
