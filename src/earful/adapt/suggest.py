"""Which clips to transcribe next: those that teach a model the most per second of speech.

A base decodes phones, a recogniser letters, in untranscribed sound. The value of a set S of clips is

    f(S) = Σ_u w_u √m_u(S)

over the pairs u of neighbouring sounds. m_u counts the pair in S and in the transcribed clips. The root grows ever more
slowly, so a well covered pair adds little (a feature-based submodular function, Wei et al. 2014, "Submodular subset
selection for large-scale speech training data"). w_u is the root of the pair's share of all decoded pairs: a set of
given size is worth the most if its m_u are in proportion to these shares. A pair with a low confidence counts for more.
Clips are chosen greedily by their gain per second of speech (Lin and Bilmes 2010, "Multi-document summarization via
budgeted maximization of submodular functions", algorithm 1 with r = 1); the gain weighs more if the clip sounds unlike
those before it: another voice, another room. Gains never grow, so only the top one of a heap is computed again (Minoux
1978, the accelerated greedy algorithm).
"""

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf, sqrt
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from earful.adapt.clips import LONGEST_S as LONGEST_KNOWN_S
from earful.adapt.clips import Progress
from earful.adapt.start import is_recognizer
from earful.audio.files import SAMPLE_RATE_HZ, read
from earful.checkpoint import Checkpoint
from earful.ctc.greedy import greedy
from earful.data.check_sound import SILENCE_DBFS
from earful.data.manifest import Manifest
from earful.data.readers.sound import timed
from earful.data.utterance import Utterance
from earful.device import CPU, home_of, moved
from earful.errors import AdaptationError, AudioError, ConfigError
from earful.model import ENCODE, PHONES, TEXT, AcousticModel, fast_arithmetic
from earful.text.alphabet import Alphabet

SHORTEST_S, LONGEST_S = 1.0, 15.0
LEAST_SOUNDS_PER_S = 1.0
"""The least expected number of correct sounds per second: earful-tiny has five on real Dutch, and four fifths on white
and brown noise and on hum."""
UNSURE, UNLIKE = 1.0, 0.5
"""The largest additions: of doubt to the count of a pair, and of unlike sound to the gain of a clip.

A base without the language doubts sounds that are new to it, not those worth learning: on real Dutch, a weight for
doubt cost half of the gain of the choice by pairs. `bench/suggest.py` compares the choice with others.
"""

TRANSCRIBED = "transcribed already"
TOO_SHORT = f"shorter than {SHORTEST_S:g} s"
TOO_LONG = f"longer than {LONGEST_S:g} s"
UNREADABLE = "unreadable"
SILENT = "silent, or nearly so"
_TOUCH_S = 0.01  # clips of one recording with less overlap count as adjacent
_EDGE = ""  # the neighbour of the first and the last sound

Pair = tuple[str, str]


@dataclass(frozen=True)
class LeftOut:
    """A clip that is not suggested, one of the reasons above, and details."""

    clip: Utterance
    reason: str
    detail: str = ""


class Hearing(NamedTuple):
    """A decoded clip: its sounds, the probability of each, and its mean hidden frame."""

    clip: Utterance
    seconds: float
    sounds: tuple[str, ...]
    confidences: tuple[float, ...]
    summary_D: Tensor

    @property
    def unsure(self) -> float:
        """The share of the sounds that the model expects to be wrong."""
        return 1 - sum(self.confidences) / len(self.confidences)

    def pairs(self, doubt: float) -> Counter[Pair]:
        """The count of each pair of neighbouring sounds; a pair that is surely wrong counts 1 + doubt times."""
        sounds, sure = (_EDGE, *self.sounds, _EDGE), (1.0, *self.confidences, 1.0)
        found: Counter[Pair] = Counter()
        for pair, (left, right) in zip(pairwise(sounds), pairwise(sure), strict=True):
            found[pair] += 1 + doubt * (1 - left * right)  # type: ignore[assignment]  # typed for whole numbers
        return found


@dataclass(frozen=True)
class Suggestion:
    """A clip to transcribe, with the reasons.

    `heard` are its sounds; `new_sounds` are those, and `new_pairs` the number of their pairs, that no clip before it
    has (suggested, or already transcribed). `unsure` is the share of its sounds that the model expects to be wrong.
    `unlike` is the distance of its sound from the most similar clip before it, from 0 to 1 (1 for the first).
    """

    clip: Utterance
    heard: tuple[str, ...]
    new_sounds: tuple[str, ...]
    new_pairs: int
    unsure: float
    unlike: float


@dataclass(frozen=True)
class Suggested:
    """Suggestions, the best first; the number of clips to choose from; and the clips that were left out."""

    suggestions: tuple[Suggestion, ...]
    candidates: int
    left_out: tuple[LeftOut, ...]

    @property
    def seconds(self) -> float:
        """Seconds of all suggested clips."""
        return sum(each.clip.duration_s or 0.0 for each in self.suggestions)


