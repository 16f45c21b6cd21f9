"""Recognizer: load, transcribe, adapt, save. What most programs need of earful."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, Literal, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.func import functional_call

from earful.adapt.brought import Brought
from earful.adapt.clips import Progress
from earful.adapt.effort import Effort, adapt_by, recordings_of
from earful.adapt.finetune import Plan
from earful.adapt.report import AdaptReport
from earful.adapt.self_adapt import SelfAdaptation, fit
from earful.audio.channels import Channel
from earful.audio.denoise import denoise as suppressed
from earful.audio.files import SAMPLE_RATE_HZ, blocks, probe
from earful.audio.silence import GRID_S, spoken
from earful.audio.source import Audio, from_samples, source_of
from earful.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from earful.ctc.beam import Search
from earful.ctc.confidence import clues_of, confidences
from earful.ctc.greedy import Emission, best_path
from earful.ctc.hot import hot_tree
from earful.ctc.stretches import Said, merge_stretches, said_in, search_stretches, silent_frames
from earful.data.clips import read_clips
from earful.data.manifest import Manifest
from earful.data.synthesis.sentences import read_sentences
from earful.device import CPU, device_of
from earful.errors import AudioError, ConfigError
from earful.features.windows import Tape, Window, windows
from earful.model import fast_arithmetic
from earful.text.normalize import TextRules, normalize
from earful.text.pinyin import TONES, between_scripts, with_marks
from earful.transcript import Transcript, Word, together

Samples = np.ndarray[Any, np.dtype[np.float32]]

WINDOW_S, CONTEXT_S = 15.0, 1.8
"""Long recordings are decoded in windows of 15 s, with 1.8 s of the neighbours heard on either side.

