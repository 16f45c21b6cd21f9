"""What a search knows of a language, in tables that Numba reads: letters by an n-gram, words by their hash, hot words.

Names: `V` symbols, `S` sources, `W` words, `H` nodes of the tree of hot words.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from earful.ctc.states import exact

UNKNOWN = -1
"""The word before, where it is not in the list; 0 is the start of a text."""
DEAD = -1
"""Where no hot word can begin or go on, until the next space."""
_PRIME = 1_000_003


class Letters(NamedTuple):
    """An n-gram of symbols: `ctc.kneser_ney.Chances` of all sources, one after another.

    `firsts_S1` says where the states of each source begin, `offsets_S1` where its symbols do.
    """

    weights_S: Any
    begins_S: Any
    firsts_S1: Any
    offsets_S1: Any
    starts: Any
    shorter: Any
    gammas: Any
    symbols: Any
    p: Any
    next: Any


class Vocabulary(NamedTuple):
    """Words by the hash of their letters, and how likely each is after each (`ctc.words`)."""

    space: int
    p_letters: float
    p_space: float
    hashes: Any
    words: Any
    shares_S: Any
    p_SW: Any
    gammas_SW: Any
    pairs: Any
    p_pairs: Any


class Hot(NamedTuple):
    """A tree of words to listen for: where each symbol leads, and what was granted up to there.

    What may be kept where a phrase breaks off, where its last word stands alone in the tree, and what a whole one adds.
    """

    space: int
    next_HV: Any
    granted_H: Any
    kept_H: Any
    again_H: Any
    final_H: Any


# --- language: letters -----------------------------------------------------------------------------------------------


@exact
def fill(letters: Any, state_S: Any, row_V: Any) -> None:
    """log p of each next symbol, by the weighted sources (as `Chances.look`)."""
    size = len(row_V)
    p_V, sum_V = np.empty(size), np.zeros(size)
    chain = np.empty(64, np.int64)
    for s in range(len(state_S)):
        first, offset = letters.firsts_S1[s], letters.offsets_S1[s]
        depth, state = 0, state_S[s]
        chain[0] = state
        while state:
            state = letters.shorter[first + state]
            depth += 1
            chain[depth] = state
        p_V[:] = 1.0 / size
        for d in range(depth, -1, -1):
            state = first + chain[d] + s  # there is one more start than states in each source
            gamma = letters.gammas[first + chain[d]]
            for v in range(size):
                p_V[v] *= gamma
            for i in range(letters.starts[state], letters.starts[state + 1]):
                p_V[letters.symbols[offset + i]] = letters.p[offset + i]
        for v in range(size):
            sum_V[v] += letters.weights_S[s] * p_V[v]
    for v in range(size):
        row_V[v] = math.log(sum_V[v])


@exact
def follow(letters: Any, state_S: Any, symbol: int, out_S: Any) -> None:
    """The states after one more symbol."""
    for s in range(len(state_S)):
        first, offset, state = letters.firsts_S1[s], letters.offsets_S1[s], state_S[s]
        out_S[s] = 0
        while True:
            low, high = letters.starts[first + state + s], letters.starts[first + state + s + 1]
            end = high
            while low < high:
                middle = (low + high) // 2
                if letters.symbols[offset + middle] < symbol:
                    low = middle + 1
                else:
                    high = middle
            if low < end and letters.symbols[offset + low] == symbol:
                out_S[s] = letters.next[offset + low]
                break
            if not state:
                break
            state = letters.shorter[first + state]


@exact
def row_of(letters: Any, state_S: Any, cache_states: Any, cache_rows: Any, out_V: Any) -> None:
    """`fill`, by a memory of the latest rows: a search comes back to them."""
    slot = 0
    for s in range(len(state_S)):
        slot = slot * _PRIME + state_S[s]
    slot = abs(slot) % len(cache_rows)
    known = True
    for s in range(len(state_S)):
        known = known and cache_states[slot, s] == state_S[s]
    if not known:
        fill(letters, state_S, cache_rows[slot])
        cache_states[slot] = state_S
    out_V[:] = cache_rows[slot]


# --- language: words -------------------------------------------------------------------------------------------------


@exact
def spelled(hash_: int, symbol: int) -> Any:
    """The hash of a word with one more letter; that of none is 0."""
    mixed = (np.uint64(hash_) ^ np.uint64(symbol)) * np.uint64(0x9E3779B97F4A7C15)
    return np.int64((mixed ^ (mixed >> np.uint64(29))) | np.uint64(1))


@exact
def find(table: Any, key: int) -> Any:
    """The place of a key in a table of open addresses; -1 where it is not."""
    mask = len(table) - 1
    place = np.int64((np.uint64(key) * np.uint64(0xD6E8FEB86659FD93)) >> np.uint64(20)) & mask
    while table[place] != 0:
        if table[place] == key:
            return place
        place = (place + 1) & mask
    return -1


@exact
def fill_table(keys_N: Any, table: Any, places_N: Any) -> None:
    """Lay keys, which are not 0, into an empty table; where each came to lie. The same key comes to the same place."""
    mask = len(table) - 1
    for i in range(len(keys_N)):
        key = keys_N[i]
        place = np.int64((np.uint64(key) * np.uint64(0xD6E8FEB86659FD93)) >> np.uint64(20)) & mask
        while table[place] != 0 and table[place] != key:
            place = (place + 1) & mask
        table[place] = key
        places_N[i] = place


@exact
def word_of(vocabulary: Any, hash_: int) -> int:
    """The word of a hash; UNKNOWN where it is none."""
    place = find(vocabulary.hashes, hash_)
    return UNKNOWN if place < 0 else vocabulary.words[place]


@exact
def p_of_word(vocabulary: Any, before: int, word: int) -> float:
    """How likely a word is after another, by all sources that count words."""
    if word < 0:
        return 0.0
    p = 0.0
    for s in range(len(vocabulary.shares_S)):
        gamma = vocabulary.gammas_SW[s, before] if before >= 0 else 1.0
        p += vocabulary.shares_S[s] * gamma * vocabulary.p_SW[s, word]
    if before >= 0:
        place = find(vocabulary.pairs, (before << 32) | word)
        if place >= 0:
            p += vocabulary.p_pairs[place]
    return p


@exact
def gain_of(vocabulary: Any, hash_: int, before: int, logp: float, logp_end: float, p_end: float) -> float:
    """What knowing the word adds to the n-gram's log-probability of it and what ends it."""
    if hash_ == 0 or len(vocabulary.hashes) == 0:
        return 0.0
    p = p_of_word(vocabulary, before, word_of(vocabulary, hash_)) * p_end
    spelt = logp + logp_end
    by_letters = math.log(vocabulary.p_letters) + spelt
    if p <= 0:
        return by_letters - spelt
    by_words = math.log(p)
    most = max(by_letters, by_words)
    return most + math.log(math.exp(by_letters - most) + math.exp(by_words - most)) - spelt


# --- hot words -------------------------------------------------------------------------------------------------------


@exact
def heat(hot: Any, state: int, symbol: int) -> tuple[int, float]:
    """Where one more symbol leads in the tree of hot words, and what it grants or takes back."""
    if len(hot.next_HV) == 0:
        return 0, 0.0
    if symbol == hot.space and (state == DEAD or hot.next_HV[state, symbol] == 0):
        return 0, cooled(hot, state)
    total = 0.0
    while state != DEAD:
        onward = hot.next_HV[state, symbol]
        if onward > 0:
            return onward, total + hot.granted_H[onward] - hot.granted_H[state]
        total += hot.kept_H[state] - hot.granted_H[state]
        state = hot.again_H[state]
        total += hot.granted_H[state] if state != DEAD else 0.0
    return DEAD, total


@exact
def cooled(hot: Any, state: int) -> Any:
    """What is granted or taken back where a word ends."""
    total = 0.0
    while state != DEAD and len(hot.next_HV):
        total -= hot.granted_H[state]
        if hot.final_H[state] != 0:
            return total + hot.final_H[state]
        total += hot.kept_H[state]
        state = hot.again_H[state]
        total += hot.granted_H[state] if state != DEAD else 0.0
    return total
