"""The training data of an adaptation: frames of the usable clips and of their augmented copies."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from earful.audio.augment import Augmentation
from earful.ctc.lattice import frames_needed
from earful.data.batch import Example
from earful.data.frames import Front, compute_clips
from earful.data.manifest import Manifest
from earful.errors import AdaptationError
from earful.model import ModelConfig
from earful.text.normalize import normalize

Progress = Callable[[str, int, int], None]

LONGEST_S = 60.0
"""Longer clips are left out: the memory of attention grows with the square of the length."""

NO_TEXT = "no transcript"
TOO_FAST = "a transcript longer than the sound can carry"
TOO_LONG = f"more than {LONGEST_S:.0f} s of sound"


@dataclass(frozen=True)
class Heard:
    """The usable clips, their normalised texts and features, and the ids of the other clips by reason."""

    clips: Manifest
    texts: tuple[str, ...]
    frames: tuple[Tensor, ...]
    left_out: Mapping[str, tuple[str, ...]]

    @property
    def frame_count(self) -> int:
        """The number of frames of all clips together."""
        return sum(map(len, self.frames))

    def only(self, indexes: Sequence[int]) -> "Heard":
        """Only the clips with these numbers."""
        clips = Manifest(tuple(self.clips[i] for i in indexes))
        texts, frames = tuple(self.texts[i] for i in indexes), tuple(self.frames[i] for i in indexes)
        return Heard(clips, texts, frames, self.left_out)


def listen(clips: Manifest, config: ModelConfig, front: Front, tell: Progress) -> Heard:
    """Compute the frames of all clips, and leave out unusable ones. `config.rules` normalise the texts.

    Raises:
        AdaptationError: no clip is usable. AudioError: a recording cannot be read.
    """
    texts = [normalize(u.text or "", config.rules) for u in clips]
    frames: list[Tensor] = []
    for clip in compute_clips(clips, front):
        frames.append(clip.frames_FM)
        tell("listening", len(frames), len(clips))
    reasons = [_problem(text, len(rows), config) for text, rows in zip(texts, frames, strict=True)]
    kept = [i for i, reason in enumerate(reasons) if reason is None]
    left_out = {
        reason: tuple(u.id for u, found in zip(clips, reasons, strict=True) if found == reason)
        for reason in dict.fromkeys(filter(None, reasons))
    }
    if not kept:
        raise _nothing(left_out, len(clips))
    return Heard(clips, tuple(texts), tuple(frames), left_out).only(kept)


def vary(
    heard: Heard,
    config: ModelConfig,
    front: Front,
    *,
    copies: int,
    augmentation: Augmentation,
    seed: int,
    tell: Progress,
) -> list[list[Example]]:
    """For each clip: itself and `copies` augmented copies, with labels in the alphabet of `config`."""
    labels = [tuple(config.alphabet.encode(text)) for text in heard.texts]
    examples = [[Example(*pair)] for pair in zip(heard.frames, labels, strict=True)]
    wanted = [u for _ in range(copies) for u in heard.clips]
    for number, clip in enumerate(compute_clips(wanted, front, augmentation=augmentation, seed=seed + 1)):
        own = number % len(examples)
        examples[own].append(Example(clip.frames_FM, labels[own]))
        tell("augmenting", number + 1, len(wanted))
    return examples


def _problem(text: str, frame_count: int, config: ModelConfig) -> str | None:
    """The reason why a clip is unusable, or None."""
    if not text:
        return NO_TEXT
    if frame_count * config.features.hop_s > LONGEST_S:
        return TOO_LONG
    return TOO_FAST if frames_needed(text) > config.output_count(frame_count) else None


def _nothing(left_out: Mapping[str, Sequence[str]], count: int) -> AdaptationError:
    if not count:
        return AdaptationError("there are no clips to adapt to; give recordings with transcripts")
    reasons = ", ".join(f"{len(ids)} with {reason}" for reason, ids in left_out.items())
    return AdaptationError(f"none of the {count} clips can be used: {reasons}; `earful check CLIPS` names them")
