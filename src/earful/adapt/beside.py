"""Other speech that is learned from beside the user's clips: said by a synthesiser, or believed of a recogniser.

It never measures anything. The clips stay in the lead: they keep a share of the speech in every epoch, however much
lies beside them.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from earful.adapt.clips import Heard
from earful.adapt.finetune import Plan
from earful.data.batch import Example
from earful.text.alphabet import Alphabet

COPIES = 1
"""Augmented copies of a clip that lies beside: there are many such clips, and each comes seldom."""
LONGER = 3
"""By how many times there are more steps: there is so much more to learn from."""
LEAST_SEEN = 5
"""A letter that only the other speech has is learned where it comes so often; below, it is of a foreign word."""

Copies = Sequence[Example]


def plan_beside(plan: Plan) -> Plan:
    """The plan where other speech lies beside the clips: more steps, and batches as for much speech."""
    return replace(plan, steps=LONGER * plan.steps, batch_s=max(plan.batch_s, Plan.batch_s))


def mixed(own: Sequence[Copies], beside: Sequence[Copies], share: float) -> list[Copies]:
    """All of it, each of the user's clips as often as keeps their share of the speech at `share` or more, nearly."""
    if not (own and beside):
        return [*own, *beside]
    wanted = share / (1 - share) * _frames(beside) / max(_frames(own), 1)
    return [*(clip for clip in own for _ in range(max(1, round(wanted)))), *beside]


def widened(alphabet: Alphabet, texts: Iterable[str]) -> Alphabet:
    """The alphabet with letters that other `texts` use: a handful of transcripts does not hold them all.

    Only letters are taken: how a figure or a sign is said, nobody knows from its look.
    """
    counts = Counter("".join(texts))
    more = sorted(c for c, n in counts.items() if n >= LEAST_SEEN and c.isalpha() and c not in alphabet.symbols)
    return alphabet.extended(["".join(more)])


def written_in(alphabet: Alphabet, heard: Heard) -> Heard:
    """The clips whose texts the alphabet can write."""
    known = set(alphabet.symbols)
    return heard.only([i for i, text in enumerate(heard.texts) if known.issuperset(text)])


def _frames(clips: Sequence[Copies]) -> int:
    return sum(len(copies[0].frames_FM) for copies in clips)
