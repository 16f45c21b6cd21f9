"""Batches: nothing is lost, nothing is too long."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from earful.data.batch import Example, alone, bucket, collate
from earful.device import even


@given(st.lists(st.integers(1, 500), min_size=1, max_size=60), st.integers(100, 2000), st.integers(0, 9))
def test_every_clip_is_in_one_batch_and_batches_keep_the_budget(counts: list[int], budget: int, seed: int) -> None:
    batches = bucket(counts, budget, torch.Generator().manual_seed(seed))
    assert sorted(i for batch in batches for i in batch) == list(range(len(counts)))
    for batch in batches:
        assert len(batch) == 1 or max(counts[i] for i in batch) * len(batch) <= budget


def test_batches_differ_from_seed_to_seed_and_not_with_the_same() -> None:
    counts = list(range(1, 200))
    first, again, other = (bucket(counts, 1000, torch.Generator().manual_seed(s)) for s in (0, 0, 1))
    assert first == again != other


def test_collate_pads_with_zeros() -> None:
    batch = collate([Example(torch.ones(3, 2), (1, 2)), Example(torch.ones(5, 2), (3,))])
    assert batch.frames_BFM.shape == (2, 5, 2) and batch.frames_BFM.sum() == 16
    assert batch.frame_counts_B.tolist() == [3, 5]
    assert batch.labels_BL.tolist() == [[1, 2], [3, 0]] and batch.label_counts_B.tolist() == [2, 1]


@given(st.integers(0, 100_000))
def test_even_lengths_are_few_and_not_far(count: int) -> None:
    found = even(count)
    assert count <= found <= max(count * 1.25, count) and even(found) == found


def test_an_octave_has_four_even_lengths() -> None:
    assert len({even(count) for count in range(129, 257)}) == 4
    assert len({even(count) for count in range(25, 376)}) == 16


def test_collate_pads_to_a_length_that_is_given() -> None:
    examples = [Example(torch.ones(3, 2), (1,)), Example(torch.ones(5, 2), (3,))]
    longer, plain = collate(examples, 8), collate(examples, 4)
    assert longer.frames_BFM.shape == (2, 8, 2) and plain.frames_BFM.shape == (2, 5, 2)
    assert torch.equal(longer.frames_BFM[:, :5], plain.frames_BFM) and longer.frames_BFM.sum() == 16
    assert longer.frame_counts_B.tolist() == [3, 5]


def test_a_clip_alone_has_an_even_length() -> None:
    frames_1FM, count_1 = alone(torch.ones(100, 3))
    assert frames_1FM.shape == (1, 112, 3) and count_1.tolist() == [100] and frames_1FM.sum() == 300
