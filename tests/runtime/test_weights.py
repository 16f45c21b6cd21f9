"""Weights of a model folder, read without torch."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from earful.errors import CheckpointError
from earful.runtime.weights import read_weights


def test_what_is_no_regular_file_is_refused_before_it_is_opened(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"model\.safetensors: damaged .*expected a regular file, got a folder"):
        (tmp_path / "model.safetensors").mkdir()
        read_weights(tmp_path / "model.safetensors")


def test_a_bias_of_another_length_than_its_matrix_is_refused(tmp_path: Path) -> None:
    """One that is shorter may only show when sound is heard, and a single number would be added to all."""
    fine = {
        "a.weight": np.zeros((3, 2), np.float32),
        "a.bias": np.zeros(3, np.float32),
        "b.bias": np.zeros(1, np.float32),
    }
    save_file(fine, tmp_path / "fine.safetensors")
    assert set(read_weights(tmp_path / "fine.safetensors")) == set(fine)
    save_file({**fine, "a.bias": np.zeros(1, np.float32)}, tmp_path / "odd.safetensors")
    with pytest.raises(CheckpointError, match=r"a\.bias is \[1\], which does not fit its matrix \[3, 2\]"):
        read_weights(tmp_path / "odd.safetensors")
