"""A model of known words, beside the n-gram of letters, which can spell any word: unigrams and bigrams.

A source of text gives p(w | h) by Witten and Bell's interpolation (1991, method C): the words that followed the word
before, then the word alone. A word list gives its frequencies. They are mixed linearly with the n-gram of letters
(Jelinek and Mercer 1980): p(w | h) = share₀ · p(letters of w) + Σ share · p_source(w | h), so that every word stays
possible. The shares are those that best predict held-out transcripts, with a prior that counts as a few words. In
languages that write no spaces, or freely join words, few words are known, and nearly all of the share is the letters'.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from earful.ctc.arrays import Arrays, read_arrays, write_arrays
from earful.ctc.known import Vocabulary, fill_table, p_of_word, spelled, word_of
from earful.ctc.ngram import NGram
from earful.ctc.states import exact
from earful.errors import CheckpointError, ConfigError, EarfulError
from earful.text.alphabet import Alphabet

MOST_WORDS = 150_000
"""The number of words that are kept of a source; rarer ones are hardly ever said, and take memory."""
FORMAT = "1"
SPACE = " "
EXPERIENCE, LETTERS = 30.0, 0.3
"""The prior of a language: this number of words, of which the letters explain this share."""
_EM_STEPS = 50

Ints = NDArray[np.integer[Any]]
Floats = NDArray[np.floating[Any]]


@final
@dataclass(frozen=True, eq=False)
class WordCounts:
    """A source of words: counts of words, and of pairs of consecutive words (by their places in `words`).

    `kinds`, the number of different words, gives the probability of a new word (0 for a list, whose counts are
    probabilities).
    """

    words: tuple[str, ...]
    counts_W: Floats
    first_P: Ints
    second_P: Ints
    counts_P: Floats
    kinds: float
    _hashes: dict[Alphabet, Ints] = field(init=False, repr=False, default_factory=dict)

    def hashes(self, alphabet: Alphabet) -> Ints:
        """The hash `[W]` of each word; 0 if the alphabet cannot write it. Cached for mixing with many sources."""
        if alphabet not in self._hashes:
            self._hashes[alphabet] = _hashed(self.words, alphabet)
        return self._hashes[alphabet]


@final
@dataclass(frozen=True, eq=False)
class Words:
    """Sources of words with their shares: first the share of the letters, then of each source; they sum to 1.

    `p_space` is the probability that a word is followed by another one and does not end the text. Raises ConfigError
    for impossible shares.
    """

    sources: tuple[WordCounts, ...]
    shares: tuple[float, ...]
    p_space: float

    def __post_init__(self) -> None:
        right = len(self.shares) == len(self.sources) + 1 and min(self.shares) >= 0 and 0 < self.p_space < 1
        if not right or not np.isclose(sum(self.shares), 1, atol=1e-5) or not self.shares[0]:
            raise ConfigError(f"expected a share for the letters, and for each source of words, got {self.shares}")

    @cached_property
    def known(self) -> frozenset[str]:
        """All words of all sources."""
        return frozenset(word for source in self.sources for word in source.words)


def count_words(lines: Iterable[str], most: int = MOST_WORDS) -> WordCounts:
    """Count the words of normalised text, about a sentence per line, and the pairs of consecutive words in a line."""
    split = [line.split() for line in lines]
    counts = Counter(word for words in split for word in words)
    kept = {word: place for place, (word, _) in enumerate(counts.most_common(most))}
    pairs = Counter(
        (kept[first], kept[second])
        for words in split
        for first, second in pairwise(words)
        if first in kept and second in kept
    )
    first_P, second_P = np.array(list(pairs) or np.zeros((0, 2)), np.int32).T
    counts_W = np.array([counts[word] for word in kept], np.float32)
    return WordCounts(tuple(kept), counts_W, first_P, second_P, np.array(list(pairs.values()), np.float32), len(counts))


def listed_words(frequencies: Mapping[str, float], most: int = MOST_WORDS) -> WordCounts:
    """A word list as a source, with frequencies as probabilities."""
    kept = sorted(frequencies, key=lambda word: (-frequencies[word], word))[:most]
    counts_W = np.array([frequencies[word] for word in kept], np.float64)
    none = np.zeros(0, np.int32)
    p_W = (counts_W / max(counts_W.sum(), 1e-9)).astype(np.float32)
    return WordCounts(tuple(kept), p_W, none, none, none.astype(np.float32), 0.0)


# --- shares ----------------------------------------------------------------------------------------------------------


class Fold(NamedTuple):
    """Held-out transcripts, the model learned from the others, and the n-gram of letters of the others."""

    held: Sequence[str]
    rest: Sequence[str]
    letters: NGram


def mix_words(transcripts: Sequence[str], others: Sequence[WordCounts], folds: Iterable[Fold]) -> Words:
    """The words of transcripts and of `others`, each with the share that best predicts held-out transcripts."""
    own = [count_words(transcripts)] if any(text.split() for text in transcripts) else []
    words, texts = sum(len(text.split()) for text in transcripts), len(transcripts)
    p_space = min(max(1 - (texts + 1) / (words + 8), 0.5), 0.99)
    count, found, tables = 1 + len(own) + len(others), [], list[Vocabulary]()
    for fold in folds:
        tables = tables or [_alone(each, p_space, fold.letters.alphabet) for each in others]
        first = [_alone(count_words(fold.rest), p_space, fold.letters.alphabet)] if own else []
        found.append(_explained(fold, [*first, *tables], p_space))
    p_KN = np.concatenate([np.zeros((count, 0)), *found], axis=1)
    prior_K = np.full(count, (1 - LETTERS) / max(count - 1, 1))
    prior_K[0] = LETTERS if count > 1 else 1.0
    return Words((*own, *others), tuple(map(float, _shares(p_KN, prior_K))), p_space)


def _alone(source: WordCounts, p_space: float, alphabet: Alphabet) -> Vocabulary:
    """One source alone."""
    return vocabulary(Words((source,), (1e-9, 1 - 1e-9), p_space), alphabet)


def _explained(fold: Fold, sources: Sequence[Vocabulary], p_space: float) -> Floats:
    """The probability `[K, N]` of each held word by the letters, and by each source."""
    alphabet, columns = fold.letters.alphabet, []
    for text in fold.held:
        logp, place, before = fold.letters.logp(text), 0, [0] * len(sources)
        for word in text.split(SPACE):
            ids = alphabet.encode(word)
            last = place + len(ids) == len(logp) - 1
            by_letters = np.exp(logp[place : place + len(ids) + 1].sum())
            now = [word_of(known, _hash(ids)) for known in sources]
            p = [p_of_word(known, h, w) for known, h, w in zip(sources, before, now, strict=True)]
            columns.append([by_letters, *(one * (1 - p_space if last else p_space) for one in p)])
            place, before = place + len(ids) + 1, now
    return np.array(columns).T if columns else np.zeros((1 + len(sources), 0))


def _shares(p_KN: Floats, prior_K: Floats) -> Floats:
    """The shares that maximise the likelihood of N words, by expectation maximisation, with the prior EXPERIENCE."""
    shares_K = prior_K.copy()
    for _ in range(_EM_STEPS):
        parts_KN = shares_K[:, None] * p_KN
        seen_K = (parts_KN / np.maximum(parts_KN.sum(0), 1e-300)).sum(1)
        shares_K = (seen_K + EXPERIENCE * prior_K) / (seen_K.sum() + EXPERIENCE)
    found: Floats = shares_K / shares_K.sum()
    return found


def _hash(ids: Iterable[int]) -> int:
    found = 0
    for symbol in ids:
        found = spelled(found, symbol)
    return found


# --- for the search --------------------------------------------------------------------------------------------------


def no_words(size: int) -> Vocabulary:
    """The search's tables if no words are known; `size` is that of the alphabet."""
    ints, floats = np.zeros(0, np.int64), np.zeros((0, 0))
    return Vocabulary(size, 1.0, 0.5, ints, ints, np.zeros(0), floats, floats, ints, np.zeros(0))


