"""Decoding by stretches of speech: nothing goes across a silence, and times stay those of the recording."""

import torch
from torch import Tensor

from earful.ctc.beam import Guess, Search
from earful.ctc.greedy import Emission, best_path
from earful.ctc.stretches import likeliest, merge_stretches, said_in, search_stretches, silent_frames, stretches


def logp(*rows: tuple[float, ...]) -> Tensor:
    return torch.tensor(rows).log()


HEARD_F = torch.tensor([1, 1, 0, 1, 1], dtype=torch.bool)
SAID = logp((0.2, 0.8), (0.2, 0.8), (0.2, 0.8), (0.2, 0.8), (0.9, 0.1))  # one letter, if nothing is left out


def test_a_letter_does_not_go_across_a_silence() -> None:
    expected = [[(1, 0, 2)], [(1, 3, 4)]]
    (searched,) = search_stretches(Search(2), SAID, HEARD_F)
    for found in (merge_stretches(*best_path(SAID), HEARD_F), searched):
        assert [[(e.symbol, e.start, e.end) for e in stretch] for stretch in found] == expected
    assert [len(stretch) for stretch in merge_stretches(*best_path(SAID), torch.ones(5, dtype=torch.bool))] == [1]
    assert merge_stretches(*best_path(SAID), torch.zeros(5, dtype=torch.bool)) == ()


def test_guesses_are_the_likeliest_of_all_stretches() -> None:
    """In the first stretch the other text is far from the best, in the second it is near."""
    rows = logp((0.03, 0.95, 0.02), (0.03, 0.95, 0.02), (1 / 3, 1 / 3, 1 / 3), (0.1, 0.5, 0.4), (0.1, 0.5, 0.4))
    found = search_stretches(Search(3), rows, HEARD_F, 3)
    texts = [[[e.symbol for e in stretch] for stretch in guess] for guess in found]
    assert {(e.start, e.end) for guess in found[1:] for stretch in guess for e in stretch} == {(0, 0)}, "without times"
    assert texts[0] == [[1], [1]] and len(texts) == 3
    assert all(first == [1] for first, _ in texts) and len({tuple(second) for _, second in texts}) == 3
    assert [second for _, second in texts] == [list(g.symbols) for g in Search(3).hear(rows[3:], 3).guesses]
    assert search_stretches(Search(2), SAID, torch.zeros(5, dtype=torch.bool), 3) == [()]


def test_scores_add_up() -> None:
    first, second = [Guess((1,), -1.0), Guess((2,), -1.5)], [Guess((1,), -1.0), Guess((2,), -1.2), Guess((3,), -9.0)]
    assert likeliest([first, second], 4) == [((1,), (1,)), ((1,), (2,)), ((2,), (1,)), ((2,), (2,))]


def test_a_letter_that_is_late_does_not_make_a_word_long() -> None:
    letters = [Emission(1, 10, 12, 0.9), Emission(2, 14, 15, 0.9), Emission(1, 900, 902, 0.5)]
    assert said_in(letters, 50) == (10, 15)
    assert said_in([Emission(1, 10, 3_000, 0.9)], 50) == (10, 60)


def test_the_frames_of_a_word_are_those_of_most_of_its_letters() -> None:
    """A letter belongs to those before it up to so many frames after their end; of equal groups the first counts."""

    def letters(*frames: tuple[int, int]) -> list[Emission]:
        return [Emission(1, start, end, 0.9) for start, end in frames]

    assert said_in(letters((0, 2), (12, 14), (24, 26)), 10) == (0, 26)
    assert said_in(letters((0, 2), (12, 14), (25, 26), (30, 31)), 10) == (0, 14)
    assert said_in(letters((0, 2), (13, 14), (15, 26)), 10) == (13, 25)
    assert said_in(letters((5, 6)), 10) == (5, 6)


def test_a_silent_frame_is_blank_and_nothing_else() -> None:
    assert silent_frames(2, 3).tolist() == [[0.0, -30.0, -30.0]] * 2
    assert [e.start for (e,) in merge_stretches(*best_path(SAID), HEARD_F)] == [0, 3]


def test_where_somebody_may_speak() -> None:
    assert stretches(torch.tensor([0, 1, 1, 0, 1], dtype=torch.bool)) == [(1, 3), (4, 5)]
    assert stretches(torch.zeros(3, dtype=torch.bool)) == []
    assert best_path(silent_frames(4, 3))[0].tolist() == [0] * 4
