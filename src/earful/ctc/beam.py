"""Prefix beam search for CTC (Hannun et al. 2014, algorithm 1) with a language model of letters and words.

It looks for the text y with the greatest log p(y | sound) + weight · log p(y | language) + bonus · |y|, where
p(y | sound) sums over all paths that spell y. For each of the likeliest prefixes the search keeps the probability of
the paths that end in a blank, and of those that end in its last symbol. While a word is written, an n-gram scores its
letters. When it ends, the mixture of letters and known words (`ctc.words`) replaces that score. The blank has the id 0.
The search itself is in `ctc.search`.
"""

import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple, final

import numpy as np

from earful.ctc.align import align
from earful.ctc.greedy import Emission, Numbers, array
from earful.ctc.hot import no_hot
from earful.ctc.known import Hot, Letters
from earful.ctc.lattice import frames_needed
from earful.ctc.ngram import NGram
from earful.ctc.search import Frames, begun, ended, onward, search, sureness
from earful.ctc.words import Words, no_words, vocabulary
from earful.errors import ConfigError
from earful.text.alphabet import Alphabet

if TYPE_CHECKING:
    from torch import Tensor

WIDTH = 96
LEAST_LOGP = -7.0  # from -5 to -9, texts hardly differ (Dutch); the time does
LATER = 25
"""The certainty of a symbol is taken this many frames later, half a second, when the search knows what follows."""
_BLANK, _ROOT = 0, 0
_BLOCK = 1024  # frames read at once; and the alignment of a long recording may be cut once in as many
_CACHED_NUMBERS = 2**21  # in the rows of the n-gram that a search keeps: 46,000 rows of 45 symbols


class Guess(NamedTuple):
    """A resulting text of the search: its symbols, and its score in nats."""

    symbols: tuple[int, ...]
    score: float


class Heard(NamedTuple):
    """The best text with its times, and the best texts."""

    emissions: tuple[Emission, ...]
    guesses: tuple[Guess, ...]


@final
@dataclass(frozen=True, eq=False)
class Search:
    """A search, prepared once for many recordings: its language model, and the model's weight.

    `size` is that of the alphabet; `width` prefixes are kept. Symbols less likely than `least_logp` are not tried, and
    a frame without a likelier symbol costs almost nothing. With no limit (a large width, minus infinity) the search is
    exact.

    Raises:
        ConfigError: the language model has another alphabet, or `width` or `least_logp` is out of range.
    """

    size: int
    ngram: NGram | None = None
    words: Words | None = None
    weight: float = 0.5
    bonus: float = 0.0
    hot: Hot = field(default_factory=no_hot)
    width: int = WIDTH
    least_logp: float = LEAST_LOGP

    def __post_init__(self) -> None:
        if self.width < 1:
            raise ConfigError(f"the width of a beam must be at least 1, got {self.width}")
        if not self.least_logp < 0:
            raise ConfigError(
                f"least_logp is the logarithm of a probability and must be below 0, got {self.least_logp}"
            )
        if self.ngram is not None and self.ngram.alphabet.size != self.size:
            raise ConfigError(
                f"the language model has {self.ngram.alphabet.size - 1} symbols, the recogniser {self.size - 1}; "
                "learn it with the alphabet of the recogniser"
            )

    def hear(self, logp_FV: "Numbers | Tensor", guesses: int = 1) -> Heard:
        """The best text of log-probabilities `[F, V]` of any float type, the blank first, and as many `guesses`.

        Raises ValueError: a frame holds NaN, or gives no symbol a probability.
        """
        frames = frames_of(logp_FV, self.least_logp)
        shape = len(frames.places_N), min(self.width, WIDTH)
        nodes_NK, scores_NK = np.full(shape, -1, np.int32), np.zeros(shape, np.float32)
        nodes, scores, tree = self._run(frames, nodes_NK, scores_NK)
        path = _path(tree, int(nodes[0]))
        ids = [int(tree[1, node]) for node in path]
        said = _said(logp_FV, frames, path, nodes_NK, scores_NK)
        emissions = tuple(_aligned(logp_FV, ids, said))
        ends = np.array([emission.end - 1 + LATER for emission in emissions], np.int64)
        sure = sureness(np.array(path, np.int64), np.searchsorted(frames.places_N, ends), tree, nodes_NK, scores_NK)
        emissions = tuple(replace(each, sure=float(p)) for each, p in zip(emissions, sure, strict=True))
        best = zip(nodes[:guesses].tolist(), scores[:guesses].tolist(), strict=True)
        found = tuple(Guess(tuple(int(tree[1, each]) for each in _path(tree, node)), score) for node, score in best)
        return Heard(emissions, found)

    def ids(self, frames: Frames) -> list[int]:
        """The symbols of the best text alone."""
        nodes, _, tree = self._run(frames, np.zeros((0, 0), np.int32), np.zeros((0, 0), np.float32))
        return [int(tree[1, node]) for node in _path(tree, int(nodes[0]))]

    def _run(self, frames: Frames, nodes_NK: np.ndarray, scores_NK: np.ndarray) -> tuple[np.ndarray, ...]:
        letters, known, memory = self._known
        return search(  # type: ignore[no-any-return]
            frames, letters, known, self.hot, self.weight, self.bonus, self.width, self.size, memory.rows,
            nodes_NK, scores_NK,
        )  # fmt: skip

    @cached_property
    def _known(self) -> "tuple[Letters, Any, _Memory]":
        """The tables that the search reads, and a cache of their rows."""
        ngram = self.ngram if self.weight else None
        words = vocabulary(self.words, ngram.alphabet) if ngram and self.words else no_words(self.size)
        return _letters(ngram), words, _Memory(self.size, len(ngram.sources) if ngram else 0)

    def part_by_part(self) -> "Growing":
        """A search of frames that come part by part."""
        return Growing(self)

    def make_ready(self) -> None:
        """Make its tables now, and not with the first recording."""
        _ = self._known

    def with_fusion(self, weight: float, bonus: float) -> "Search":
        """The same with another weight and bonus; the tables are shared."""
        other = replace(self, weight=weight, bonus=bonus)
        if bool(weight) == bool(self.weight):
            other.__dict__["_known"] = self._known
        return other