def vocabulary(model: Words, alphabet: Alphabet) -> Vocabulary:
    """The tables of a word model, for words that the alphabet can write. Word 0 is the start of a text."""
    if SPACE not in alphabet.symbols:
        return no_words(alphabet.size)
    hashes_S = [source.hashes(alphabet) for source in model.sources]
    every, places_S = _places(hashes_S)
    size, sources = len(every) + 1, len(model.sources)
    p_SW, gammas_SW = np.zeros((sources, size)), np.ones((sources, size))
    keys, p = [np.zeros(0, np.int64)], [np.zeros(0)]
    for s, (source, share, place_W) in enumerate(zip(model.sources, model.shares[1:], places_S, strict=True)):
        p_SW[s, place_W] = source.counts_W / max(float(source.counts_W.sum()) + source.kinds, 1e-9)
        p_SW[s, 0] = 0.0
        first_P, second_P = place_W[source.first_P], place_W[source.second_P]
        usable_P = (first_P > 0) & (second_P > 0)
        totals_W, kinds_W = (np.bincount(first_P, weights, size) for weights in (source.counts_P, None))
        gammas_SW[s] = np.where(totals_W > 0, kinds_W / np.maximum(totals_W + kinds_W, 1), 1.0)
        gammas_SW[s, 0] = 1.0
        keys.append((first_P[usable_P] << 32) | second_P[usable_P])
        p.append(share * (source.counts_P / np.maximum(totals_W + kinds_W, 1)[first_P])[usable_P])
    shares_S = np.array(model.shares[1:])
    hashes, places_W = _table(every)
    words = np.zeros(len(hashes), np.int64)
    words[places_W] = np.arange(1, size)
    pairs, p_pairs = _summed(np.concatenate(keys), np.concatenate(p))
    space = alphabet.encode(SPACE)[0]
    return Vocabulary(
        space, model.shares[0], model.p_space, hashes, words, shares_S, p_SW, gammas_SW, pairs, p_pairs
    )  # fmt: skip


