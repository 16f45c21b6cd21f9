"""What is certain amid a recording is what its whole text begins with, however it goes on and wherever it is cut."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earful.ctc.beam import Search
from earful.ctc.certain import Certain, Known
from earful.ctc.greedy import best_path
from earful.ctc.ngram import learn
from earful.ctc.stretches import merge_stretches, search_stretches, stretches
from earful.text.alphabet import Alphabet

ALPHABET = Alphabet((" ", "a", "b"))
LEARNED = learn(["ab ab", "a ab b", "ab", "b ab ab"], ALPHABET, 3)
SEARCHES = {
    "the best path": None,
    "a search": Search(ALPHABET.size, width=8),
    "with a language model": Search(ALPHABET.size, LEARNED, weight=0.7, bonus=0.8, width=8),
}
seeds = st.integers(0, 10_000)


def random_logp(seed: int, frames: int) -> np.ndarray:
    """Log-probabilities `[F, V]` of which some frames are sure of a symbol, some of none, and some of the blank."""
    rng = np.random.default_rng(seed)
    logits_FV = rng.normal(0, 2, (frames, ALPHABET.size)) * rng.choice([0.3, 1.0, 8.0], (frames, 1))
    logits_FV[rng.random(frames) < 0.3, 0] += 30
    return (logits_FV - np.log(np.exp(logits_FV).sum(1, keepdims=True))).astype(np.float16)


def kept(search: Search | None, logp_FV: np.ndarray) -> tuple[np.ndarray, ...]:
    return best_path(logp_FV) if search is None else (logp_FV,)


def whole(search: Search | None, logp_FV: np.ndarray, heard_F: np.ndarray) -> list[tuple[int, ...]]:
    """What the whole recording says, stretch by stretch."""
    said = merge_stretches(*best_path(logp_FV), heard_F) if search is None else None
    said = said if said is not None else search_stretches(search, logp_FV, heard_F)[0]
    return [tuple(each.symbol for each in stretch) for stretch in said]


@pytest.mark.parametrize("name", SEARCHES)
@settings(max_examples=60, deadline=None)
@given(seed=seeds, other=seeds, cuts=st.lists(st.integers(0, 120), max_size=5), gap=st.integers(20, 100))
def test_what_is_certain_stays(name: str, seed: int, other: int, cuts: list[int], gap: int) -> None:
    search, frames = SEARCHES[name], 120
    logp_FV, heard_F = random_logp(seed, frames), np.ones(frames, np.bool_)
    heard_F[gap : gap + 10] = False
    expected = whole(search, logp_FV, heard_F)
    certain, found, stretch = Certain(search), list[Known](), 0
    for begin, end in pairwise([0, *sorted(cuts), frames]):
        for known in certain.add(heard_F[begin:end], *kept(search, logp_FV[begin:end])):
            assert known.symbols == expected[stretch][: len(known.symbols)], "the text begins with it"
            assert known.symbols == expected[stretch] or not known.over, "a stretch that is over is all there"
            stretch += known.over
            found.append(known)
        elsewise = np.concatenate([logp_FV[:end], random_logp(other, 60)])
        also_F = np.concatenate([heard_F[:end], np.ones(60, np.bool_)])
        for known, said in zip(found[-1:], whole(search, elsewise, also_F)[stretch:], strict=False):
            assert known.over or known.symbols == said[: len(known.symbols)], "whatever follows"
    assert stretch == sum(end < frames for _, end in stretches(heard_F))


@pytest.mark.parametrize("name", ["the best path", "a search"])
def test_most_is_certain_soon(name: str) -> None:
    """Where the sound is clear, only so much waits for what follows as the search has other beginnings in mind.

    With a language it can be more: where that likes the text without its begin, this stays in mind.
    """
    search, said = SEARCHES[name], [1 + n % 3 for n in range(60)]
    logp_FV = np.full((3 * len(said), ALPHABET.size), -9.0, np.float16)
    logp_FV[1::3, 0] = logp_FV[2::3, 0] = 0.0
    logp_FV[range(0, len(logp_FV), 3), said] = 0.0
    certain, waits = Certain(search), 0 if search is None else search.width
    for end in range(30, len(logp_FV), 30):
        (known,) = certain.add(np.ones(30), *kept(search, logp_FV[end - 30 : end]))
        assert end // 3 - waits <= len(known.symbols) <= end // 3


@settings(max_examples=40, deadline=None)
@given(seed=seeds, cuts=st.lists(st.integers(0, 90), max_size=4))
def test_a_search_part_by_part_is_the_search(seed: int, cuts: list[int]) -> None:
    search, logp_FV = SEARCHES["with a language model"], random_logp(seed, 90)
    assert search is not None
    growing = search.part_by_part()
    for begin, end in pairwise([0, *sorted(cuts), 90]):
        growing.add(logp_FV[begin:end])
    assert growing.end() == [each.symbol for each in search.hear(logp_FV).emissions]