@final
class Growing:
    """A search that goes on as frames come. What all beginnings that are kept have in common is certain: nothing that
    comes can change it, and `Search.hear` will find it, too.
    """

    def __init__(self, search: Search) -> None:
        letters, _, _ = search._known
        self._search, self._heard = search, 0
        self._state = begun(letters, search.size), np.zeros((4, 1024), np.int32), 1, 0

    def add(self, logp_FV: "Numbers | Tensor") -> list[int]:
        """Search the log-probabilities `[F, V]` that come next; answers the symbols that are certain."""
        frames, search = frames_of(logp_FV, self._search.least_logp), self._search
        letters, known, memory = search._known
        frames = frames._replace(places_N=frames.places_N + self._heard)
        self._heard += len(logp_FV)
        none = np.zeros((0, 0), np.int32), np.zeros((0, 0), np.float32)
        self._state = onward(
            frames, *self._state, letters, known, search.hot, search.weight, search.bonus, search.width, memory.rows,
            *none,
        )  # fmt: skip
        beam, tree, *_ = self._state
        return [int(tree[1, node]) for node in _shared(tree, beam.node_K.tolist())]

    def end(self) -> list[int]:
        """The symbols of the best text: there are no more frames."""
        (beam, tree, *_), (letters, known, _) = self._state, self._search._known
        scores_K = ended(beam, letters, known, self._search.hot, self._search.weight)
        return [int(tree[1, node]) for node in _path(tree, int(beam.node_K[int(np.argmax(scores_K))]))]


