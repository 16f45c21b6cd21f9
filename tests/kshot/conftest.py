"""Clips of the language of tones as a manifest of two speakers."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from earful.data.clips import read_clips
from earful.data.manifest import Manifest


@pytest.fixture(scope="session")
def spoken(write_clips: Callable[[Path, int], Path], tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """Two speakers of one language; every sentence is another."""
    clips = read_clips(write_clips(tmp_path_factory.mktemp("spoken"), 7))
    return Manifest(tuple(replace(u, language="tones", speaker="ab"[i % 2]) for i, u in enumerate(clips)))
