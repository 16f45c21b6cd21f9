"""What tells one run from another: nothing that counts may be left out, and nothing else counts."""

from pathlib import Path

import numpy as np
import pytest
import torch

from earful.identity import differences, digest, digest_of_arrays, digest_of_file, digest_of_tensors, parts_of
from earful.train import Optimisation


def test_values() -> None:
    assert digest(Optimisation(3)) == digest(Optimisation(3)) != digest(Optimisation(4))
    assert digest([Path("a")]) != digest([Path("b")])


def test_tensors_by_every_bit_whatever_their_order() -> None:
    one = {"a": torch.tensor([1.0, 2.0]), "b": torch.tensor(3, dtype=torch.int64)}
    same = {"b": torch.tensor(3), "a": torch.tensor([1.0, 2.0])}
    assert digest_of_tensors(one) == digest_of_tensors(same)
    swapped = {"a": torch.tensor([2.0, 1.0]), "b": torch.tensor(3)}  # what a sum does not see
    shaped = {"a": torch.tensor([[1.0, 2.0]]), "b": torch.tensor(3)}
    negative = {"a": torch.tensor([1.0, 2.0]), "b": torch.tensor(3), "c": torch.zeros(0)}
    assert len({digest_of_tensors(each) for each in (one, swapped, shaped, negative)}) == 4
    assert digest_of_tensors({"z": torch.tensor(0.0)}) != digest_of_tensors({"z": torch.tensor(-0.0)})


def test_arrays_and_where_each_ends() -> None:
    a, b = np.array([1, 2, 3], np.int8), np.array([4], np.int8)
    moved = [np.array([1, 2], np.int8), np.array([3, 4], np.int8)]
    assert digest_of_arrays([a, b]) == digest_of_arrays([a.copy(), b]) != digest_of_arrays(moved)


def test_files_by_content(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1"), (tmp_path / "b").write_bytes(b"1"), (tmp_path / "c").write_bytes(b"2")
    assert digest_of_file(tmp_path / "a") == digest_of_file(tmp_path / "b") != digest_of_file(tmp_path / "c")
    with pytest.raises(FileNotFoundError):
        digest_of_file(tmp_path / "d")


def test_what_differs_is_named() -> None:
    one, other = (parts_of(Optimisation(3, rate), but=["clip_norm"]) for rate in (0.1, 0.2))
    assert "clip_norm" not in one and differences(one, other) == ["rate"]
    assert differences(one, {}) == list(one)