class _Memory(threading.local):
    """A cache of rows of the n-gram; each thread has its own, because threads of a server search at the same time."""

    def __init__(self, size: int, sources: int) -> None:
        count = max(_CACHED_NUMBERS // size, 1)
        self.rows = np.full((count, sources), -1), np.zeros((count, size), np.float32)


def beam_search(
    logp_FV: "Numbers | Tensor",
    ngram: NGram | None = None,
    *,
    weight: float = 0.5,
    bonus: float = 0.0,
    width: int = WIDTH,
    least_logp: float = LEAST_LOGP,
    words: Words | None = None,
) -> tuple[Emission, ...]:
    """The best text of a recording of any length, with times and confidences as `ctc.greedy` gives them: see `Search`.

    >>> import torch
    >>> logp = torch.tensor([[0.6, 0.4], [0.6, 0.4]]).log()  # the best path says nothing, the best text is one symbol
    >>> [emission.symbol for emission in beam_search(logp)]
    [1]
    """
    return Search(logp_FV.shape[1], ngram, words, weight, bonus, no_hot(), width, least_logp).hear(logp_FV).emissions


def spelt(emissions: Iterable[Emission], alphabet: Alphabet) -> list[list[Emission]]:
    """The letters of each word, between spaces."""
    words: list[list[Emission]] = [[]]
    for emission in emissions:
        if alphabet.symbols[emission.symbol - 1].isspace():
            words.append([])
        else:
            words[-1].append(emission)
    return [word for word in words if word]


def frames_of(logp_FV: "Numbers | Tensor", least_logp: float) -> Frames:
    """The frames in which a symbol other than the blank reaches `least_logp`, and those symbols."""
    places, blanks, counts, symbols, p = [], [], [], [], []
    for begin in range(0, len(logp_FV), _BLOCK):
        logp = array(logp_FV[begin : begin + _BLOCK]).astype(np.float64)
        lost = np.flatnonzero(~np.isfinite(logp.max(1)))
        if len(lost):
            raise ValueError(f"frame {begin + lost[0]}: expected log-probabilities, got NaN, or none that is possible")
        likely = logp[:, 1:] >= least_logp
        rows, columns = np.nonzero(likely)
        said = np.flatnonzero(likely.any(1))
        places.append(begin + said)
        blanks.append(np.exp(logp[said, _BLANK]))
        counts.append(likely[said].sum(1))
        symbols.append(columns + 1)
        p.append(np.exp(logp[rows, columns + 1]))
    joined = [np.concatenate([np.zeros(0), *each]) for each in (places, blanks, counts, symbols, p)]
    starts = np.concatenate([[0], np.cumsum(joined[2])]).astype(np.int64)
    return Frames(joined[0].astype(np.int64), joined[1], starts, joined[3].astype(np.int64), joined[4])


def _letters(ngram: NGram | None) -> Letters:
    """The sources of an n-gram, one after another."""
    sources = ngram.chances if ngram else ()
    ints, floats = np.zeros(0, np.int64), np.zeros(0, np.float32)
    joined = [
        np.concatenate([none, *(getattr(each, name) for each in sources)]).astype(none.dtype)
        for name, none in (
            ("starts_C1", ints), ("shorter_C", ints), ("gammas_C", floats), ("symbols_N", ints), ("p_N", floats),
            ("next_N", ints),
        )
    ]  # fmt: skip
    firsts = np.cumsum([0, *(len(each.gammas_C) for each in sources)])
    offsets = np.cumsum([0, *(len(each.symbols_N) for each in sources)])
    begins = np.array([each.next_N[_ROOT] for each in sources], np.int64)
    return Letters(np.array(ngram.weights if ngram else ()), begins, firsts, offsets, *joined)


# --- what the search found -------------------------------------------------------------------------------------------


def _path(tree: np.ndarray, node: int) -> list[int]:
    """The nodes from the first symbol to `node`."""
    path = []
    while node != _ROOT:
        path.append(node)
        node = int(tree[0, node])
    return path[::-1]


def _shared(tree: np.ndarray, nodes: Sequence[int]) -> list[int]:
    """What the paths to all nodes begin with."""
    path = _path(tree, nodes[0])
    depths = {node: depth for depth, node in enumerate([_ROOT, *path])}
    least = len(path)
    for each in nodes[1:]:
        node = each
        while node not in depths:
            node = int(tree[0, node])
        least = min(least, depths[node])
    return path[:least]


def _said(
    logp_FV: "Numbers | Tensor", frames: Frames, path: Sequence[int], nodes_NK: np.ndarray, scores_NK: np.ndarray
) -> list[tuple[int, int]]:
    """The possible cuts of a long recording (the likeliest blank of each whole block), and the symbols before each."""
    depths, found = {node: depth for depth, node in enumerate([_ROOT, *path])}, []
    for begin in range(0, len(logp_FV) // _BLOCK * _BLOCK, _BLOCK):
        place = begin + int(logp_FV[begin : begin + _BLOCK, _BLANK].argmax())
        row = int(np.searchsorted(frames.places_N, place)) - 1
        on_path = [(score, depths[n]) for n, score in zip(nodes_NK[row], scores_NK[row], strict=True) if n in depths]
        if row >= 0 and on_path:
            found.append((place, max(on_path)[1]))
    return found


def _aligned(logp_FV: "Numbers | Tensor", ids: Sequence[int], said: Sequence[tuple[int, int]]) -> Iterator[Emission]:
    """The emissions of the text, piece by piece, because a piece costs its frames times its symbols."""
    cuts, end = [(0, 0)], (len(logp_FV), len(ids))
    for cut in said:
        if _fits(cuts[-1], cut, ids):
            cuts.append(cut)
    while len(cuts) > 1 and not _fits(cuts[-1], end, ids):
        cuts.pop()
    for (begin, first), (stop, last) in pairwise([*cuts, end]):
        for emission in align(logp_FV[begin:stop], ids[first:last]):
            yield replace(emission, start=emission.start + begin, end=emission.end + begin)


def _fits(begin: tuple[int, int], end: tuple[int, int], ids: Sequence[int]) -> bool:
    """Whether the frames between two cuts can carry the symbols between them."""
    return begin[1] <= end[1] and frames_needed(ids[begin[1] : end[1]]) <= end[0] - begin[0]