def _places(hashes_S: Sequence[Ints]) -> tuple[Ints, list[Ints]]:
    """The hashes of all writable words, in their first order, and the place of each word, from 1 on; 0 for others."""
    together = np.concatenate([np.zeros(0, np.int64), *hashes_S])
    distinct, first, inverse = np.unique(together, return_index=True, return_inverse=True)
    written = distinct != 0
    order = np.argsort(first[written])
    place_D = np.zeros(len(distinct), np.int64)
    place_D[np.flatnonzero(written)[order]] = np.arange(1, len(order) + 1)
    ends = np.cumsum([len(each) for each in hashes_S])[:-1]
    return distinct[written][order], np.split(place_D[inverse], ends) if hashes_S else []


def _hashed(words: Sequence[str], alphabet: Alphabet) -> Ints:
    """The hash of each word; 0 if the alphabet cannot write it."""
    text, lengths_W = "".join(words), np.array([len(word) for word in words], np.int64)
    if not text:
        return np.zeros(len(words), np.int64)
    points_T = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    id_of = np.zeros(int(points_T.max()) + 1, np.int64)
    for position, symbol in enumerate(alphabet.symbols):
        if symbol != SPACE and len(symbol) == 1 and ord(symbol) < len(id_of):
            id_of[ord(symbol)] = position + 1
    ids_T, hashes_W = id_of[points_T], np.zeros(len(words), np.int64)
    _hash_all(ids_T, lengths_W, hashes_W)
    strange_T = np.concatenate([[0], np.cumsum(ids_T == 0)])
    ends_W = np.cumsum(lengths_W)
    hashes_W[strange_T[ends_W] > strange_T[ends_W - lengths_W]] = 0
    return hashes_W


@exact
def _hash_all(ids_T: Any, lengths_W: Any, hashes_W: Any) -> None:
    place = 0
    for w in range(len(lengths_W)):
        found = 0
        for i in range(place, place + lengths_W[w]):
            found = spelled(found, ids_T[i])
        hashes_W[w], place = found, place + lengths_W[w]


def _summed(keys_N: Ints, p_N: Floats) -> tuple[Ints, Floats]:
    """A table of pairs of words; counts of the same pair in several sources are added."""
    table, places_N = _table(keys_N)
    return table, np.bincount(places_N, p_N, len(table)).astype(np.float64)


def _table(keys_N: Ints) -> tuple[Ints, Ints]:
    table = np.zeros(1 << max(4, int(2 * len(keys_N)).bit_length()), np.int64)
    places_N = np.zeros(len(keys_N), np.int64)
    fill_table(np.ascontiguousarray(keys_N), table, places_N)
    return table, places_N


# --- the file --------------------------------------------------------------------------------------------------------


def save_words(path: Path, model: Words) -> None:
    """Write a word model as one safetensors file. Raises CheckpointError: it cannot be written."""
    arrays: Arrays = {}
    for place, source in enumerate(model.sources):
        arrays[f"{place}.words"] = np.frombuffer(SPACE.join(source.words).encode(), np.uint8)
        for name in ("counts_W", "first_P", "second_P", "counts_P"):
            arrays[f"{place}.{name}"] = getattr(source, name)
    kinds = [source.kinds for source in model.sources]
    write_arrays(path, arrays, {"shares": model.shares, "kinds": kinds, "p_space": model.p_space}, FORMAT)


def load_words(path: Path) -> Words:
    """Read what `save_words` wrote. Raises CheckpointError: missing, foreign, or damaged."""
    about, arrays = read_arrays(path, FORMAT, "word model")
    try:
        sources = tuple(_source(arrays, place, kinds) for place, kinds in enumerate(about["kinds"]))
        return Words(sources, tuple(about["shares"]), about["p_space"])
    except (EarfulError, ValueError, LookupError, TypeError) as error:
        raise CheckpointError(f"{path}: damaged ({error}); copy or adapt the model again") from error


def _source(arrays: Arrays, place: int, kinds: float) -> WordCounts:
    words = tuple(arrays[f"{place}.words"].tobytes().decode().split(SPACE))
    counts_W, *pairs = (arrays[f"{place}.{name}"] for name in ("counts_W", "first_P", "second_P", "counts_P"))
    return WordCounts(words if words != ("",) else (), counts_W, pairs[0], pairs[1], pairs[2], kinds)
