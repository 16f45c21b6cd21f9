"""Best path decoding."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from earful.ctc.greedy import best_path, greedy, greedy_ids, merge
from earful.ctc.lattice import frames_needed


def logp_of(path: list[int], symbols: int = 4) -> torch.Tensor:
    return (torch.nn.functional.one_hot(torch.tensor(path, dtype=torch.long), symbols) * 5.0).log_softmax(-1)


def test_times_and_confidence() -> None:
    found = greedy(logp_of([0, 1, 1, 0, 1, 2]))
    assert [(e.symbol, e.start, e.end) for e in found] == [(1, 1, 3), (1, 4, 5), (2, 5, 6)]
    assert all(0.9 < e.confidence <= 1 for e in found)


@given(st.lists(st.integers(1, 3), max_size=12), st.randoms())
def test_any_path_of_a_sequence_decodes_to_it(labels: list[int], random: object) -> None:
    path: list[int] = []
    for i, label in enumerate(labels):
        if i and labels[i - 1] == label:
            path.append(0)
        path += [label] * random.randint(1, 3) + [0] * random.randint(0, 2)  # type: ignore[attr-defined]
    logp = logp_of(path) if path else torch.zeros(0, 4)
    assert [e.symbol for e in greedy(logp)] == labels
    assert greedy_ids(logp[None], torch.tensor([len(path)])) == [labels]
    assert frames_needed(labels) <= len(path)


def test_no_frames() -> None:
    assert greedy(torch.zeros(0, 3)) == ()
    assert merge(*best_path(torch.zeros(0, 3))) == ()


def test_padding_is_not_read() -> None:
    logp = torch.stack([logp_of([1, 0, 2, 3, 3]), logp_of([1, 1, 0, 3, 2])])
    assert greedy_ids(logp, torch.tensor([3, 2])) == [[1, 2], [1]]


def test_arrays_are_decoded_as_tensors_are() -> None:
    logp = logp_of([0, 1, 1, 0, 2])
    of_tensor, of_array = greedy(logp), greedy(logp.double().numpy())
    assert of_array == of_tensor and {each.sure for each in of_array} == {1.0}
    path, p = best_path(logp.numpy())
    assert merge(path, p) == of_array, "the blank is the first symbol unless one says otherwise"
    assert [each.symbol for each in merge(path, p, blank=1)] == [0, 0, 2]


def test_every_item_needs_its_count() -> None:
    with pytest.raises(ValueError, match="shorter"):
        greedy_ids(logp_of([1, 2])[None], torch.tensor([2, 2])[:0])
