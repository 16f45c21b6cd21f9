"""Weights of a model folder, read without torch."""

from pathlib import Path

import pytest

from earful.errors import CheckpointError
from earful.runtime.weights import read_weights


def test_what_is_no_regular_file_is_refused_before_it_is_opened(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"model\.safetensors: damaged .*expected a regular file, got a folder"):
        (tmp_path / "model.safetensors").mkdir()
        read_weights(tmp_path / "model.safetensors")
