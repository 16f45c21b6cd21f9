"""What tells one adaptation from another: the name of its state on disk."""

import hashlib
import json
from collections.abc import Iterable, Sequence

from earful.adapt.clips import Heard
from earful.adapt.finetune import Plan
from earful.audio.augment import Augmentation
from earful.checkpoint import Checkpoint
from earful.config import to_mapping
from earful.data.utterance import Utterance
from earful.device import CPU


def fingerprint(
    base: Checkpoint,
    heard: Heard,
    plan: Plan,
    augmentation: Augmentation,
    seed: int,
    beside: Iterable[Utterance] = (),
    words: Sequence[str] = (),
) -> str:
    """Names the state of this very run: other clips, another base or another plan do not meet it."""
    weights = [float(value.double().sum()) for value in base.on(CPU).params.values()]
    clips = [[str(u.audio), u.start_s, u.duration_s, u.speaker] for u in heard.clips]
    others = [[str(u.audio), u.start_s, u.duration_s, u.text] for u in beside]
    what = [weights, to_mapping(base.config), clips, heard.texts, to_mapping(plan), to_mapping(augmentation), seed]
    return hashlib.sha256(json.dumps([*what, others, list(words)]).encode()).hexdigest()[:16]