def suggest(
    checkpoint: Checkpoint,
    clips: Manifest,
    *,
    count: int | None = None,
    seconds: float | None = None,
    known: Manifest | None = None,
    tell: Progress | None = None,
) -> Suggested:
    """Rank `clips` by how much their transcription would teach: the best `count`, or the best `seconds` of speech.

    Texts of `clips` are not read. The sounds of the clips `known` count as covered, and the same parts of recordings
    are not suggested again. Clips are left out if they cannot be read, are shorter than 1 s or longer than 15 s, or
    have hardly any speech. With fewer than `count` clips all are ranked. `tell(stage, done, total)` is called along the
    way.

    Raises:
        AdaptationError: no clip can be suggested.
        ConfigError: not exactly one of `count` and `seconds` is given, or it is not above 0.

    >>> found = suggest(load_checkpoint("earful-base"), read_recordings("talks"), count=20)  # doctest: +SKIP
    >>> found.suggestions[0].clip.audio  # doctest: +SKIP
    PosixPath('talks/story-07.wav')
    """
    limit = seconds if count is None else count
    if limit is None or None not in (count, seconds) or not 0 < limit < inf:
        raise ConfigError("give either a number of clips or seconds of speech to suggest, above 0")
    clips, known, left_out = timed(clips), timed(known or ()), list[LeftOut]()
    listener = Listener(checkpoint)
    heard = list(_listen(listener, list(_fitting(clips, known, left_out)), "listening", tell, left_out))
    if not heard:
        raise _nothing(left_out)
    learnable = [clip for clip in known if (clip.duration_s or 0.0) <= LONGEST_KNOWN_S]
    covered = list(_listen(listener, learnable, "listening to what is transcribed", tell, []))
    doubt = UNSURE if is_recognizer(checkpoint) else 0.0
    suggestions = tuple(rank(heard, covered, count=count, seconds=seconds, doubt=doubt))
    if not suggestions:
        shortest_s = min(each.seconds for each in heard)
        raise AdaptationError(
            f"no clip is as short as {seconds:g} s, the shortest lasts {shortest_s:.1f} s; ask for more"
        )
    return Suggested(suggestions, len(heard), tuple(left_out))


