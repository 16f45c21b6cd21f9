"""Kneser-Ney smoothing against Chen and Goodman's definition, counted out with dictionaries, and by hand."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earful.ctc.kneser_ney import EDGE_ID, UNPRUNED, Counts, Floats, _distinct, _tokens, chances, count
from earful.errors import ConfigError, TextError
from earful.text.alphabet import Alphabet

ALPHABET = Alphabet((" ", "a", "b", "c"))
TEXTS = st.lists(st.text("ab c?", max_size=12), max_size=8).filter(
    lambda texts: any(set(t) & set("abc") for t in texts)
)


class Reference:
    """p(w | h) by the definition: every count looked up anew, nothing shared, nothing fast."""

    def __init__(self, texts: list[str], alphabet: Alphabet, order: int, least: int = 1) -> None:
        self.size, self.order, self.least = alphabet.size, order, least
        self.raw: Counter[tuple[int, ...]] = Counter()
        for text in texts:
            words = [alphabet.symbols.index(c) + 1 if c in alphabet.symbols else -1 for c in " ".join(text.split())]
            tokens = [EDGE_ID, *words, EDGE_ID] if words else []
            grams = (tuple(tokens[i : i + k]) for k in range(1, order + 1) for i in range(len(tokens) - k + 1))
            self.raw.update(gram for gram in grams if -1 not in gram)
        self.counts = {gram: self.count(gram) for gram in self.raw}
        self.discounts = [self.estimated([c for g, c in self.counts.items() if len(g) == k + 1]) for k in range(order)]

    def count(self, gram: tuple[int, ...]) -> int:
        if len(gram) == self.order or (gram[0] == EDGE_ID and len(gram) > 1):
            return self.raw[gram]
        return max(len({g[0] for g in self.raw if g[1:] == gram}), 1)

    @staticmethod
    def estimated(counts: list[int]) -> list[float]:
        n = [0, *(counts.count(times) for times in (1, 2, 3, 4))]
        y = n[1] / (n[1] + 2 * max(n[2], 1)) if n[1] else 0.5
        if all(n[1:]):
            found = [times - (times + 1) * y * n[times + 1] / n[times] for times in (1, 2, 3)]
            if all(0 < d <= times for times, d in enumerate(found, 1)):
                return found
        return [y, y, y]

    def p(self, context: tuple[int, ...]) -> Floats:
        """The probabilities `[V]` after a context, which may be longer than the order."""
        context = context[-(self.order - 1) :]
        lower_V = self.p(context[1:]) if context else np.full(self.size, 1 / self.size)
        counts = np.array([self.counts.get((*context, symbol), 0) for symbol in range(self.size)])
        if not counts.any():
            return lower_V
        discounts = np.array([0, *self.discounts[len(context)]])[np.minimum(counts, 3)]
        share_V = (counts - discounts) / counts.sum() * [self.is_kept((*context, each)) for each in range(self.size)]
        return share_V + (1 - share_V.sum()) * lower_V

    def is_kept(self, gram: tuple[int, ...]) -> bool:
        return len(gram) <= UNPRUNED or self.raw[gram] >= self.least


def rows_along(counts: Counts, size: int, context: list[int]) -> Floats:
    """The probabilities after each beginning of a context, `[len(context) + 1, V]`."""
    found, rows = chances(counts, size), []
    state = int(found.next_N[EDGE_ID])
    for symbol in [*context, EDGE_ID]:
        p_V, next_V = found.look(state, size)
        rows.append(p_V)
        state = int(next_V[symbol])
    return np.stack(rows)


@settings(deadline=None)
@given(TEXTS, st.lists(st.integers(1, 4), max_size=6), st.integers(2, 5))
def test_equals_the_definition(texts: list[str], context: list[int], order: int) -> None:
    reference = Reference(texts, ALPHABET, order)
    counts = count(texts, ALPHABET, order)
    np.testing.assert_allclose(counts.discounts, reference.discounts)
    wanted = [reference.p((EDGE_ID, *context[:length])) for length in range(len(context) + 1)]
    np.testing.assert_allclose(rows_along(counts, ALPHABET.size, context), wanted, atol=1e-6)


def test_a_longer_text_equals_the_definition() -> None:
    symbols = np.random.default_rng(1).choice(list("aaaabbc "), (40, 25))
    texts = ["".join(row) for row in symbols]
    reference, counts = Reference(texts, ALPHABET, 3), count(texts, ALPHABET, 3)
    assert len(set(reference.discounts[2])) == 3  # three discounts could be estimated
    np.testing.assert_allclose(counts.discounts, reference.discounts)
    context = ALPHABET.encode("abba caabcbacca")
    wanted = [reference.p((EDGE_ID, *context[:length])) for length in range(len(context) + 1)]
    np.testing.assert_allclose(rows_along(counts, ALPHABET.size, context), wanted, atol=1e-6)


def test_by_hand() -> None:
    # "ab": a, b and the end each follow one symbol, and each bigram comes once. All discounts are 3 / (3 + 2) = 0.6,
    # so p(a) = 0.4 / 3 + 0.6 / 3 = 1 / 3, and p(b | a) = 0.4 + 0.6 / 3 = 0.6.
    alphabet = Alphabet(("a", "b"))
    rows = rows_along(count(["ab"], alphabet, 2), 3, [1, 2])
    np.testing.assert_allclose(rows, [[0.2, 0.6, 0.2], [0.2, 0.2, 0.6], [0.6, 0.2, 0.2]], atol=1e-6)


@settings(deadline=None)
@given(TEXTS, st.lists(st.integers(1, 4), max_size=8), st.integers(2, 6), st.integers(0, 60))
def test_sums_to_one_and_leaves_nothing_out(texts: list[str], context: list[int], order: int, most: int) -> None:
    rows = rows_along(count(texts, ALPHABET, order, most), ALPHABET.size, context)
    np.testing.assert_allclose(rows.sum(1), 1, atol=1e-5)
    assert (rows > 0).all()


def test_what_is_pruned_falls_back() -> None:
    symbols = np.random.default_rng(2).choice(list("aaaabbc "), (20, 25))
    texts = ["".join(row) for row in symbols]
    whole, pruned = (count(texts, ALPHABET, 5, most) for most in (10_000, 300))
    lengths, kept = ([len(level.symbols_N) for level in each.levels] for each in (whole, pruned))
    assert sum(lengths) > 300 >= sum(kept) > 200 and kept[:UNPRUNED] == lengths[:UNPRUNED]
    reference = next(r for r in (Reference(texts, ALPHABET, 5, n) for n in range(1, 99)) if kept == kept_by(r))
    context = ALPHABET.encode("abba caabcbacca")
    wanted = [reference.p((EDGE_ID, *context[:length])) for length in range(len(context) + 1)]
    np.testing.assert_allclose(rows_along(pruned, ALPHABET.size, context), wanted, atol=1e-6)
    # what nothing continues any more is no state to be in
    found = chances(pruned, ALPHABET.size)
    assert (np.diff(found.starts_C1)[found.next_N] > 0).all()


def kept_by(reference: Reference) -> list[int]:
    lengths = Counter(len(gram) for gram in reference.raw if reference.is_kept(gram))
    return [lengths[length] for length in range(1, reference.order + 1)]


def test_a_character_without_a_symbol_parts_the_text() -> None:
    parted = count(["ab?ba"], ALPHABET, 4)
    # neither an n-gram with the foreign character nor one across it, nor an edge in its place
    bigrams = np.repeat(np.arange(3), parted.levels[1].children_P), parted.levels[1].symbols_N
    assert list(zip(*map(np.ndarray.tolist, bigrams), strict=True)) == [(0, 2), (1, 0), (1, 3), (2, 2)]
    assert [len(level.symbols_N) for level in parted.levels] == [3, 4, 2, 0]


def test_a_source_has_its_own_chances_for_each_size_of_alphabet() -> None:
    """They are kept, since a source is mixed with many; what is kept is of that size."""
    counts = count(["ab", "ba"], Alphabet(("a", "b")), order=2)
    assert counts.chances(3) is counts.chances(3)
    for size in (5, 3):
        p_V, _ = counts.chances(size).look(0, size)
        assert len(p_V) == size and p_V.sum() == pytest.approx(1)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=60))
def test_distinct_keys_are_those_of_numpy(keys: list[int]) -> None:
    many, places = np.array(keys), np.arange(len(keys)) * 3 + 1
    keys_N, first, own, raw_N = np.unique(many, return_index=True, return_inverse=True, return_counts=True)
    for found, expected in zip(_distinct(many, places), (keys_N, places[first], raw_N, own), strict=True):
        assert found.tolist() == expected.tolist()


@pytest.mark.parametrize("strange", ["\U0001f600", "\ud800", "\x1c"])
def test_strange_characters_part_the_text_and_lines_stay_apart(strange: str) -> None:
    """White space is one space; what the alphabet lacks is -1; ends of lines are edges."""
    found = _tokens([f"ab{strange}a", " ", "b\n a"], Alphabet(("a", "b", " ")))
    between = 3 if strange.isspace() else -1
    assert found.tolist() == [0, 1, 2, between, 1, 0, 2, 3, 1, 0]


def test_what_cannot_be_counted() -> None:
    with pytest.raises(TextError, match="put it in a list"):
        count("ab", ALPHABET)
    with pytest.raises(TextError, match="expected text to learn a language model from"):
        count(["?", ""], ALPHABET)
    with pytest.raises(ConfigError, match="must be from 2 to 12, got 1"):
        count(["ab"], ALPHABET, 1)
