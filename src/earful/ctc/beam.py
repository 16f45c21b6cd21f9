"""Prefix beam search for CTC (Hannun et al. 2014, algorithm 1) with a language model of characters.

What is sought is the text y of greatest log p(y | sound) + weight · log p(y | language model) + bonus · |y|, where
p(y | sound) sums over all paths that spell y. Of each of the likeliest beginnings the search keeps the probability of
the paths that end in a blank and of those that end in its last symbol. The blank has the id 0.
"""

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from heapq import nlargest
from itertools import pairwise, product
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from earful.ctc.align import align
from earful.ctc.greedy import Emission
from earful.ctc.kneser_ney import EDGE_ID
from earful.ctc.lattice import frames_needed
from earful.ctc.ngram import NGram
from earful.errors import ConfigError, TextError
from earful.text.score import errors_of_each

WIDTH, TUNING_WIDTH = 32, 16
LEAST_LOGP = -7.0  # from -5 to -9, texts hardly differ (Dutch); the time does
WEIGHTS = (0.5, 0.75, 1.0, 1.25)
BONUSES = (0.5, 1.0, 1.5, 2.0, 2.5)
PRIOR = 1500.0
"""How many characters of held-out transcripts the experience with other recordings (`unusual`) weighs as much as."""
USUAL = 1.0, 1.5
"""The weight and bonus that experience says, where there is nothing to tune them on."""
_BLANK, _ROOT = 0, 0
_BLOCK = 1024  # frames read at once; and the alignment of a long recording may be cut once in as many


class Fusion(NamedTuple):
    """How much the language model and the length count, and the character error rate that this gave."""

    weight: float
    bonus: float
    cer: float


def beam_search(
    logp_FV: Tensor,
    ngram: NGram | None = None,
    *,
    weight: float = 0.5,
    bonus: float = 0.0,
    width: int = WIDTH,
    least_logp: float = LEAST_LOGP,
) -> tuple[Emission, ...]:
    """The best text of a recording of any length, with times and confidences as `ctc.greedy` gives them.

    `logp_FV` are log-probabilities of any float type, the blank first. `width` beginnings of texts are kept. A symbol
    less likely than `least_logp` is not tried, and a frame without a likelier one costs next to nothing. With no limit
    to either (a great width, minus infinity) the search is exact.

    Raises:
        ConfigError: the language model has another alphabet, or `width` or `least_logp` is out of range.
        ValueError: a frame holds NaN, or gives no symbol a probability.

    >>> import torch
    >>> logp = torch.tensor([[0.6, 0.4], [0.6, 0.4]]).log()  # the best path says nothing, the best text is one symbol
    >>> [emission.symbol for emission in beam_search(logp)]
    [1]
    """
    _check(width, least_logp)
    language = _language(ngram, weight, bonus, logp_FV.shape[1])
    return tuple(_aligned(logp_FV, _search(_frames(logp_FV, least_logp), language, width, _places(logp_FV))))


class Recording(NamedTuple):
    """A held-out recording: its log-probabilities, its transcript, and a language model that has not met it."""

    logp_FV: Tensor
    text: str
    ngram: NGram


def tune(
    recordings: Sequence[Recording],
    weights: Sequence[float] = WEIGHTS,
    bonuses: Sequence[float] = BONUSES,
    *,
    prior: float = PRIOR,
    width: int = TUNING_WIDTH,
    least_logp: float = LEAST_LOGP,
) -> Fusion:
    """The weight and bonus of least character error rate on held-out recordings, and on others before (`unusual`).

    A handful of recordings say little: by them alone, chance often picks what costs much elsewhere. So their errors are
    added to those that experience expects of so many characters as `prior` says; of hours, only their own errors count.
    `cer` is that of the recordings alone. Where two are as good, the smaller weight, then the smaller bonus.

    Raises:
        ConfigError: as `beam_search`. TextError: there are no recordings.
    """
    if not recordings:
        raise TextError("expected held-out recordings to weigh the language model by, got none; hold some out")
    _check(width, least_logp)
    frames = [list(_frames(recording.logp_FV, least_logp)) for recording in recordings]
    references = [recording.text for recording in recordings]
    ngrams, size = {id(each.ngram): each.ngram for each in recordings}, recordings[0].logp_FV.shape[1]

    characters = max(sum(map(len, references)), 1)

    def measured(weight: float, bonus: float) -> Fusion:
        languages = {key: _language(ngram, weight, bonus, size) for key, ngram in ngrams.items()}
        texts = [
            each.ngram.alphabet.decode(_search(heard, languages[id(each.ngram)], width).ids)
            for each, heard in zip(recordings, frames, strict=True)
        ]
        errors = sum(each.characters.errors for each in errors_of_each(references, texts))
        return Fusion(weight, bonus, errors / characters)

    def expected(fusion: Fusion) -> float:
        return fusion.cer * characters + prior * unusual(fusion.weight, fusion.bonus)

    return min((measured(*each) for each in sorted(product(weights, bonuses))), key=expected)