class Listener:
    """A model that decodes sounds: a base phones, a recogniser (or a base without phones) letters."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        phones = None if is_recognizer(checkpoint) else checkpoint.config.phones
        self.symbols: Alphabet = phones or checkpoint.config.alphabet
        self._head = PHONES if phones else TEXT
        self._model: AcousticModel = checkpoint.build()

    def hear(self, clip: Utterance) -> Hearing | LeftOut:
        """Decode one clip; it is left out if it cannot be read or has hardly any speech."""
        try:
            samples_T = torch.from_numpy(read(clip.audio, clip.start_s, clip.duration_s, clip.channel))
        except (AudioError, OSError) as error:
            return LeftOut(clip, UNREADABLE, str(error).removeprefix(f"{clip.audio}: "))
        frames_FM = self._model.frames_of(samples_T)
        seconds = len(samples_T) / SAMPLE_RATE_HZ
        if float(samples_T.abs().max()) < 10 ** (SILENCE_DBFS / 20) or not len(frames_FM):
            return LeftOut(clip, SILENT)
        device = home_of(self._model)
        with torch.no_grad(), fast_arithmetic(device):
            hidden_BFD, _ = self._model(*moved((frames_FM[None], torch.tensor([len(frames_FM)])), device), ENCODE)
            said = greedy(self._model.heads[self._head](hidden_BFD)[0].to(CPU))
        sounds = tuple(self.symbols.symbols[each.symbol - 1] for each in said)
        confidences = tuple(each.confidence for each in said)
        if sum(confidences) < LEAST_SOUNDS_PER_S * seconds:
            return LeftOut(clip, SILENT, f"{sum(confidences):.1f} sounds in {seconds:.1f} s")
        return Hearing(clip, seconds, sounds, confidences, hidden_BFD[0].to(CPU).float().mean(0))


def rank(
    heard: Sequence[Hearing],
    covered: Sequence[Hearing] = (),
    *,
    count: int | None = None,
    seconds: float | None = None,
    doubt: float = 0.0,
) -> Iterator[Suggestion]:
    """Choose clips greedily, the best first, up to `count` clips, or until none fits into the rest of `seconds`.

    Sounds of the clips `covered` are not new. `doubt` is the additional count of a pair that is surely wrong.
    """
    cover, taken, left_s = _Cover(heard, covered, doubt), 0, inf if seconds is None else seconds
    waiting = [(-cover.gain(place), place, taken) for place in range(len(heard))]
    heapq.heapify(waiting)
    while waiting and taken < (inf if count is None else count):
        _, place, renewed = heapq.heappop(waiting)
        if heard[place].seconds > left_s + _TOUCH_S:
            continue  # the rest never grows
        if renewed < taken:
            heapq.heappush(waiting, (-cover.gain(place), place, taken))
            continue
        yield cover.take(place)
        taken, left_s = taken + 1, left_s - heard[place].seconds


class _Cover:
    """The pairs that a growing set of clips covers, starting with the transcribed ones, and the gains of others."""

    def __init__(self, heard: Sequence[Hearing], covered: Sequence[Hearing], doubt: float) -> None:
        everything = [*heard, *covered]
        self._heard, self._pairs = heard, [each.pairs(doubt) for each in everything]
        total = _total(self._pairs)
        self._weights = {pair: sqrt(count / total.total()) for pair, count in total.items()}
        self._met = _total(self._pairs[len(heard) :])
        self._sounds = {sound for each in covered for sound in each.sounds}
        self._summaries_ND = _directions(torch.stack([each.summary_D for each in everything]))
        cosines_NN = self._summaries_ND @ self._summaries_ND[len(heard) :].T
        self._nearest_N = cosines_NN.amax(1).clamp(min=0) if covered else torch.zeros(len(everything))

    def gain(self, place: int) -> float:
        """The gain of a clip per second; it never grows as clips are taken."""
        met, weights = self._met, self._weights
        added = sum(weights[u] * (sqrt(met[u] + n) - sqrt(met[u])) for u, n in self._pairs[place].items())
        return added * (1 + UNLIKE * self._unlike(place)) / self._heard[place].seconds

    def take(self, place: int) -> Suggestion:
        """Take a clip, and return what was new in it."""
        hearing, pairs, unlike = self._heard[place], self._pairs[place], self._unlike(place)
        new_sounds = tuple(sound for sound in dict.fromkeys(hearing.sounds) if sound not in self._sounds)
        new_pairs = sum(pair not in self._met for pair in pairs)
        self._met.update(pairs)
        self._sounds.update(hearing.sounds)
        cosines_N = self._summaries_ND @ self._summaries_ND[place]
        self._nearest_N = torch.maximum(self._nearest_N, cosines_N)
        return Suggestion(hearing.clip, hearing.sounds, new_sounds, new_pairs, hearing.unsure, unlike)

    def _unlike(self, place: int) -> float:
        return max(0.0, 1.0 - float(self._nearest_N[place]))


def _total(counts: Iterable[Counter[Pair]]) -> Counter[Pair]:
    total: Counter[Pair] = Counter()
    for each in counts:
        total.update(each)
    return total


def _directions(summaries_ND: Tensor) -> Tensor:
    """Summaries minus their mean, scaled to equal variance per dimension, as vectors of length 1."""
    spread_D = summaries_ND.std(0, correction=0).clamp(min=1e-6)
    return functional.normalize((summaries_ND - summaries_ND.mean(0)) / spread_D, dim=1)


def _fitting(clips: Manifest, known: Manifest, left_out: list[LeftOut]) -> Iterator[Utterance]:
    """The clips of suitable length that are not known; the others go to `left_out`."""
    spans: dict[Path, list[tuple[float, float]]] = defaultdict(list)
    for clip in known:
        spans[clip.audio.resolve()].append(_span(clip))
    for clip in clips:
        start_s, end_s = _span(clip)
        if any(min(end_s, end) - max(start_s, start) > _TOUCH_S for start, end in spans.get(clip.audio.resolve(), ())):
            left_out.append(LeftOut(clip, TRANSCRIBED))
        elif clip.duration_s is not None and not SHORTEST_S <= clip.duration_s <= LONGEST_S:
            left_out.append(LeftOut(clip, TOO_SHORT if clip.duration_s < SHORTEST_S else TOO_LONG))
        else:
            yield clip


def _span(clip: Utterance) -> tuple[float, float]:
    return clip.start_s, inf if clip.duration_s is None else clip.start_s + clip.duration_s


def _listen(
    listener: Listener, clips: Sequence[Utterance], stage: str, tell: Progress | None, left_out: list[LeftOut]
) -> Iterator[Hearing]:
    for number, clip in enumerate(clips, 1):
        found = listener.hear(clip)
        if isinstance(found, Hearing):
            yield found
        else:
            left_out.append(found)
        if tell:
            tell(stage, number, len(clips))


def _nothing(left_out: Sequence[LeftOut]) -> AdaptationError:
    if not left_out:
        return AdaptationError("there are no clips to choose from; give recordings that are not transcribed")
    reasons = ", ".join(f"{count} {reason}" for reason, count in Counter(each.reason for each in left_out).items())
    return AdaptationError(
        f"none of the {len(left_out)} clips can be suggested: {reasons}; give clips of speech of {SHORTEST_S:g} to "
        f"{LONGEST_S:g} s, cut at pauses"
    )
