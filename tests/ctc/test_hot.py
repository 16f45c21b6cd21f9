"""The tree of hot words, by hand: what each letter grants, what stays when a word breaks off, where one stands then."""

import numpy as np
import pytest

from earful.ctc.hot import hot_tree, no_hot
from earful.ctc.known import DEAD, Hot
from earful.errors import TextError
from earful.text.alphabet import Alphabet

ALPHABET = Alphabet((" ", "a", "b", "c"))


def state_of(tree: Hot, path: str) -> int:
    state = 0
    for symbol in ALPHABET.encode(path):
        state = int(tree.next_HV[state][symbol])
        assert state, f"{path!r} is not in the tree"
    return state


def row(tree: Hot, path: str) -> tuple[float, float, float]:
    """What is granted on the way there, what of it stays if it breaks off there, and what it is worth as a whole."""
    state = state_of(tree, path)
    return float(tree.granted_H[state]), float(tree.kept_H[state]), float(tree.final_H[state])


def test_each_letter_grants_as_much() -> None:
    tree = hot_tree({"ab": 1.5}, ALPHABET)
    assert [row(tree, path) for path in ("", "a", "ab")] == [(0.0, 0.0, 0.0), (1.5, 0.0, 0.0), (3.0, 0.0, 3.0)]
    assert row(hot_tree({"ab": 0.25}, ALPHABET), "a") == (0.25, 0.0, 0.0), "however little it is"
    assert len(tree.next_HV) == 3 and tree.next_HV.shape == (3, ALPHABET.size)
    assert tree.space == ALPHABET.encode(" ")[0]


def test_words_that_begin_alike_share_their_letters_and_the_greater_grant() -> None:
    tree = hot_tree({"ab": 1.0, "ac": 2.0, "abc": -3.0}, ALPHABET)
    assert len(tree.next_HV) == 5
    assert row(tree, "a") == (-3.0, 0.0, 0.0), "the greatest by its amount"
    assert row(tree, "ab") == (-6.0, 0.0, 2.0) and row(tree, "ac") == (4.0, 0.0, 4.0)
    assert row(tree, "abc") == (-9.0, 0.0, -9.0)


def test_what_had_ended_on_the_way_stays() -> None:
    """Of "a b c", with "a" and "a b" hot as well: once a space has ended "a", its share stays, and so with "a b"."""
    tree = hot_tree({"a b c": 1.0, "a": 1.0, "a b": 2.0}, ALPHABET)
    kept = [row(tree, path)[1] for path in ("a", "a ", "a b", "a b ", "a b c")]
    assert kept == [0.0, 1.0, 1.0, 6.0, 6.0]


def test_a_later_word_may_begin_another() -> None:
    """What is given up after "ab c" stands at the "c" of "ca"; after "ab" nowhere, for no later word has begun."""
    tree = hot_tree({"ab c": 1.0, "ca": 1.0, "c b a": 1.0, "b": 1.0}, ALPHABET)

    def again(path: str) -> int:
        return int(tree.again_H[state_of(tree, path)])

    assert again("ab c") == state_of(tree, "c") and again("ab") == DEAD
    assert again("c b") == state_of(tree, "b"), "the longest that begins with a later word"
    assert again("c b a") == state_of(tree, "a"), "nothing begins with b a, but something with a"


def test_none_and_nonsense() -> None:
    assert len(hot_tree({}, ALPHABET).granted_H) == 0 == len(no_hot().next_HV)
    for phrase in ("", " ", "  "):
        with pytest.raises(TextError, match="has nothing to listen for in it; spell it"):
            hot_tree({phrase: 1.0}, ALPHABET)
    with pytest.raises(TextError, match=r"hot word 'zay': the model writes no y z; spell it with the letters"):
        hot_tree({"zay": 1.0}, ALPHABET)


def test_a_model_without_spaces_has_one_that_is_never_met() -> None:
    alphabet = Alphabet(("a", "b"))
    tree = hot_tree({"ab": 1.0}, alphabet)
    assert tree.space == alphabet.size and np.count_nonzero(tree.next_HV) == 2