def unusual(weight: float, bonus: float) -> float:
    """What character error rate a weight and bonus cost beyond the `USUAL` ones.

    A parabola, fitted by eye to a few runs on real Dutch: a unit of weight wants 1.3 more of bonus, and along that line
    little changes.
    """
    further, longer = weight - USUAL[0], bonus - USUAL[1]
    return 0.025 * further**2 + 0.013 * (longer - 1.3 * further) ** 2


def _check(width: int, least_logp: float) -> None:
    if width < 1:
        raise ConfigError(f"the width of a beam must be at least 1, got {width}")
    if not least_logp < 0:
        raise ConfigError(f"least_logp is the logarithm of a probability and must be below 0, got {least_logp}")


# --- what the search reads -------------------------------------------------------------------------------------------


class _Frame(NamedTuple):
    """A frame where something may be said: the probability of its blank, and of the symbols that it may be."""

    place: int
    p_blank: float
    p_symbols: dict[int, float]


def _frames(logp_FV: Tensor, least_logp: float) -> Iterator[_Frame]:
    """The frames in which a symbol other than the blank reaches `least_logp`."""
    for begin in range(0, len(logp_FV), _BLOCK):
        logp = logp_FV[begin : begin + _BLOCK].detach().cpu().double().numpy()
        lost = np.flatnonzero(~np.isfinite(logp.max(1)))
        if len(lost):
            raise ValueError(f"frame {begin + lost[0]}: expected log-probabilities, got NaN, or none that is possible")
        places, columns = np.nonzero(logp[:, 1:] >= least_logp)
        symbols, p = (columns + 1).tolist(), np.exp(logp[places, columns + 1]).tolist()
        starts = np.flatnonzero(np.diff(places, prepend=-1)).tolist()
        for start, end in pairwise([*starts, len(p)]):
            place = int(places[start])
            p_symbols = dict(zip(symbols[start:end], p[start:end], strict=True))
            yield _Frame(begin + place, math.exp(logp[place, _BLANK]), p_symbols)


@dataclass(frozen=True)
class _Language:
    """What language model and length add for each next symbol. Plain floats, which Python adds fastest one by one."""

    ngram: NGram | None
    weight: float
    bonus: float
    size: int

    def row(self, context: int) -> list[float]:
        if self.ngram is None:
            return [self.bonus] * self.size
        return (self.weight * self.ngram.row(context) + self.bonus).tolist()  # type: ignore[no-any-return]

    def extend(self, context: int, symbol: int) -> int:
        return 0 if self.ngram is None else self.ngram.extend(context, symbol)

    def end(self, context: int) -> float:
        """What the end of the text adds."""
        return 0.0 if self.ngram is None else self.weight * float(self.ngram.row(context)[EDGE_ID])


def _language(ngram: NGram | None, weight: float, bonus: float, size: int) -> _Language:
    if ngram is not None and ngram.alphabet.size != size:
        raise ConfigError(
            f"the language model has {ngram.alphabet.size - 1} symbols, the recogniser {size - 1}; "
            "learn it with the alphabet of the recogniser"
        )
    return _Language(ngram if weight else None, weight, bonus, size)


# --- the search ------------------------------------------------------------------------------------------------------


class _Prefix(NamedTuple):
    """The beginning of a text, a node of the tree of texts."""

    node: int
    key: int  # node before · V + last symbol: the same for the same text
    last: int
    p_blank: float  # of the paths that end in a blank, and
    p_symbol: float  # of those that end in the last symbol; both relative to the best prefix
    bonus: float  # what language model and length have added
    context: int
    row: list[float]  # what they add for each next symbol


class _Tree:
    """Texts that share their beginnings: the node before each node, its key, and the node of each key."""

    def __init__(self) -> None:
        self.before, self.keys = [_ROOT], [_ROOT]
        self._nodes: dict[int, int] = {}

    def node(self, before: int, key: int) -> int:
        """A text that was given up and is met again is the same node: paths to it and beyond it must come together."""
        if key not in self._nodes:
            self._nodes[key] = len(self.before)
            self.before.append(before)
            self.keys.append(key)
        return self._nodes[key]

    def path(self, node: int) -> list[int]:
        """The nodes from the first symbol to `node`."""
        path = []
        while node != _ROOT:
            path.append(node)
            node = self.before[node]
        return path[::-1]


class _Found(NamedTuple):
    """A text; and for each place where the recording may be cut, how many of its symbols come before."""

    ids: list[int]
    cuts: list[tuple[int, int]]


