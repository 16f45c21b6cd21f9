"""Twelve clips of the language of tones as a manifest, and an untrained base that brings an inner loop."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from earful.adapt.inner import Inner
from earful.adapt.select import Learned
from earful.checkpoint import InnerLoop, load_checkpoint, save_checkpoint
from earful.config import to_mapping
from earful.data.clips import read_clips
from earful.data.manifest import Manifest


@pytest.fixture(scope="session")
def spoken(write_clips: Callable[[Path, int], Path], tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """Two speakers of one language; every sentence is another."""
    clips = read_clips(write_clips(tmp_path_factory.mktemp("spoken"), 7))
    return Manifest(tuple(replace(u, language="tones", speaker="ab"[i % 2]) for i, u in enumerate(clips)))


@pytest.fixture(scope="session")
def meta_base(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny base with an inner loop of two steps, as meta-training leaves it."""
    learned = Learned(Inner(0.1, 2, clip_norm=1.0))
    folder = tmp_path_factory.mktemp("meta") / "meta"
    save_checkpoint(folder, replace(load_checkpoint(tiny_base), inner=InnerLoop(to_mapping(learned), {})))
    return folder
