"""Episodes: tasks drawn from utterances, each with clips to adapt on (support) and clips to measure with (query).

A draw depends only on (seed, number), so an interrupted run continues with the next number, without a state.
Problems are detected when the sampler is made, before any training.
"""

import hashlib
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

import torch

from earful.data.finding import listed
from earful.data.utterance import Utterance
from earful.errors import ConfigError, ManifestError
from earful.text.languages import canonical
from earful.text.normalize import TextRules, normalize

By = Literal["language", "speaker", "condition", "language+speaker", "language+condition", "speaker+condition"]
Apart = Literal["speaker", "text"]
Mark = tuple[str, object]

_TRIES, _DEALT = 50, 100_000  # deals of a task's clips: in a draw; and clips dealt in all, when the sampler is made


class Episode(NamedTuple):
    """Support, on which a task is adapted, and query, which measures it. A NamedTuple, so a pytree."""

    support: Any
    query: Any


@dataclass(frozen=True, kw_only=True)
class Shots:
    """The size of an episode: `query` clips, and a support of `clips`, or of clips until `seconds` are reached.

    Raises ConfigError unless one of `clips` and `seconds` is given, and all are above 0.
    """

    query: int
    clips: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        if (self.clips is None) == (self.seconds is None):
            raise ConfigError(f"shots have clips {self.clips} and seconds {self.seconds}; give exactly one of the two")
        for name, value in vars(self).items():
            if value is not None and not value > 0:
                raise ConfigError(f"{name} of the shots is {value}, must be above 0")


@dataclass(frozen=True)
class Draw:
    """A task's name, and the indexes of the utterances of its support and its query, in the order drawn."""

    task: str
    support: tuple[int, ...]
    query: tuple[int, ...]


