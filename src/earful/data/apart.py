"""Groups of clips that must stay together in a held-out split: a clip in training would lower the rate of its group.

Clips with the same sentence, the same sound (also a copy in another format), and overlapping spans of one recording
are one group. So are the clips of one speaker, if there are enough speakers for that.
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
"""Whether held-out clips are of speakers that are not in training."""

ENOUGH_VOICES = 4
"""The least number of groups of speakers that are kept apart: with fewer, one or two voices would decide."""
MOST_OF_A_VOICE = 0.5
"""The largest share of the clips in one speaker's group: with more, too little would be left for training."""

_PIECES, _COPY = 16, 0.85
"""Two Dutch clips are at most 0.78 alike by the means of so many pieces, a clip and its MP3 or Ogg 0.9 and more."""

_OVERLAP_S = 0.02  # spans that touch by rounding share no speech


class Apart(NamedTuple):
    """The group of each clip, numbered from 0 in order of appearance; and what that means for voices."""

    groups: tuple[int, ...]
    voices: Voices

    @property
    def parts(self) -> int:
        """The number of groups."""
        return len(set(self.groups))


def apart(
    clips: Sequence[Utterance], texts: Sequence[str], frames: Sequence[Tensor] = (), *, least: int = ENOUGH_VOICES
) -> Apart:
    """The groups of `groups_of`, also joined by speaker if that leaves enough groups.

    That needs a speaker for every clip, and at least `least` groups, none with more than half of the clips.
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
    """The group of each clip, by sentence and sound: `texts` are the normalised transcripts; `frames` show copies.

    `frames` are `[F, M]` of each clip; without them only spans of one file are known to share their sound.
    """
    return joined(len(clips), _ties(clips, texts, frames))


def _ties(clips: Sequence[Utterance], texts: Sequence[str], frames: Sequence[Tensor]) -> list[tuple[int, int]]:
    return [*_equal(texts), *_overlapping(clips), *_copies(frames)]


def joined(count: int, ties: Iterable[tuple[int, int]]) -> tuple[int, ...]:
    """The group of each of `count` items, where tied items are in one group; numbered from 0 in order of appearance.

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
    """Ties of equal, non-empty items."""
    first: dict[str, int] = {}
    for i, value in enumerate(values):
        if value and first.setdefault(value, i) != i:
            yield first[value], i


def _overlapping(clips: Sequence[Utterance]) -> Iterator[tuple[int, int]]:
    """Ties of spans that overlap in one recording, also on two channels, because each hears the other."""
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
    """Ties of clips that sound the same: of similar length, with nearly the same means of each sixteenth."""
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
