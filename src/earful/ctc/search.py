"""Prefix beam search, compiled by Numba: what `ctc.beam` prepares is read frame by frame.

Arrays alone go in and come out, grouped in named tuples that Numba knows. What they mean for users is in `ctc.beam`.
Names: `N` frames in which something may be said, `M` symbols that they may be (all frames'), `K` texts in the beam,
`V` symbols, `S` sources of the n-gram.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from earful.ctc.known import cooled, fill, follow, gain_of, heat, row_of, spelled, word_of
from earful.ctc.states import exact

BLANK, ROOT = 0, 0
EDGE = 0
"""The end of a text, among the symbols of a language model."""


class Frames(NamedTuple):
    """Frames with their places in the recording, the probability of the blank, and those of symbols: `starts_N1`."""

    places_N: Any
    p_blank_N: Any
    starts_N1: Any
    symbols_M: Any
    p_M: Any


class Beam(NamedTuple):
    """The texts that are kept, the very best first; probabilities are relative to that of the best."""

    node_K: Any
    last_K: Any
    p_blank_K: Any  # of the paths that end in a blank, and
    p_symbol_K: Any  # of those that end in the last symbol
    added_K: Any  # what language model, length and hot words have added
    state_KS: Any
    row_KV: Any  # log p of each next symbol
    hash_K: Any  # of the letters of the word that is being written
    logp_K: Any  # of these letters, by the n-gram
    before_K: Any  # the word before
    gain_K: Any  # what knowing the word adds if a space comes now
    hot_K: Any


# --- the search ------------------------------------------------------------------------------------------------------


@exact
def _child(tree: Any, node: int, symbol: int) -> Any:
    """The node of a text with one more symbol; 0 where it was not met.

    Rows of `tree`: the node before, the last symbol, the first node after, the next one after the same.
    """
    child = tree[2, node]
    while child and tree[1, child] != symbol:
        child = tree[3, child]
    return child


@exact
def _grown(tree: Any, count: int) -> Any:
    """The tree, with room for one more node."""
    if count < tree.shape[1]:
        return tree
    larger = np.zeros((len(tree), 2 * tree.shape[1]), np.int32)
    larger[:, : tree.shape[1]] = tree
    return larger


@exact
def begun(letters: Any, size: int) -> Any:
    """The beam before the first frame: the empty text."""
    sources = len(letters.weights_S)
    state_KS, row_KV = np.zeros((1, sources), np.int64), np.zeros((1, size), np.float32)
    state_KS[0] = letters.begins_S
    if sources:
        fill(letters, state_KS[0], row_KV[0])
    zeros = np.zeros(1)
    return Beam(
        np.zeros(1, np.int64), np.zeros(1, np.int64), np.ones(1), zeros, np.zeros(1), state_KS, row_KV,
        np.zeros(1, np.int64), np.zeros(1), np.zeros(1, np.int64), np.zeros(1), np.zeros(1, np.int64),
    )  # fmt: skip


@exact
def _candidates(
    beam: Any, p_blank: float, symbols: Any, p_said: Any, weight: float, bonus: float, space: int, hot: Any, tree: Any,
    slot: Any, out: Any, of: Any,
) -> int:  # fmt: skip
    """Each text that one frame more can spell. `out`: score, p_blank, p_symbol, added; `of`: whose, symbol, hot state.

    How many there are; those of the beam come first, in its order.
    """
    kept = len(beam.node_K)
    p_V = np.zeros(beam.row_KV.shape[1])
    for i in range(len(symbols)):
        p_V[symbols[i]] = p_said[i]
    for k in range(kept):
        slot[beam.node_K[k]] = k + 1
        out[k, 1] = (beam.p_blank_K[k] + beam.p_symbol_K[k]) * p_blank
        out[k, 2] = beam.p_symbol_K[k] * (p_V[beam.last_K[k]] if beam.last_K[k] != BLANK else 0.0)
        out[k, 3] = beam.added_K[k]
        of[k, 0], of[k, 1], of[k, 2] = k, BLANK, beam.hot_K[k]
    count = kept
    for k in range(kept):
        both = beam.p_blank_K[k] + beam.p_symbol_K[k]
        for i in range(len(symbols)):
            symbol = symbols[i]
            # a blank must part equal neighbours
            p = (beam.p_blank_K[k] if symbol == beam.last_K[k] else both) * p_said[i]
            if p == 0:
                continue
            child = _child(tree, beam.node_K[k], symbol)
            if child and slot[child]:
                out[slot[child] - 1, 2] += p
                continue
            hot_state, granted = heat(hot, beam.hot_K[k], symbol)
            gain = beam.gain_K[k] if symbol == space else 0.0
            out[count, 1], out[count, 2] = 0.0, p
            out[count, 3] = beam.added_K[k] + weight * (beam.row_KV[k, symbol] + gain) + bonus + granted
            of[count, 0], of[count, 1], of[count, 2] = k, symbol, hot_state
            count += 1
    for k in range(kept):
        slot[beam.node_K[k]] = 0
    for c in range(count):
        total = out[c, 1] + out[c, 2]
        out[c, 0] = math.log(total) + out[c, 3] if total > 0 else -np.inf
    return count


@exact
def _best(scores_C: Any, width: int) -> Any:
    """The places of the `width` greatest scores that are possible, the greatest first; of equals the earlier."""
    order = np.argsort(-scores_C, kind="mergesort")[:width]
    return order[scores_C[order] > -np.inf]


@exact
def _extended(
    old: Any, out: Any, of: Any, best: Any, tree: Any, count: int, letters: Any, vocabulary: Any, caches: Any
) -> Any:
    """The next beam: the `best` candidates, with what they need to go on."""
    kept, size = len(best), old.row_KV.shape[1]
    beam = Beam(
        np.empty(kept, np.int64), np.empty(kept, np.int64), np.empty(kept), np.empty(kept), np.empty(kept),
        np.empty((kept, old.state_KS.shape[1]), np.int64), np.zeros((kept, size), np.float32),
        np.empty(kept, np.int64), np.empty(kept), np.empty(kept, np.int64), np.empty(kept), np.empty(kept, np.int64),
    )  # fmt: skip
    scale = 1 / (out[best[0], 1] + out[best[0], 2])  # lest they become too small for floats
    cache_states, cache_rows = caches
    for k in range(kept):
        c = best[k]
        parent, symbol = of[c, 0], of[c, 1]
        beam.p_blank_K[k], beam.p_symbol_K[k] = out[c, 1] * scale, out[c, 2] * scale
        beam.added_K[k], beam.hot_K[k] = out[c, 3], of[c, 2]
        beam.node_K[k], beam.last_K[k] = old.node_K[parent], old.last_K[parent]
        beam.hash_K[k], beam.logp_K[k] = old.hash_K[parent], old.logp_K[parent]
        beam.before_K[k], beam.gain_K[k] = old.before_K[parent], old.gain_K[parent]
        if symbol == BLANK:
            beam.state_KS[k], beam.row_KV[k] = old.state_KS[parent], old.row_KV[parent]
            continue
        beam.last_K[k] = symbol
        node = _child(tree, old.node_K[parent], symbol)
        if not node:
            tree, node = _grown(tree, count), count
            tree[0, node], tree[1, node] = old.node_K[parent], symbol
            tree[3, node], tree[2, old.node_K[parent]] = tree[2, old.node_K[parent]], node
            count += 1
        beam.node_K[k] = node
        if len(letters.weights_S):
            follow(letters, old.state_KS[parent], symbol, beam.state_KS[k])
            row_of(letters, beam.state_KS[k], cache_states, cache_rows, beam.row_KV[k])
        if len(vocabulary.hashes):
            _write(old, parent, symbol, vocabulary, beam, k)
    return beam, tree, count


@exact
def _write(old: Any, parent: int, symbol: int, vocabulary: Any, beam: Any, k: int) -> None:
    """The word that is being written, one symbol further."""
    if symbol == vocabulary.space:
        if old.hash_K[parent]:
            beam.before_K[k] = word_of(vocabulary, old.hash_K[parent])
        beam.hash_K[k], beam.logp_K[k], beam.gain_K[k] = 0, 0.0, 0.0
        return
    beam.hash_K[k] = spelled(old.hash_K[parent], symbol)
    beam.logp_K[k] = old.logp_K[parent] + old.row_KV[parent, symbol]
    logp_space = beam.row_KV[k, vocabulary.space]
    p_space = vocabulary.p_space
    beam.gain_K[k] = gain_of(vocabulary, beam.hash_K[k], beam.before_K[k], beam.logp_K[k], logp_space, p_space)


@exact
def ended(beam: Any, letters: Any, vocabulary: Any, hot: Any, weight: float) -> Any:
    """The score of each text if it ends here."""
    scores_K = np.empty(len(beam.node_K))
    for k in range(len(scores_K)):
        end = 0.0
        if len(letters.weights_S):
            end = beam.row_KV[k, EDGE]
            p_end = 1 - vocabulary.p_space
            end += gain_of(vocabulary, beam.hash_K[k], beam.before_K[k], beam.logp_K[k], beam.row_KV[k, EDGE], p_end)
        scores_K[k] = math.log(beam.p_blank_K[k] + beam.p_symbol_K[k]) + beam.added_K[k] + weight * end
        scores_K[k] += cooled(hot, beam.hot_K[k])
    return scores_K


@exact
def onward(
    frames: Any, beam: Any, tree: Any, count: int, done: int, letters: Any, vocabulary: Any, hot: Any, weight: float,
    bonus: float, width: int, caches: Any, nodes_NK: Any, scores_NK: Any,
) -> Any:  # fmt: skip
    """The beam after these frames too, its tree of `count` nodes, and the frame up to which was read: `done` before.

    `nodes_NK` and `scores_NK`, where they are not empty, take what the beam was after each frame.
    """
    slot = np.zeros(tree.shape[1], np.int64)
    out, of = np.empty((64, 4)), np.empty((64, 3), np.int64)
    for n in range(len(frames.places_N)):
        if frames.places_N[n] > done:  # the frames between are surely blank, however many: they cost all the same
            beam.p_blank_K[:] += beam.p_symbol_K
            beam.p_symbol_K[:] = 0.0
        begin, end = frames.starts_N1[n], frames.starts_N1[n + 1]
        most = len(beam.node_K) * (1 + end - begin)
        if most > len(out):
            out, of = np.empty((2 * most, 4)), np.empty((2 * most, 3), np.int64)
        if len(slot) < tree.shape[1]:
            slot = np.zeros(tree.shape[1], np.int64)
        found = _candidates(
            beam, frames.p_blank_N[n], frames.symbols_M[begin:end], frames.p_M[begin:end], weight, bonus,
            vocabulary.space, hot, tree, slot, out, of,
        )  # fmt: skip
        best = _best(out[:found, 0].copy(), width)
        beam, tree, count = _extended(beam, out, of, best, tree, count, letters, vocabulary, caches)
        done = frames.places_N[n] + 1
        if len(nodes_NK):
            kept = min(len(best), nodes_NK.shape[1])
            nodes_NK[n, :kept] = beam.node_K[:kept]
            scores_NK[n, :kept] = np.log(beam.p_blank_K[:kept] + beam.p_symbol_K[:kept]) + beam.added_K[:kept]
    return beam, tree, count, done


@exact
def search(
    frames: Any, letters: Any, vocabulary: Any, hot: Any, weight: float, bonus: float, width: int, size: int,
    caches: Any, nodes_NK: Any, scores_NK: Any,
) -> Any:  # fmt: skip
    """The nodes of the best texts, the best first, their scores, and the tree that they stand in: as `onward`."""
    beam, tree, count, _ = onward(
        frames, begun(letters, size), np.zeros((4, 1024), np.int32), 1, 0, letters, vocabulary, hot, weight, bonus,
        width, caches, nodes_NK, scores_NK,
    )  # fmt: skip
    scores_K = ended(beam, letters, vocabulary, hot, weight)
    order = np.argsort(-scores_K, kind="mergesort")
    return beam.node_K[order], scores_K[order], tree[:, :count].copy()


@exact
def sureness(path_L: Any, rows_L: Any, tree: Any, nodes_NK: Any, scores_NK: Any) -> Any:
    """How likely each symbol of a text is, given those before: of what the beam held then that goes through these.

    `rows_L` says after which frame the beam is asked; at the end it holds what it held last.
    """
    sure_L = np.ones(len(path_L))
    depths = np.zeros(tree.shape[1], np.int64)
    for node in range(1, tree.shape[1]):
        depths[node] = depths[tree[0, node]] + 1
    for i in range(len(path_L)):
        row = min(rows_L[i], len(nodes_NK) - 1)
        through, before = 0.0, 0.0
        for k in range(nodes_NK.shape[1]):
            node = nodes_NK[row, k]
            if node < 0:
                break
            p = math.exp(scores_NK[row, k] - scores_NK[row, 0])
            last = node
            while depths[node] > i:
                last, node = node, tree[0, node]
            if depths[node] == i and (i == 0 or node == path_L[i - 1]):
                before += p
                through += p if last == path_L[i] else 0.0
        sure_L[i] = through / before if before > 0 else 1.0
    return sure_L
