"""Forced alignment against enumeration of all paths, and its complaints."""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from earful.ctc.align import align
from earful.ctc.greedy import Emission, greedy
from earful.ctc.lattice import frames_needed
from earful.errors import TextError


def random_logp(seed: int, frames: int, symbols: int) -> torch.Tensor:
    logits = 3 * torch.randn(frames, symbols, generator=torch.Generator().manual_seed(seed))
    return logits.log_softmax(-1)


def path_of(emissions: tuple[Emission, ...], frames: int) -> list[int]:
    path = [0] * frames
    for each in emissions:
        path[each.start : each.end] = [each.symbol] * (each.end - each.start)
    return path


def spelt(path: list[int]) -> list[int]:
    return [symbol for symbol, _ in itertools.groupby(path) if symbol]


@settings(deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 6), st.lists(st.integers(1, 2), min_size=1, max_size=3))
def test_is_the_likeliest_path_to_the_symbols(seed: int, frames: int, ids: list[int]) -> None:
    logp = random_logp(seed, frames, 3)
    if frames_needed(ids) > frames:
        return
    found = align(logp, ids)
    paths = [list(path) for path in itertools.product(range(3), repeat=frames) if spelt(list(path)) == ids]
    best = max(float(logp[range(frames), path].sum()) for path in paths)
    path = path_of(found, frames)
    assert [each.symbol for each in found] == spelt(path) == ids
    assert float(logp[range(frames), path].sum()) == pytest.approx(best, abs=1e-4)


@settings(deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 30))
def test_aligning_the_best_path_gives_it_back(seed: int, frames: int) -> None:
    logp = random_logp(seed, frames, 5)
    best = greedy(logp)
    found = align(logp, [each.symbol for each in best])
    assert [(e.symbol, e.start, e.end) for e in found] == [(e.symbol, e.start, e.end) for e in best]
    assert [e.confidence for e in found] == pytest.approx([e.confidence for e in best], abs=1e-5)


def test_equal_neighbours_are_parted_by_a_blank() -> None:
    logp = torch.tensor([[0.1, 0.9], [0.2, 0.8], [0.1, 0.9], [0.3, 0.7]]).log()
    assert [(e.start, e.end) for e in align(logp, [1])] == [(0, 4)]
    assert [(e.start, e.end) for e in align(logp, [1, 1])] == [(0, 1), (2, 4)]


def test_what_is_impossible_still_has_its_place() -> None:
    logp = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]).log()
    found = align(logp.half(), [1, 2])
    assert [e.symbol for e in found] == [1, 2] and found[0].end <= found[1].start
    assert found[1].confidence == 0


def test_a_minute_is_quick_and_exact() -> None:
    logp = random_logp(1, 3000, 40)
    found = align(logp, [each.symbol for each in greedy(logp)])
    assert path_of(found, 3000) == logp.argmax(-1).tolist()


def test_nothing_to_align() -> None:
    assert align(random_logp(0, 4, 3), []) == () == align(torch.zeros(0, 3), [])


def test_what_does_not_fit() -> None:
    with pytest.raises(TextError, match="3 symbols need at least 4 frames, the recording has 3"):
        align(random_logp(0, 3, 3), [1, 1, 2])
    for wrong in (0, 3, -1):
        with pytest.raises(ValueError, match=f"from 0 to 2 but not the blank .* got {wrong}"):
            align(random_logp(0, 3, 3), [wrong])


def test_another_blank() -> None:
    logp = torch.tensor([[0.9, 0.1], [0.1, 0.9]]).log()
    assert [(e.symbol, e.start, e.end) for e in align(logp, [0], blank=1)] == [(0, 0, 1)]
    assert math.isclose(align(logp, [0], blank=1)[0].confidence, 0.9, rel_tol=1e-6)
