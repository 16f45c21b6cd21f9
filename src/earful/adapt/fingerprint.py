"""The fingerprint of an adaptation: the name of its state on disk."""

from collections.abc import Iterable, Sequence

from earful.adapt.clips import Heard
from earful.adapt.finetune import Plan
from earful.audio.augment import Augmentation
from earful.checkpoint import Checkpoint
from earful.data.utterance import Utterance
from earful.device import CPU
from earful.identity import digest, digest_of_arrays, digest_of_tensors
from earful.train import SAVED_AS


def fingerprint(
    base: Checkpoint,
    heard: Heard,
    plan: Plan,
    augmentation: Augmentation,
    seed: int,
    beside: Iterable[Utterance] = (),
    words: Sequence[str] = (),
) -> str:
    """The name of this run's state; other frames of clips, another base or another plan give another name."""
    learned = digest_of_tensors(base.inner.learned) if base.inner else None
    weights = [digest_of_tensors(base.on(CPU).params), learned, base.config]
    clips = [[str(u.audio), u.start_s, u.duration_s, u.speaker] for u in heard.clips]
    frames = digest_of_arrays(each.numpy() for each in heard.frames)
    others = [[str(u.audio), u.start_s, u.duration_s, u.text] for u in beside]
    return digest([SAVED_AS, weights, clips, frames, heard.texts, plan, augmentation, seed, others, list(words)])