Both are multiples of 20, 30 and 40 ms, the hops of all encoders, so that a window's frames fall where those of the
whole recording would.
"""
LONGEST_GAP_S = 1.0
"""No letter lasts longer, and between those of a word there is less."""


@final
class Recognizer:
    """A recogniser of one language, accent or voice. Immutable: `adapt` returns a new one.

    >>> recognizer = Recognizer.load("earful-base").adapt("clips/")     # doctest: +SKIP
    >>> recognizer.transcribe("new.wav").text                           # doctest: +SKIP

    `greedy` leaves the language model out. With `self_adapt` (True, or how) it fits itself to each window before it
    writes that down, and forgets it again (`adapt.self_adapt`). `hot` are words or phrases to listen for, each with
    what a letter of it adds in nats (`ctc.hot`). `guesses` asks for so many texts of each recording.

    Raises TextError: a hot word has letters that the model does not write.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        report: AdaptReport | None = None,
        *,
        greedy: bool = False,
        self_adapt: SelfAdaptation | bool = False,
        hot: Mapping[str, float] | None = None,
        guesses: int = 1,
    ) -> None:
        self.checkpoint = checkpoint
        self.report = report
        self._guesses = guesses
        self._language = None if greedy else checkpoint.language
        self._search = self._ready(hot or {})
        self._self_adapt = SelfAdaptation() if self_adapt is True else self_adapt or None
        self._model = checkpoint.build()

    @classmethod
    def load(
        cls,
        model: str | Path,
        *,
        greedy: bool = False,
        self_adapt: SelfAdaptation | bool = False,
        hot: Mapping[str, float] | None = None,
        guesses: int = 1,
        device: str = "cpu",
    ) -> "Recognizer":
        """Load a model folder, or a shipped base by its name; the options are those of the class.

        It computes, and adapts, on the `device`: cpu, cuda, cuda:N or auto. Raises CheckpointError; TextError as the
        class; ConfigError for a device that is not there.
        """
        checkpoint = load_checkpoint(model).on(device_of(device))
        return cls(checkpoint, greedy=greedy, self_adapt=self_adapt, hot=hot, guesses=guesses)

    def save(self, folder: str | Path, *, replace: bool = False) -> None:
        """Write the model folder, whole or not at all. Raises CheckpointError."""
        save_checkpoint(folder, self.checkpoint, replace=replace)

    def adapt(
        self,
        clips: str | Path | Manifest,
        *,
        effort: Effort = "usual",
        minutes: float | None = None,
        language: str | None = None,
        rules: TextRules | None = None,
        plan: Plan | None = None,
        steps: int | None = None,
        tune: float | None = None,
        usual: bool = False,
        text: str | Path | None = None,
        texts: Sequence[str] = (),
        words: bool = True,
        greedy: bool = False,
        speak: int | None = None,
        unlabelled: str | Path | Manifest | None = None,
        keep_sound: bool = True,
        seed: int = 0,
        state: Path | None = None,
        progress: Progress | None = None,
        watch: Callable[[Brought], None] | None = None,
    ) -> "Recognizer":
        """A new recogniser, adapted to transcribed clips (a Manifest, or what `read_clips` reads).

        `effort` and the options are those of `earful.adapt.effort.adapt_by`; what it measured is the new recogniser's
        `report`. `language` is a code such as "mk", for the `rules`. `text` is a file of other text in the language,
        beside the sentences `texts`. It learns from recordings without transcripts, too: `unlabelled`, a folder or a
        Manifest, and with the effort "best" those in a folder of clips. With `usual` a meta-trained base does not adapt
        as it has learned. Raises as that.
        """
        manifest = clips if isinstance(clips, Manifest) else read_clips(clips)
        best = effort == "best"
        place = Path(clips) if best and not isinstance(clips, Manifest) else None
        recordings = recordings_of(place, manifest, unlabelled) if best or unlabelled is not None else None
        if best:
            manifest = manifest.filter(lambda u: bool((u.text or "").strip()))
        written = rules or self.checkpoint.config.rules
        checkpoint, report = adapt_by(
            effort,
            replace(self.checkpoint, inner=None) if usual else self.checkpoint,
            manifest,
            minutes=minutes,
            rules=replace(written, language=language) if language else rules,
            plan=plan,
            steps=steps,
            tune=tune,
            texts=[*texts, *(read_sentences(text) if text is not None else ())],
            words=words,
            greedy=greedy,
            speak=speak,
            recordings=recordings,
            keep_sound=keep_sound,
            seed=seed,
            state=state,
            progress=progress,
            watch=watch,
        )
        return Recognizer(checkpoint.on(self.checkpoint.device), report)

    def transcribe(
        self,
        audio: Audio | Samples | tuple[NDArray[Any], int],
        channel: Channel | Literal["each"] = "auto",
        *,
        silences: bool = False,
        denoise: bool = False,
        advance: Callable[[float], None] | None = None,
    ) -> Transcript:
        """Transcribe a recording of any length, in bounded memory beside what is given.

        `audio` is a path, the bytes of a file, a file opened in binary mode, float samples `[T]` of 16 kHz mono, or
        samples `[T]` or `[T, C]` and their rate in Hz. `channel`: that of `audio.files.read`, or "each", as the speaker
        that each word has. Two seconds and more in which nobody speaks (`audio.silence`) are left out, so that nothing
        is written there, unless `silences`. `denoise` suppresses steady noise first. `advance` is told the seconds of
        each window that was heard. `earful.writers.formats.render` makes text, subtitles, ELAN's files … of it.

        Raises:
            AudioError: the recording cannot be read, or the samples are no finite sound.
            ConfigError: guesses were asked for, of each channel.
        """
        if isinstance(audio, np.ndarray):
            pieces = _heard(_slices(_checked(audio)), denoise, advance)
            return self.transcribe_blocks(pieces, silences=silences)
        source = from_samples(*audio) if isinstance(audio, tuple) else source_of(audio)

        def one(number: Channel) -> Transcript:
            pieces = _heard(blocks(source, WINDOW_S, number), denoise, advance)
            return self.transcribe_blocks(pieces, silences=silences)

        if channel != "each":
            return one(channel)
        if self._guesses > 1:
            raise ConfigError("guesses are of one channel, not of each; name one, as with --channel left")
        return together({f"speaker {n}": one(n) for n in range(1, probe(source).channels + 1)})

    def transcribe_blocks(self, pieces: Iterable[Samples], *, silences: bool = False) -> Transcript:
        """Transcribe consecutive blocks of samples, each WINDOW_S long but the last.

        Raises:
            AudioError: there are no samples.
        """
        parts = windows(map(_tensor, pieces), round(CONTEXT_S * SAMPLE_RATE_HZ))
        return self._transcript(parts, 1 / SAMPLE_RATE_HZ, self.frames_of, None if silences else spoken)

    def frames_of(self, samples_T: Tensor) -> Tensor:
        """The frames `[F, M]` that the model takes, of samples `[T]`: for clips that are decoded more than once."""
        return self._model.frames_of(samples_T)

    def transcribe_many(self, frames: Iterable[Tensor]) -> Iterator[str]:
        """The texts of clips given by their features `[F, M]`, of any length: what scoring needs."""
        hop_s = self.checkpoint.config.features.hop_s
        for frames_FM in frames:
            parts = windows(torch.split(frames_FM, round(WINDOW_S / hop_s)), round(CONTEXT_S / hop_s))
            yield self._transcript(parts, hop_s, lambda window_FM: window_FM).text

    def _transcript(
        self,
        recording: Iterable[Window],
        unit_s: float,
        frames_of: Callable[[Tensor], Tensor],
        spoken: Callable[[Samples], NDArray[np.bool_]] | None = None,
    ) -> Transcript:
        """Decode windows whose positions count units of `unit_s`; `frames_of` gives the features of their content.

        Stretches of the content that are not `spoken` (by GRID_S) are left out, and nothing is written there.
        """
        tapes, duration_s = list[Tape](), 0.0
        for window in recording:
            own = window.own(unit_s, self.checkpoint.config.output_hop_s)
            logp_FV, heard_F = self._listen(window.content, frames_of, spoken)
            kept = (heard_F[own], *self._kept(logp_FV[own]))
            tapes = tapes or [Tape() for _ in kept]
            for tape, part in zip(tapes, kept, strict=True):
                tape.add(part)
            duration_s = window.end * unit_s
        if not tapes:
            raise AudioError("the recording holds no samples; record it again or leave it out")
        heard_F, *whole = (tape.whole() for tape in tapes)
        best, *others = self._decoded(whole, heard_F)
        words = tuple(self._written(self._words(best, duration_s)))
        mean = sum(word.confidence for word in words) / len(words) if words else 0.0
        text = self._text(words)
        guesses = (text, *(self._text(self._written(self._words(each, duration_s))) for each in others))
        return Transcript(text, words, mean, duration_s, guesses if self._guesses > 1 else ())

    def _text(self, words: Iterable[Word]) -> str:
        text = " ".join(word.text for word in words)
        return text if self.checkpoint.config.rules.writing != "characters" else between_scripts(text)

    def _decoded(self, whole: Sequence[Tensor], heard_F: Tensor) -> list[Said]:
        """Letters of a whole recording, by what was kept of its windows: the best first, then other guesses."""
        if self._search is None:
            best_F, p_F = whole
            return [merge_stretches(best_F, p_F, heard_F)]
        (logp_FV,) = whole
        return search_stretches(self._search, logp_FV, heard_F, self._guesses)

    def _ready(self, hot: Mapping[str, float]) -> Search | None:
        """The search; None where there is nothing to search for: the best path does."""
        config, language = self.checkpoint.config, self._language
        size, boosts = config.alphabet.size, {normalize(each, config.rules): boost for each, boost in hot.items()}
        tree = hot_tree(boosts, config.alphabet)
        if language is not None:
            return Search(size, language.ngram, language.words, language.weight, language.bonus, tree)
        return Search(size, hot=tree) if hot or self._guesses > 1 else None

    def _kept(self, logp_FV: Tensor) -> tuple[Tensor, ...]:
        """What is kept of a window: the best path, or all for a search."""
        return best_path(logp_FV) if self._search is None else (logp_FV.half(),)

    def _listen(
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
        device = self.checkpoint.device
        frames_FM = frames_FM.to(device)
        fitted = fit(self._model, frames_FM, self._self_adapt) if self._self_adapt else {}
        with torch.no_grad(), fast_arithmetic(device):
            clip = (frames_FM[None], torch.tensor([len(frames_FM)], device=device))
            logp_BFV, _ = functional_call(self._model, fitted, clip)
        return logp_BFV[0].to(CPU)  # type: ignore[no-any-return]

    def _words(self, said: Said, duration_s: float) -> list[Word]:
        """The words, with their times and confidences. No word reaches beyond the end of the recording."""
        symbols, hop_s = self.checkpoint.config.alphabet.symbols, self.checkpoint.config.output_hop_s
        letters, language = [word for stretch in said for word in self._spelt(stretch)], self._language
        texts = ["".join(symbols[e.symbol - 1] for e in word) for word in letters]
        known = (language.ngram, language.words) if language else (None, None)
        sure = confidences(clues_of(letters, texts, *known), language.shift if language else self.checkpoint.shift)
        frames = (said_in(word, round(LONGEST_GAP_S / hop_s)) for word in letters)
        times = [(min(start * hop_s, duration_s), min(end * hop_s, duration_s)) for start, end in frames]
        return [Word(text, *each, p) for text, each, p in zip(texts, times, sure, strict=True)]

    def _spelt(self, emissions: Iterable[Emission]) -> Iterator[list[Emission]]:
        """Letters between spaces; of pinyin, up to a tone, after which a space may have been forgotten."""
        symbols, pinyin = self.checkpoint.config.alphabet.symbols, self.checkpoint.config.rules.writing != "given"
        letters: list[Emission] = []
        for emission in (*emissions, None):
            symbol = symbols[emission.symbol - 1] if emission else " "
            if letters and (symbol.isspace() or (pinyin and symbols[letters[-1].symbol - 1] in TONES)):
                yield letters
                letters = []
            if emission and not symbol.isspace():
                letters.append(emission)

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


def _joined(text: str, syllables: Sequence[Word]) -> Word:
    """One word of several syllables; what stayed pinyin has its accent."""
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
    """The windows, one by one, as they are wanted; tells how long each was."""
    for piece_T in pieces:
        yield suppressed(piece_T) if denoise else piece_T
        if advance:
            advance(len(piece_T) / SAMPLE_RATE_HZ)


def _tensor(samples_T: Samples) -> Tensor:
    """A copy, since torch takes no array that is read-only or runs backwards."""
    return torch.from_numpy(samples_T.astype(np.float32, order="C"))
