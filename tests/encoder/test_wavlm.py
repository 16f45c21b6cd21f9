"""Relative positions: buckets as WavLM has them, and a gate that weighs them."""

from typing import Any

import pytest
import torch

from earful.encoder.wavlm import Distances, Gate, bucket_of


@pytest.mark.parametrize(("buckets", "farthest"), [(320, 800), (32, 40), (8, 5)])
def test_buckets_are_those_of_transformers(buckets: int, farthest: int, transformers: Any) -> None:
    from transformers.models.wavlm.modeling_wavlm import WavLMAttention

    distance = torch.arange(-2000, 2001)
    expected = WavLMAttention(8, 2, num_buckets=buckets, max_distance=farthest)._relative_positions_bucket(distance)
    assert torch.equal(bucket_of(distance, buckets, farthest), expected)


def test_what_comes_later_has_buckets_of_its_own() -> None:
    before, later = bucket_of(torch.arange(-50, 0), 32, 40), bucket_of(torch.arange(1, 51), 32, 40)
    assert int(before.max()) == 15 and int(later.min()) == 17 and int(later.max()) == 31
    assert torch.equal(later - 16, before.flip(0))


def test_distances_are_from_the_frame_that_attends() -> None:
    distances = Distances(8, 20, 2)
    with torch.no_grad():
        distances.weight.copy_(torch.arange(16.0).view(8, 2))
    positions_HFF = distances(5)
    assert positions_HFF.shape == (2, 5, 5)
    for row in range(5):
        for column in range(5):
            bucket = bucket_of(torch.tensor([column - row]), 8, 20)
            assert positions_HFF[:, row, column].tolist() == distances.weight[bucket][0].tolist()


def test_the_gate_is_each_frames_own() -> None:
    gate, generator = Gate(2, 4), torch.Generator().manual_seed(0)
    x_BFHE = torch.randn(1, 3, 2, 4, generator=generator)
    changed = x_BFHE.clone()
    changed[0, 1, 0] += 1
    before, after = gate(x_BFHE).detach(), gate(changed).detach()
    assert before.shape == (1, 2, 3, 1) and float(before.min()) > 1 and float(before.max()) < 3
    assert (before != after).flatten().tolist() == [False, True, False, False, False, False]
