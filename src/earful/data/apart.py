"""Which clips belong together when some of them measure: what one of them teaches would flatter the rate of another.

Clips with the same sentence, the same sound (a copy of it, in another format too) and spans of one recording that
overlap are one group; so are the clips of one speaker, where there are enough speakers for that.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from math import inf
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from earful.data.utterance import Utterance

Voices = Literal["new", "met", "unknown"]
"""Whether clips that measure are of speakers that are not learned from."""

ENOUGH_VOICES = 4
"""So many groups that share no speaker are enough to keep speakers apart: with fewer, a voice or two would tell."""
MOST_OF_A_VOICE = 0.5
"""No group of a speaker may have more of the clips: too little would be left to learn from."""

_PIECES, _COPY = 16, 0.85
"""Two Dutch clips are at most 0.78 alike by the means of so many pieces, a clip and its MP3 or Ogg 0.9 and more."""

_OVERLAP_S = 0.02  # spans that touch by rounding share no speech


class Apart(NamedTuple):
    """The group of each clip, counted from 0 in the order in which they come; and what that says of voices."""

    groups: tuple[int, ...]
    voices: Voices

    @property
    def parts(self) -> int:
        """How many groups there are."""
        return len(set(self.groups))


def apart(
    clips: Sequence[Utterance], texts: Sequence[str], frames: Sequence[Tensor] = (), *, least: int = ENOUGH_VOICES
) -> Apart:
    """The groups of `groups_of`; of speakers, too, where that leaves enough to measure with.

    That is where every clip names its speaker, and at least `least` groups remain, none with more than half of them.
    """
    ties = _ties(clips, texts, frames)
    groups = joined(len(clips), ties)
    speakers = [u.speaker for u in clips]
    if not all(speakers):
        return Apart(groups, "unknown")
    of_speakers = joined(len(clips), [*ties, *_equal([speaker or "" for speaker in speakers])])
    largest = max(Counter(of_speakers).values(), default=0)
    enough = len(set(of_speakers)) >= least and largest <= MOST_OF_A_VOICE * len(clips)
    return Apart(of_speakers, "new") if enough else Apart(groups, "met")


def groups_of(clips: Sequence[Utterance], texts: Sequence[str], frames: Sequence[Tensor] = ()) -> tuple[int, ...]:
    """The group of each clip, by sentence and sound: `texts` are the transcripts, normalised, copies told by `frames`.

    `frames` are `[F, M]` of each clip; without them only spans of one file are known to share their sound.
    """
    return joined(len(clips), _ties(clips, texts, frames))


def _ties(clips: Sequence[Utterance], texts: Sequence[str], frames: Sequence[Tensor]) -> list[tuple[int, int]]:
    return [*_equal(texts), *_overlapping(clips), *_copies(frames)]


def joined(count: int, ties: Iterable[tuple[int, int]]) -> tuple[int, ...]:
    """The group of each of so many, where those of a tie are in one; counted from 0 in the order in which they come.

    >>> joined(5, [(0, 3), (3, 4)])
    (0, 1, 2, 0, 0)
    """
    owner = list(range(count))

    def root(of: int) -> int:
        while owner[of] != of:
            owner[of] = of = owner[owner[of]]
        return of

    for one, other in ties:
        first, last = sorted((root(one), root(other)))
        owner[last] = first
    numbers: dict[int, int] = {}
    return tuple(numbers.setdefault(root(i), len(numbers)) for i in range(count))


def _equal(values: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Ties of those that are the same, and not empty."""
    first: dict[str, int] = {}
    for i, value in enumerate(values):
        if value and first.setdefault(value, i) != i:
            yield first[value], i


def _overlapping(clips: Sequence[Utterance]) -> Iterator[tuple[int, int]]:
    """Ties of spans that share some of one recording; of two channels of it, too: each hears the other."""
    spans: dict[str, list[tuple[float, float, int]]] = defaultdict(list)
    for i, clip in enumerate(clips):
        end_s = inf if clip.duration_s is None else clip.start_s + clip.duration_s
        spans[str(clip.audio)].append((clip.start_s, end_s, i))
    for of_one in spans.values():
        reach_s, farthest = -inf, -1
        for start_s, end_s, i in sorted(of_one):
            if start_s < reach_s - _OVERLAP_S:
                yield farthest, i
            if end_s > reach_s:
                reach_s, farthest = end_s, i


def _copies(frames: Sequence[Tensor]) -> Iterator[tuple[int, int]]:
    """Ties of clips that sound the same: of like length, with nearly the same means of each sixteenth."""
    order = sorted((len(each), i) for i, each in enumerate(frames) if len(each) >= _PIECES)
    if len(order) < 2:
        return
    marks_CP = torch.stack([_mark(frames[i]) for _, i in order])
    likeness_CC = marks_CP @ marks_CP.T
    for one, other in (likeness_CC.triu(1) > _COPY).nonzero().tolist():
        if order[other][0] <= 1.05 * order[one][0] + 1:
            yield order[one][1], order[other][1]


def _mark(frames_FM: Tensor) -> Tensor:
    """The shape of the spectrum in each piece of a clip, around that of the whole, as one vector of length 1."""
    bounds = [len(frames_FM) * piece // _PIECES for piece in range(_PIECES + 1)]
    shapes_FM = frames_FM.float() - frames_FM.float().mean(1, keepdim=True)
    means = torch.stack([shapes_FM[a:b].mean(0) for a, b in pairwise(bounds)])
    mark: Tensor = (means - shapes_FM.mean(0)).flatten()
    return mark / float(mark.norm().clamp(min=1e-9))