class EpisodeSampler:
    """Draws episodes from tasks: each language, speaker or condition of the utterances, or a combination of two.

    A condition (noise, a room, a line) is described in words: `extra["condition"]`. A clip may occur under several of
    them, or in augmented copies (a number, `extra["copy"]`), once each. If a task has such copies, each counts, and all
    are on one side.
    `apart`: what support and query must not share besides clips: "speaker", "text" (after normalisation).
    `alpha`: tasks are drawn in proportion to clips^alpha: 0 equally, 1 by size (Lample & Conneau 2019, § 3.1).
    `skip_small` leaves out tasks too small for an episode: `left_out` has them with reasons, `tasks` the other clips.
    Speakers are distinguished by name: if corpora give different people one name, use "language+speaker".

    Raises:
    ConfigError: an impossible option.
    ManifestError: an utterance lacks a needed value, or a task is too small; the message says which, and the remedy.
    """

    def __init__(
        self, utterances: Sequence[Utterance], by: By, shots: Shots, seed: int, *,
        apart: Collection[Apart] = (), alpha: float = 0.0, skip_small: bool = False,
    ) -> None:  # fmt: skip
        _check_options(by, apart, alpha)
        texts = [normalize(u.text or "", TextRules(language=u.language or "")) for u in utterances]
        _check_utterances(utterances, texts, [*by.split("+"), *apart, *(["duration_s"] if shots.seconds else [])])
        self._seed, self._apart, self._timed = seed, sorted(apart), bool(shots.seconds)
        # less a microsecond: whether floats sum up to what is wanted must not hang on their order
        self._wanted = (shots.clips or (shots.seconds or 0.0) - 1e-6, shots.query)
        self._worth = [(u.duration_s or 0.0) if self._timed else 1 for u in utterances]
        first: dict[object, int] = {}  # of the copies of a clip
        self._marks: list[tuple[Mark, ...]] = []
        found: dict[str, list[int]] = {}
        for index, u in enumerate(utterances):
            row = {"speaker": u.speaker, "text": texts[index]}
            clip = ("clip", first.setdefault(_stretch(u), index))
            self._marks.append((clip, *((key, row[key]) for key in apart)))
            found.setdefault("/".join(str(_known(u, key)) for key in by.split("+")), []).append(index)
        splits = {task: self._split(clips, random_of(seed, task)) for task, clips in found.items()}
        self.left_out = {task: why for task, why in splits.items() if isinstance(why, str)}
        self._owners = {task: owner for task, owner in splits.items() if not isinstance(owner, str)}
        self.tasks = {task: tuple(found[task]) for task in self._owners}
        self._sizes = {task: len(clips) ** alpha for task, clips in self.tasks.items()}
        if self.left_out and not (skip_small and self.tasks):
            task, why = next(iter(self.left_out.items()))
            more = f" (and {len(self.left_out) - 1} more)" if len(self.left_out) > 1 else ""
            remedy = "add clips or ask for less" + ("" if skip_small else ", or leave such tasks out: skip_small")
            raise ManifestError(f"task {task!r} {why}{more}; {remedy}")

    def draw(self, number: int, weights: Mapping[str, float] | None = None) -> Draw:
        """The episode of this number; its task is drawn by size, or by `weights` (one per task, 0 for never).

        Raises ConfigError for weights of other tasks, or impossible weights.
        """
        weights = self._sizes if weights is None else weights
        odd = sorted(weights.keys() ^ self.tasks) or [t for t, w in weights.items() if not 0 <= w < math.inf]
        if odd or not any(weights.values()):
            raise ConfigError(f"weights of {listed(odd) or 'all tasks'}: give each task of the sampler one, not all 0")
        generator = random_of(self._seed, number)
        chances = torch.tensor([weights[task] for task in self.tasks], dtype=torch.float64)
        task = list(self.tasks)[int(torch.multinomial(chances, 1, generator=generator))]
        clips = self.tasks[task]
        # where chance finds no split: the one found at the beginning, whose sides are full whatever the order
        dealt = self._deal(clips, generator, _TRIES) or self._deal(clips, generator, 1, self._owners[task])
        assert dealt is not None
        return Draw(task, *dealt)

    def _split(self, clips: Sequence[int], generator: torch.Generator) -> dict[Mark, int] | str:
        """The side of each mark (0 support, 1 query) in a split that fills both; or the reason why there is none."""
        support, query = self._wanted
        left = sum(sorted(self._worth[clip] for clip in clips)[:-query])
        if left < support:
            unit = "s" if self._timed else "clips"
            return f"has {len(clips)} clips; a query of {query} may leave {left:g} {unit}, support takes {support:g}"
        tries = max(_TRIES, _DEALT // len(clips))
        if (dealt := self._deal(clips, generator, tries)) is None:
            shared = " and no ".join(self._apart or ["clip under two conditions"])
            return f"has no split, of {tries} tried, where support and query share no {shared}"
        return {mark: side for side in (0, 1) for clip in dealt[side] for mark in self._marks[clip]}

    def _deal(
        self, clips: Sequence[int], generator: torch.Generator, tries: int, owner: Mapping[Mark, int] | None = None
    ) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
        """Deal shuffled clips, each free one to the side that lacks more; None if one side stays too small.

        Marks that already have a side keep it; a clip with marks of both sides is not used.
        """
        for _ in range(tries):
            owners, lack = dict(owner or {}), list(self._wanted)
            sides: tuple[list[int], list[int]] = ([], [])
            for place in torch.randperm(len(clips), generator=generator).tolist():
                clip = clips[place]
                known = {owners[mark] for mark in self._marks[clip] if mark in owners}
                side = int(lack[1] / self._wanted[1] > lack[0] / self._wanted[0]) if not known else min(known)
                if len(known) < 2 and lack[side] > 0:
                    owners.update(dict.fromkeys(self._marks[clip], side))
                    sides[side].append(clip)
                    lack[side] -= 1 if side else self._worth[clip]
                if max(lack) <= 0:
                    return tuple(sides[0]), tuple(sides[1])
        return None


def weights_by_loss(losses: Mapping[str, float], temperature: float) -> dict[str, float]:
    """Weights that favour tasks of a high mean query loss: softmax(loss / temperature).

    After Xiao et al. 2021 (adversarial meta sampling), where a network computes them from past losses.
    Raises ConfigError for a temperature that is not above 0, no losses, or a loss that is not finite.
    """
    if not temperature > 0:
        raise ConfigError(f"the temperature of task weights is {temperature}, must be above 0")
    odd = [task for task, loss in losses.items() if not math.isfinite(loss)]
    if odd or not losses:
        raise ConfigError(f"mean losses of {listed(odd) or 'all tasks'} are missing or not finite; leave those out")
    powers = {task: math.exp((loss - max(losses.values())) / temperature) for task, loss in losses.items()}
    return {task: power / math.fsum(powers.values()) for task, power in powers.items()}


def random_of(seed: int, what: object) -> torch.Generator:
    """A generator for each pair. The seed is hashed: torch takes 32 bits, and sums would collide with other seeds."""
    return torch.Generator().manual_seed(int.from_bytes(hashlib.sha256(f"{seed} {what}".encode()).digest()[:4]))


def _check_options(by: By, apart: Collection[Apart], alpha: float) -> None:
    if by not in get_args(By):
        raise ConfigError(f"by is {by!r}, must be one of {', '.join(get_args(By))}")
    if not set(apart) <= set(get_args(Apart)):
        raise ConfigError(f"apart is {apart!r}, must hold nothing but {' and '.join(get_args(Apart))}")
    if "speaker" in apart and "speaker" in by:
        raise ConfigError(f"tasks by {by} have one speaker each: leave 'speaker' out of apart")
    if not 0 <= alpha <= 1:
        raise ConfigError(f"alpha is {alpha}, must be from 0 (tasks alike) to 1 (by size)")


def _check_utterances(utterances: Sequence[Utterance], texts: Sequence[str], needed: Sequence[str]) -> None:
    """Check the values of utterances; each must occur once per condition and copy, and languages have one name."""
    if not utterances:
        raise ManifestError("there are no utterances to draw episodes from; give clips with transcripts")
    once: dict[object, str] = {}
    named: dict[str, Utterance] = {}
    for u, text in zip(utterances, texts, strict=True):
        lacks = ["transcript"] * (not text) + [key for key in needed if not str(_known(u, key) or "").strip()]
        if lacks:
            raise ManifestError(f"utterance {u.id!r} has no {lacks[0].removesuffix('_s')}; add it, or leave it out")
        heard = (_stretch(u), _known(u, "condition"), u.extra.get("copy"))
        if heard in once:
            raise ManifestError(f"utterances {once[heard]!r} and {u.id!r} are the same clip; leave one out")
        once[heard] = u.id
        same = named.setdefault(canonical(u.language or "").strip().casefold().replace("_", "-"), u)
        if "language" in needed and same.language != u.language:
            both = f"{same.language!r} (utterance {same.id!r}) and {u.language!r} (utterance {u.id!r})"
            raise ManifestError(f"two languages with one name: {both}; write them alike")


def _known(utterance: Utterance, key: str) -> object:
    """The value of an utterance by this name; a condition that is no text counts as missing."""
    if key != "condition":
        return getattr(utterance, key)
    condition = utterance.extra.get(key)
    return condition if isinstance(condition, str) else None


def _stretch(utterance: Utterance) -> tuple[object, ...]:
    """The identity of a clip, which its copies under all conditions share."""
    return utterance.audio, utterance.start_s, utterance.duration_s
