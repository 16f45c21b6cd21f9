"""Other training speech beside the user's clips: synthetic, or transcribed by a recogniser.

It is never used for measuring. The user's clips keep a fixed share of every epoch, however much other speech there is.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from earful.adapt.clips import Heard
from earful.adapt.finetune import Plan
from earful.data.batch import Example
from earful.data.manifest import Manifest
from earful.data.utterance import Utterance
from earful.model import ModelConfig
from earful.text.alphabet import Alphabet
from earful.text.normalize import normalize

COPIES = 1
"""Augmented copies of a clip of other speech; there are many such clips, and each is seldom used."""
LONGER = 3
"""The factor by which there are more steps, since there is more training data."""

Copies = Sequence[Example]


def plan_beside(plan: Plan) -> Plan:
    """The plan with other speech beside the clips: more steps, and the batch size of large data."""
    return replace(plan, steps=LONGER * plan.steps, batch_s=max(plan.batch_s, Plan.batch_s))


def mixed(own: Sequence[Copies], beside: Sequence[Copies], share: float) -> list[Copies]:
    """Both together; the user's clips are repeated so that they are about `share` of the speech or more."""
    if not (own and beside):
        return [*own, *beside]
    wanted = share / (1 - share) * _frames(beside) / max(_frames(own), 1)
    return [*(clip for clip in own for _ in range(max(1, round(wanted)))), *beside]


def written_in(alphabet: Alphabet, heard: Heard) -> Heard:
    """The clips whose texts the alphabet can write."""
    known = set(alphabet.symbols)
    return heard.only([i for i, text in enumerate(heard.texts) if known.issuperset(text)])


def labelled(several: Iterable[Manifest]) -> Manifest:
    """All clips of several manifests, each once, with the transcript of the first manifest that has it."""
    found: dict[str, Utterance] = {}
    for clip in (u for each in several for u in each):
        found.setdefault(clip.id, clip)
    return Manifest(tuple(found.values()))


def said_by(clips: Iterable[Utterance], known: Mapping[str, Copies], config: ModelConfig) -> list[Copies]:
    """The clips whose ids are `known`, and their copies, with their own transcripts."""
    found: list[Copies] = []
    for clip in clips:
        if copies := known.get(clip.id):
            labels = tuple(config.alphabet.encode(normalize(clip.text or "", config.rules)))
            found.append([Example(copy.frames_FM, labels) for copy in copies])
    return found


def in_all(clips: Iterable[Utterance], others: Sequence[Manifest]) -> list[Utterance]:
    """The clips that are in all the others too, with the same transcript."""
    texts = [{u.id: u.text for u in each} for each in others]
    return [u for u in clips if all(each.get(u.id) == u.text for each in texts)]


def _frames(clips: Sequence[Copies]) -> int:
    return sum(len(copies[0].frames_FM) for copies in clips)
