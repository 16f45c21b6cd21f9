"""Interpolated modified Kneser-Ney smoothing (Chen and Goodman 1999): from text to counts to probabilities.

A source of text is stored as its counts. The probabilities follow from them, so those after any context always sum to
1. It is all NumPy: a megabyte of text takes about a second.

Ids are those of the alphabet. Id 0 is the CTC blank, which no text holds. Here it is the edge of a text: the end as a
continuation, the start at the head of a context.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from earful.errors import ConfigError, TextError
from earful.text.alphabet import Alphabet

EDGE_ID = 0
_EDGE = "\n"  # no line has one, since its white space was made spaces
ORDERS = range(2, 13)
DEFAULT_ORDER = 7
MOST_NGRAMS = 1_000_000
UNPRUNED = 3  # n-grams of up to this length are all kept: they are few, and the others fall back on them

Ints = NDArray[np.integer[Any]]
Floats = NDArray[np.float64]
Row = NDArray[np.float32]


class Level(NamedTuple):
    """The `N` n-grams of one length, sorted so that those that continue the same shorter n-gram (of `P`) are together.

    `symbols_N` is the last symbol of each, and `counts_N` its count in the text or, below the highest order, the number
    of symbols that it follows. `children_P` is the number that continue each shorter one, `pruned_P` its lost counts.
    """

    symbols_N: Ints
    counts_N: Ints
    children_P: Ints
    pruned_P: Ints


@final
@dataclass(frozen=True, eq=False)
class Counts:
    """The counts of a source of text: a level for each length from 1 on, and the discounts `[order, 3]`."""

    levels: tuple[Level, ...]
    discounts: Floats
    _known: "dict[int, Chances]" = field(init=False, repr=False, default_factory=dict)

    def chances(self, size: int) -> "Chances":
        """Its probabilities, for an alphabet of this size. Cached, because a source is mixed with many others."""
        if size not in self._known:
            self._known[size] = chances(self, size)
        return self._known[size]


# --- from text to counts ---------------------------------------------------------------------------------------------


class _Found(NamedTuple):
    """The distinct n-grams of one length: key (parent · V + symbol), first place, count, symbols before it."""

    keys_N: Ints
    first_N: Ints
    raw_N: Ints
    preceding_N: Ints


def count(texts: Iterable[str], alphabet: Alphabet, order: int = DEFAULT_ORDER, most: int = MOST_NGRAMS) -> Counts:
    """Count n-grams of up to `order` symbols; the rarest of the longer ones are pruned until at most `most` remain.

    Raises:
        TextError: no symbol of the alphabet is in the texts. ConfigError: the order is not in ORDERS.
    """
    if order not in ORDERS:
        raise ConfigError(f"the order of an n-gram model must be from {ORDERS[0]} to {ORDERS[-1]}, got {order}")
    tokens_T = _tokens(texts, alphabet)
    found = _find(tokens_T, alphabet.size, order)
    least, levels, discounts = _least_count(found, most), [], []
    kept_P = np.ones(1, dtype=np.bool_)
    for length, each in enumerate(found, 1):
        counts_N = each.raw_N if length == order else _lower_counts(each, tokens_T, length)
        parents_N, symbols_N = np.divmod(each.keys_N, alphabet.size)
        kept_N = (each.raw_N >= least) | (length <= UNPRUNED)
        children_P = np.bincount(parents_N[kept_N], minlength=len(kept_P))
        pruned_P = np.bincount(parents_N[~kept_N], counts_N[~kept_N], len(kept_P)).astype(np.int64)
        levels.append(Level(symbols_N[kept_N], counts_N[kept_N], children_P[kept_P], pruned_P[kept_P]))
        discounts.append(_discounts(counts_N))
        kept_P = kept_N
    return Counts(tuple(levels), np.array(discounts))


def _tokens(texts: Iterable[str], alphabet: Alphabet) -> Ints:
    """All texts as one row of ids, an edge before, between and after them; -1 where a character has no symbol."""
    if isinstance(texts, str):
        raise TextError("a language model is learned from a list of texts, got one text; put it in a list")
    lines = (unicodedata.normalize("NFC", " ".join(text.split())) for text in texts)
    joined = _EDGE + "".join(line + _EDGE for line in lines if line)
    points_T = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), np.uint32)
    id_of = np.full(int(points_T.max()) + 1, -1)
    for position, symbol in enumerate(alphabet.symbols):
        if len(symbol) == 1 and ord(symbol) < len(id_of):
            id_of[ord(symbol)] = position + 1
    id_of[ord(_EDGE)] = EDGE_ID
    tokens_T = id_of[points_T]
    if tokens_T.max() == EDGE_ID:
        raise TextError(
            "expected text to learn a language model from, got none in the model's alphabet; give more text"
        )
    return tokens_T


def _find(tokens_T: Ints, size: int, order: int) -> list[_Found]:
    """The distinct n-grams of each length. None crosses an edge or a character without a symbol."""
    found: list[_Found] = []
    places = np.flatnonzero(tokens_T >= 0)
    ids_T = np.zeros(len(tokens_T), dtype=np.int64)  # of the n-gram one shorter that begins there
    for length in range(1, order + 1):
        if length > 1:
            places = places[places + length <= len(tokens_T)]
            inside = (tokens_T[places + length - 2] != EDGE_ID) | (length == 2)
            places = places[(tokens_T[places + length - 1] >= 0) & inside]
        keys = ids_T[places] * size + tokens_T[places + length - 1]
        keys_N, first_N, raw_N, own = _distinct(keys, places)
        if found:
            preceding = np.bincount(ids_T[first_N + 1], minlength=len(found[-1].keys_N))
            found[-1] = found[-1]._replace(preceding_N=preceding)
        found.append(_Found(keys_N, first_N, raw_N, raw_N))
        ids_T[places] = own
    return found


def _distinct(keys: Ints, places: Ints) -> tuple[Ints, Ints, Ints, Ints]:
    """The distinct keys in order, the first place and the count of each, and the index of each key among them.

    It equals `numpy.unique`, whose stable sort takes several times as long.
    """
    order = np.argsort(keys)
    sorted_ = keys[order]
    begins = np.ones(len(keys), np.bool_)
    begins[1:] = sorted_[1:] != sorted_[:-1]
    own = np.empty(len(keys), np.int64)
    own[order] = np.cumsum(begins) - 1
    keys_N = sorted_[begins]
    first_N = np.empty(len(keys_N), np.int64)
    first_N[own[::-1]] = places[::-1]  # of those that are the same, the first place is written last
    return keys_N, first_N, np.bincount(own, minlength=len(keys_N)), own


def _lower_counts(found: _Found, tokens_T: Ints, length: int) -> Ints:
    """The number of symbols that precede each n-gram; the count itself for those that begin a text.

    An n-gram that only follows characters without a symbol counts as following one symbol.
    """
    begins_N = (tokens_T[found.first_N] == EDGE_ID) & (length > 1)
    return np.where(begins_N, found.raw_N, np.maximum(found.preceding_N, 1))


def _discounts(counts_N: Ints) -> tuple[float, float, float]:
    """The discounts of counts of 1, 2, and 3 or more (Chen and Goodman 1999, modified Kneser-Ney).

    If too few n-grams are rare for that, as in a few transcripts, it is one discount for all (Ney et al. 1994), which
    predicts held-out Dutch and German better than fixed ones.
    """
    n1, n2, n3, n4 = (int((counts_N == times).sum()) for times in (1, 2, 3, 4))
    y = n1 / (n1 + 2 * max(n2, 1)) if n1 else 0.5
    if n1 and n2 and n3 and n4:
        estimates = (y, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3)
        if all(0 < estimate <= times for times, estimate in enumerate(estimates, 1)):
            return estimates
    return y, y, y


def _least_count(found: Sequence[_Found], most: int) -> int:
    """The minimum count of n-grams longer than UNPRUNED with which at most `most` remain."""
    raw_N = np.concatenate([np.zeros(0, dtype=np.int64), *(each.raw_N for each in found[UNPRUNED:])])
    room = max(most - sum(len(each.keys_N) for each in found[:UNPRUNED]), 0)
    return 1 if len(raw_N) <= room else int(np.sort(raw_N)[-1 - room]) + 1


# --- from counts to probabilities ------------------------------------------------------------------------------------


class Chances(NamedTuple):
    """The states of one source (state 0 is the empty context, the others are its n-grams) and their continuations.

    State `c` is continued by the symbols from `starts_C1[c]` to `starts_C1[c + 1]`, with the probabilities `p_N`, into
    the states `next_N`; any other symbol has `gammas_C[c]` times its probability in the state `shorter_C[c]`.
    """

    starts_C1: Ints
    shorter_C: Ints
    gammas_C: Row
    symbols_N: Ints
    p_N: Row
    next_N: Ints

    def look(self, state: int, size: int) -> tuple[Row, Ints]:
        """The probability `[V]` of each symbol after a state, and the state `[V]` that it leads to."""
        chain = [state]
        while chain[-1]:
            chain.append(int(self.shorter_C[chain[-1]]))
        p_V, next_V = np.full(size, 1 / size, dtype=np.float32), np.zeros(size, dtype=np.int64)
        for each in reversed(chain):
            known = slice(self.starts_C1[each], self.starts_C1[each + 1])
            p_V *= self.gammas_C[each]
            p_V[self.symbols_N[known]] = self.p_N[known]
            next_V[self.symbols_N[known]] = self.next_N[known]
        return p_V, next_V


def chances(counts: Counts, size: int) -> Chances:
    """p(w | h) = (c(hw) - D) / c(h) + γ(h) p(w | h without its first), from the shortest to the longest h."""
    keys_P, p_P, suffix_P = np.zeros(1, dtype=np.int64), np.full(1, 1 / size), np.zeros(1, dtype=np.int64)
    first_state, suffixes, ps, gammas = 0, [], [], []
    for length, (level, discounts) in enumerate(zip(counts.levels, counts.discounts, strict=True), 1):
        parents_N = np.repeat(np.arange(len(p_P)), level.children_P)
        suffix_N = np.searchsorted(keys_P, suffix_P[parents_N] * size + level.symbols_N) * (length > 1)
        totals_P = np.bincount(parents_N, level.counts_N, len(p_P)) + level.pruned_P
        share_N = (level.counts_N - discounts[np.minimum(level.counts_N, 3) - 1]) / totals_P[parents_N]
        gamma_P = np.maximum(1 - np.bincount(parents_N, share_N, len(p_P)), 0)
        gammas.append(gamma_P)
        ps.append(share_N + gamma_P[parents_N] * p_P[suffix_N])
        suffixes.append(first_state + suffix_N)
        first_state += len(p_P)
        keys_P, p_P, suffix_P = parents_N * size + level.symbols_N, ps[-1], suffix_N
    return _linked(counts.levels, np.concatenate(suffixes), np.concatenate(ps), np.concatenate(gammas))


def _linked(levels: tuple[Level, ...], suffix_N: Ints, p_N: Floats, gammas_C: Floats) -> Chances:
    """Link the n-grams: one without continuations is replaced by its longest suffix that has some."""
    children_C = np.concatenate([level.children_P for level in levels]).astype(np.int64)
    state_C = np.arange(len(children_C))
    ends = np.cumsum([1, *(len(level.symbols_N) for level in levels[:-1])])
    for begin, end in pairwise(ends.tolist()):
        idle = begin + np.flatnonzero(children_C[begin:end] == 0)
        state_C[idle] = state_C[suffix_N[idle - 1]]
    next_N = state_C[suffix_N]
    next_N[: len(state_C) - 1] = state_C[1:]
    return Chances(
        starts_C1=np.concatenate([[0], children_C.cumsum()]),
        shorter_C=np.concatenate([[0], state_C[suffix_N[: len(state_C) - 1]]]),
        gammas_C=gammas_C.astype(np.float32),
        symbols_N=np.concatenate([level.symbols_N for level in levels]),
        p_N=p_N.astype(np.float32),
        next_N=next_N,
    )
