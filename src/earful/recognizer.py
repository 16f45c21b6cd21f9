"""Recognizer: load, transcribe, adapt, save. Most programs need nothing else of earful."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import final

import torch
from torch import Tensor

from earful.adapt.brought import Brought
from earful.adapt.clips import Progress
from earful.adapt.effort import Effort, adapt_by, recordings_of
from earful.adapt.finetune import Plan
from earful.adapt.report import AdaptReport
from earful.adapt.self_adapt import SelfAdaptation, fit_to
from earful.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from earful.ctc.greedy import Numbers
from earful.data.clips import read_clips
from earful.data.manifest import Manifest
from earful.data.synthesis.sentences import read_sentences
from earful.device import device_of
from earful.features.windows import CONTEXT_S as CONTEXT_S
from earful.features.windows import WINDOW_S as WINDOW_S
from earful.features.windows import windows
from earful.model import logp_of
from earful.text.normalize import TextRules
from earful.transcriber import Samples as Samples
from earful.transcriber import Transcriber, Writing


@final
class Recognizer(Transcriber):
    """A recogniser of one language, accent or voice. Immutable: `adapt` returns a new one.

    >>> recognizer = Recognizer.load("earful-base").adapt("clips/")     # doctest: +SKIP
    >>> recognizer.transcribe("new.wav").text                           # doctest: +SKIP

    `greedy` leaves the language model out. With `self_adapt` (True, or settings) it adapts to each window before it
    transcribes it, and then returns to its weights (`adapt.self_adapt`). `hot` are words or phrases to make likelier,
    each with a bonus per letter in nats (`ctc.hot`). `guesses` is the number of texts for each recording.

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
        super().__init__(writing_of(checkpoint), greedy=greedy, hot=hot, guesses=guesses)
        self.checkpoint = checkpoint
        self.report = report
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
        class; ConfigError for a missing device.
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

        `effort` and the options are those of `earful.adapt.effort.adapt_by`; the new recogniser's `report` has its
        measurements. `language` is a code such as "mk", for the `rules`. `text` is a file of other text in the
        language, in addition to the sentences `texts`. It also learns from recordings without transcripts:
        `unlabelled`, a folder or a Manifest, and with the effort "best" those in the folder of clips. With `usual` a
        meta-trained base adapts in the usual way, without its learned steps. Raises as `adapt_by`.
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

    def frames_of(self, samples_T: Tensor) -> Tensor:
        """The model's input frames `[F, M]` of samples `[T]`, for clips that are decoded more than once."""
        return self._model.frames_of(samples_T)

    def transcribe_many(self, frames: Iterable[Tensor]) -> Iterator[str]:
        """The texts of clips, given by their features `[F, M]`, of any length; for scoring."""
        hop_s = self.checkpoint.config.features.hop_s
        for frames_FM in frames:
            pieces = (piece_FM.numpy() for piece_FM in torch.split(frames_FM, round(WINDOW_S / hop_s)))
            parts = windows(pieces, round(CONTEXT_S / hop_s))
            yield self._transcript(parts, hop_s, lambda window_FM: self._logp(torch.from_numpy(window_FM))).text

    def _logp_of(self, samples_T: Samples) -> Numbers:
        return self._logp(self.frames_of(torch.from_numpy(samples_T)))

    def _logp(self, frames_FM: Tensor) -> Numbers:
        """Log-probabilities `[F', V]`."""
        if not len(frames_FM):
            return torch.zeros(0, self.checkpoint.config.alphabet.size).numpy()
        frames_FM = frames_FM.to(self.checkpoint.device)
        fitted = fit_to(self._model, frames_FM, self._self_adapt) if self._self_adapt else {}
        return logp_of(self._model, frames_FM, fitted).numpy()


def writing_of(checkpoint: Checkpoint) -> Writing:
    """How a model writes."""
    config = checkpoint.config
    return Writing(
        config.alphabet, config.rules, config.output_hop_s, checkpoint.shift, checkpoint.lexicon, checkpoint.language
    )
