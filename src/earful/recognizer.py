"""Recognizer: load, transcribe, adapt, save. What most programs need of earful."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice, pairwise
from pathlib import Path
from typing import Any, NamedTuple, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.func import functional_call

from earful.adapt.adapt import AdaptReport, adapt
from earful.adapt.self_adapt import SelfAdaptation, fit
from earful.audio.channels import Channel
from earful.audio.files import SAMPLE_RATE_HZ, blocks
from earful.audio.silence import GRID_S, spoken
from earful.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from earful.ctc.beam import beam_search
from earful.ctc.greedy import Emission, best_path, merge
from earful.data.clips import read_clips
from earful.data.manifest import Manifest
from earful.errors import AudioError
from earful.model import fast_arithmetic
from earful.text.pinyin import TONES, between_scripts, with_marks

Samples = np.ndarray[Any, np.dtype[np.float32]]

WINDOW_S, CONTEXT_S = 15.0, 1.8
"""Long recordings are decoded in windows of 15 s, with 1.8 s of the neighbours heard on either side.

Both are multiples of 20, 30 and 40 ms, the hops of all encoders, so that a window's frames fall where those of the
whole recording would.
"""


LONGEST_GAP_S = 1.0
"""No letter lasts longer, and between those of a word there is less."""
NEVER = -30.0
"""The log-probability of a letter where nobody speaks."""


@dataclass(frozen=True)
class Word:
    """A word, when it is said, and how sure the recogniser is (0 to 1: the mean probability of its letters).

    `speaker` is known where each channel of a recording was transcribed by itself.
    """

    text: str
    start_s: float
    end_s: float
    confidence: float
    speaker: str | None = None


@dataclass(frozen=True)
class Transcript:
    """What a recording says."""

    text: str
    words: tuple[Word, ...]
    confidence: float
    duration_s: float


@final
class Recognizer:
    """A recogniser of one language, accent or voice. Immutable: `adapt` returns a new one.

    >>> recognizer = Recognizer.load("earful-base").adapt("clips/")     # doctest: +SKIP
    >>> recognizer.transcribe("new.wav").text                           # doctest: +SKIP

    `greedy` leaves the language model out. With `self_adapt` (True, or how) it fits itself to each window before it
    writes that down, and forgets it again (`adapt.self_adapt`).
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        report: AdaptReport | None = None,
        *,
        greedy: bool = False,
        self_adapt: SelfAdaptation | bool = False,
    ) -> None:
        self.checkpoint = checkpoint
        self.report = report
        self._language = None if greedy else checkpoint.language
        self._self_adapt = SelfAdaptation() if self_adapt is True else self_adapt or None
        self._model = checkpoint.build()

    @classmethod
    def load(
        cls, model: str | Path, *, greedy: bool = False, self_adapt: SelfAdaptation | bool = False
    ) -> "Recognizer":
        """Load a model folder, or a shipped base by its name; the options are those of the class.

        Raises CheckpointError.
        """
        return cls(load_checkpoint(model), greedy=greedy, self_adapt=self_adapt)

    def save(self, folder: str | Path, *, replace: bool = False) -> None:
        """Write the model folder, whole or not at all. Raises CheckpointError."""
        save_checkpoint(folder, self.checkpoint, replace=replace)

    def adapt(self, clips: str | Path | Manifest, **options: Any) -> "Recognizer":
        """A new recogniser, adapted to transcribed clips (a Manifest, or what `read_clips` reads).

        The options are those of `earful.adapt.adapt.adapt`; what it measured is the new recogniser's `report`.
        """
        manifest = clips if isinstance(clips, Manifest) else read_clips(clips)
        checkpoint, report = adapt(self.checkpoint, manifest, **options)
        return Recognizer(checkpoint, report)

    def transcribe(
        self, audio: str | Path | Samples, channel: Channel = "auto", *, silences: bool = False
    ) -> Transcript:
        """Transcribe a file of any length, or float32 samples `[T]` of 16 kHz mono, in bounded memory.

        `channel` of a file: that of `audio.files.read`. Two seconds and more in which nobody speaks (`audio.silence`)
        are left out, so that nothing is written there, unless `silences`.

        Raises:
            AudioError: the file cannot be read, or the samples are not finite mono floats.
        """
        pieces = _slices(_checked(audio)) if isinstance(audio, np.ndarray) else blocks(audio, WINDOW_S, channel)
        return self.transcribe_blocks(pieces, silences=silences)

    def transcribe_blocks(self, pieces: Iterable[Samples], *, silences: bool = False) -> Transcript:
        """Transcribe consecutive blocks of samples, each WINDOW_S long but the last.

        Raises:
            AudioError: there are no samples.
        """
        windows = _windows(map(_tensor, pieces), round(CONTEXT_S * SAMPLE_RATE_HZ))
        return self._transcript(windows, 1 / SAMPLE_RATE_HZ, self.frames_of, None if silences else spoken)

    def frames_of(self, samples_T: Tensor) -> Tensor:
        """The frames `[F, M]` that the model takes, of samples `[T]`: for clips that are decoded more than once."""
        return self._model.frames_of(samples_T)

    def transcribe_many(self, frames: Iterable[Tensor]) -> Iterator[str]:
        """The texts of clips given by their features `[F, M]`, of any length: what scoring needs."""
        hop_s = self.checkpoint.config.features.hop_s
        for frames_FM in frames:
            windows = _windows(torch.split(frames_FM, round(WINDOW_S / hop_s)), round(CONTEXT_S / hop_s))
            yield self._transcript(windows, hop_s, lambda window_FM: window_FM).text

    def _transcript(
        self,
        windows: Iterable["_Window"],
        unit_s: float,
        frames_of: Callable[[Tensor], Tensor],
        spoken: Callable[[Samples], NDArray[np.bool_]] | None = None,
    ) -> Transcript:
        """Decode windows whose positions count units of `unit_s`; `frames_of` gives the features of their content.

        Stretches of the content that are not `spoken` (by GRID_S) are left out, and nothing is written there.
        """
        parts, heard, duration_s = [], [], 0.0
        for window in windows:
            own, (logp_FV, heard_F) = self._own(window, unit_s), self._heard(window.content, frames_of, spoken)
            parts.append(self._path(logp_FV[own]))
            heard.append(heard_F[own])
            duration_s = window.end * unit_s
        if not parts:
            raise AudioError("the recording holds no samples; record it again or leave it out")
        said = [self._between(parts, *ends) for ends in stretches(torch.cat(heard))]  # no word goes across a silence
        emissions = [emission for stretch in said for emission in stretch]
        words = tuple(self._written(word for stretch in said for word in self._words(stretch, duration_s)))
        mean = sum(e.confidence for e in emissions) / len(emissions) if emissions else 0.0
        text = " ".join(word.text for word in words)
        plain = self.checkpoint.config.rules.writing != "characters"
        return Transcript(text if plain else between_scripts(text), words, mean, duration_s)

    def _emissions(self, parts: Sequence[tuple[Tensor, ...]]) -> tuple[Emission, ...]:
        """Letters of a whole recording, by its windows: searched for with a language model, or the best path."""
        if self._language is None:
            best_F, p_F = map(torch.cat, zip(*parts, strict=True))
            return merge(best_F, p_F)
        logp_FV = torch.cat([part for (part,) in parts])
        return beam_search(logp_FV, self._language.ngram, weight=self._language.weight, bonus=self._language.bonus)

    def _between(self, parts: Sequence[tuple[Tensor, ...]], begin: int, end: int) -> list[Emission]:
        """The letters of a stretch between two silences, in frames of the whole recording."""
        whole = [(torch.cat(kind)[begin:end]) for kind in zip(*parts, strict=True)]
        return [replace(e, start=e.start + begin, end=e.end + begin) for e in self._emissions([tuple(whole)])]

    def _own(self, window: "_Window", unit_s: float) -> slice:
        """The output frames of the window's own part, its context cut away.

        Cut nearest to where the part begins and ends in the whole recording: nothing adds up.
        """
        hop_s = self.checkpoint.config.output_hop_s
        first, begin, end = (round(place * unit_s / hop_s) for place in (window.first, window.begin, window.end))
        return slice(begin - first, None if window.is_last else end - first)

    def _path(self, logp_FV: Tensor) -> tuple[Tensor, ...]:
        """What is kept of a window: the best path, or all for a search."""
        return best_path(logp_FV) if self._language is None else (logp_FV.half(),)

    def _heard(
        self,
        content: Tensor,
        frames_of: Callable[[Tensor], Tensor],
        spoken: Callable[[Samples], NDArray[np.bool_]] | None,
    ) -> tuple[Tensor, Tensor]:
        """Log-probabilities of a window's content; and in which frames somebody may speak: the others write nothing."""
        spoken_G = spoken(content.numpy()) if spoken else np.ones(0, np.bool_)
        if spoken_G.all():
            logp_FV = self._logp(frames_of(content))
            return logp_FV, torch.ones(len(logp_FV), dtype=torch.bool)
        hop_s = self.checkpoint.config.output_hop_s
        heard_T, heard_F = (np.repeat(spoken_G, round(GRID_S / unit_s)) for unit_s in (1 / SAMPLE_RATE_HZ, hop_s))
        count = math.ceil(len(content) / SAMPLE_RATE_HZ / hop_s)
        heard_F, logp_FV = heard_F[:count], silent_frames(count, self.checkpoint.config.alphabet.size)
        if spoken_G.any():
            heard_logp_FV = self._logp(frames_of(content[torch.from_numpy(heard_T[: len(content)])]))
            places = torch.from_numpy(np.flatnonzero(heard_F))[: len(heard_logp_FV)]
            logp_FV[places] = heard_logp_FV[: len(places)]
        return logp_FV, torch.from_numpy(heard_F)

    def _logp(self, frames_FM: Tensor) -> Tensor:
        """Log-probabilities `[F', V]`; one clip at a time, so that no other clip has a part in its result."""
        if not len(frames_FM):
            return torch.zeros(0, self.checkpoint.config.alphabet.size)
        fitted = fit(self._model, frames_FM, self._self_adapt) if self._self_adapt else {}
        with torch.no_grad(), fast_arithmetic():
            clip = (frames_FM[None], torch.tensor([len(frames_FM)]))
            logp_BFV, _ = functional_call(self._model, fitted, clip)
        return logp_BFV[0]  # type: ignore[no-any-return]

    def _words(self, emissions: Iterable[Emission], duration_s: float) -> Iterator[Word]:
        """Letters between spaces; of pinyin, up to a tone, after which a space may have been forgotten."""
        symbols, pinyin = self.checkpoint.config.alphabet.symbols, self.checkpoint.config.rules.writing != "given"
        letters: list[Emission] = []
        for emission in (*emissions, None):
            symbol = symbols[emission.symbol - 1] if emission else " "
            if letters and (symbol.isspace() or (pinyin and symbols[letters[-1].symbol - 1] in TONES)):
                yield self._word(letters, duration_s)
                letters = []
            if emission and not symbol.isspace():
                letters.append(emission)

    def _word(self, letters: Sequence[Emission], duration_s: float) -> Word:
        """The last frame may reach beyond the end of the recording; no word does."""
        symbols, hop_s = self.checkpoint.config.alphabet.symbols, self.checkpoint.config.output_hop_s
        text = "".join(symbols[e.symbol - 1] for e in letters)
        confidence = sum(e.confidence for e in letters) / len(letters)
        start_s, end_s = (min(place * hop_s, duration_s) for place in said_in(letters, round(LONGEST_GAP_S / hop_s)))
        return Word(text, start_s, end_s, confidence)

    def _written(self, words: Iterable[Word]) -> Iterable[Word]:
        """The words as the rules have them: syllables with their accents, or characters by the lexicon."""
        config, lexicon = self.checkpoint.config, self.checkpoint.lexicon
        if config.rules.writing == "given":
            return words
        heard = list(words)
        if config.rules.writing == "pinyin" or lexicon is None:
            return [replace(word, text=with_marks(word.text)) for word in heard]
        left = iter(heard)
        return [
            _joined(each.text, list(islice(left, each.syllables))) for each in lexicon.write([w.text for w in heard])
        ]


