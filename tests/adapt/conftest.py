"""What most tests of adaptation begin with: the tiny base, and clips of the language of tones."""

from pathlib import Path

import pytest

from earful.checkpoint import Checkpoint, load_checkpoint
from earful.data.clips import read_clips
from earful.data.manifest import Manifest


@pytest.fixture(scope="session")
def base(tiny_base: Path) -> Checkpoint:
    return load_checkpoint(tiny_base)


@pytest.fixture(scope="session")
def manifest(clips: Path) -> Manifest:
    return read_clips(clips)