def _search(frames: Iterable[_Frame], language: _Language, width: int, places: Sequence[int] = ()) -> _Found:
    """The best text, and how much of it was likeliest said at each of the `places`."""
    start = 0 if language.ngram is None else language.ngram.start
    beam = [_Prefix(_ROOT, _ROOT, _BLANK, 1.0, 0.0, 0.0, start, language.row(start))]
    tree, done = _Tree(), 0
    beams: list[list[_Prefix]] = []  # as they were at the places
    for frame in frames:
        beams += [beam] * (bisect_right(places, frame.place) - len(beams))
        if frame.place > done:
            beam = [_silenced(prefix) for prefix in beam]
        beam = _step(beam, frame, language, width, tree)
        done = frame.place + 1
    beams += [beam] * (len(places) - len(beams))
    best = max(beam, key=lambda prefix: _score(prefix) + language.end(prefix.context))
    path = tree.path(best.node)
    depths = {node: depth for depth, node in enumerate([_ROOT, *path])}
    said = (max((_p(prefix), depths[prefix.node]) for prefix in beam if prefix.node in depths)[1] for beam in beams)
    return _Found([tree.keys[node] % language.size for node in path], list(zip(places, said, strict=True)))


def _step(beam: list[_Prefix], frame: _Frame, language: _Language, width: int, tree: _Tree) -> list[_Prefix]:
    """The best prefixes one frame later, the very best first."""
    reached = ((math.log(each[0] + each[1]) + each[2], each) for each in _reached(beam, frame, language.size))
    best = [each for _, each in nlargest(width, reached, key=itemgetter(0))]
    scale = 1 / (best[0][0] + best[0][1])  # lest they become too small for floats
    prefixes = []
    for p_blank, p_symbol, bonus, prefix, symbol in best:
        node, key, last, context, row = prefix.node, prefix.key, prefix.last, prefix.context, prefix.row
        if symbol != _BLANK:
            key, last, context = node * language.size + symbol, symbol, language.extend(context, symbol)
            node, row = tree.node(node, key), language.row(context)
        prefixes.append(_Prefix(node, key, last, p_blank * scale, p_symbol * scale, bonus, context, row))
    return prefixes


def _reached(beam: list[_Prefix], frame: _Frame, size: int) -> Iterator[list[Any]]:
    """Each text that one frame more can spell: p_blank, p_symbol, bonus, the prefix it comes of, the symbol it adds."""
    symbols = frame.p_symbols.items()
    reached: dict[int, list[Any]] = {}
    for prefix in beam:
        again = prefix.p_symbol * frame.p_symbols.get(prefix.last, 0.0)
        reached[prefix.key] = [_p(prefix) * frame.p_blank, again, prefix.bonus, prefix, _BLANK]
    for prefix in beam:
        p, base, row = _p(prefix), prefix.node * size, prefix.row
        for symbol, p_said in symbols:
            added = (prefix.p_blank if symbol == prefix.last else p) * p_said  # a blank must part equal neighbours
            known = reached.get(base + symbol)
            if known is None:
                reached[base + symbol] = [0.0, added, prefix.bonus + row[symbol], prefix, symbol]
            else:
                known[1] += added
    return (each for each in reached.values() if each[0] + each[1])


def _p(prefix: _Prefix) -> float:
    return prefix.p_blank + prefix.p_symbol


def _score(prefix: _Prefix) -> float:
    return math.log(_p(prefix)) + prefix.bonus


def _silenced(prefix: _Prefix) -> _Prefix:
    """The prefix after frames that are surely blank, however many: they cost all prefixes the same."""
    return prefix._replace(p_blank=_p(prefix), p_symbol=0.0)


# --- times -----------------------------------------------------------------------------------------------------------


def _places(logp_FV: Tensor) -> list[int]:
    """Where a long recording may be cut: the frame of each whole block that is likeliest blank."""
    begins = range(0, len(logp_FV) // _BLOCK * _BLOCK, _BLOCK)
    return [begin + int(logp_FV[begin : begin + _BLOCK, _BLANK].argmax()) for begin in begins]


def _aligned(logp_FV: Tensor, found: _Found) -> Iterator[Emission]:
    """The emissions of the text, piece by piece, since a piece costs its frames times its symbols."""
    cuts, end = [(0, 0)], (len(logp_FV), len(found.ids))
    for cut in found.cuts:
        if _fits(cuts[-1], cut, found.ids):
            cuts.append(cut)
    while len(cuts) > 1 and not _fits(cuts[-1], end, found.ids):
        cuts.pop()
    for (begin, first), (stop, last) in pairwise([*cuts, end]):
        for emission in align(logp_FV[begin:stop], found.ids[first:last]):
            yield replace(emission, start=emission.start + begin, end=emission.end + begin)


def _fits(begin: tuple[int, int], end: tuple[int, int], ids: Sequence[int]) -> bool:
    """Whether the frames between two cuts can carry the symbols between them."""
    return begin[1] <= end[1] and frames_needed(ids[begin[1] : end[1]]) <= end[0] - begin[0]