def said_in(letters: Sequence[Emission], longest: int) -> tuple[int, int]:
    """The frames in which a word is said: of its letters those that most follow each other within `longest` frames.

    CTC may write a letter late, when nobody speaks any more, or hold it.
    """
    groups: list[list[Emission]] = []
    for letter in letters:
        if groups and letter.start - groups[-1][-1].end <= longest:
            groups[-1].append(letter)
        else:
            groups.append([letter])
    group = max(groups, key=len)
    return group[0].start, min(group[-1].end, group[-1].start + longest)


def stretches(heard_F: Tensor) -> list[tuple[int, int]]:
    """Where frames begin and end in which somebody may speak."""
    edges = torch.diff(torch.nn.functional.pad(heard_F.int(), (1, 1))).nonzero()[:, 0].tolist()
    return list(zip(edges[::2], edges[1::2], strict=True))


def silent_frames(count: int, symbols: int) -> Tensor:
    """Log-probabilities `[F, V]` of frames that certainly are blank."""
    logp_FV = torch.full((count, symbols), NEVER)
    logp_FV[:, 0] = 0.0
    return logp_FV


def _joined(text: str, syllables: Sequence[Word]) -> Word:
    """One word of several syllables; what stayed pinyin has its accent."""
    confidence = sum(syllable.confidence for syllable in syllables) / len(syllables)
    return Word(with_marks(text), syllables[0].start_s, syllables[-1].end_s, confidence)


class _Window(NamedTuple):
    """A stretch of a recording, samples or frames: its own part, `begin` to `end`, with what lies around it.

    `content` starts at `first`. All places count from the start of the recording.
    """

    content: Tensor
    first: int
    begin: int
    end: int
    is_last: bool


def _windows(pieces: Iterable[Tensor], context: int) -> Iterator[_Window]:
    """A window for each of the consecutive pieces, with `context` units of what comes before and after it."""
    begin, before = 0, torch.zeros(0)
    for piece, after in pairwise(chain(pieces, (None,))):
        assert piece is not None
        known = torch.cat([before, piece]) if begin else piece
        content = known if after is None else torch.cat([known, after[:context]])
        end = begin + len(piece)
        yield _Window(content, end - len(known), begin, end, after is None)
        begin, before = end, known[-context:]


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


def _tensor(samples_T: Samples) -> Tensor:
    """A copy, since torch takes no array that is read-only or runs backwards."""
    return torch.from_numpy(samples_T.astype(np.float32, order="C"))
