"""Sentences that a synthesiser says: which are drawn, and for which languages there are any."""

from pathlib import Path

import pytest

from earful.adapt.spoken import can_speak, shuffled, spoken
from earful.checkpoint import Checkpoint
from earful.data.manifest import Manifest
from earful.errors import ConfigError


def test_sentences_are_drawn_from_the_whole_text() -> None:
    texts = [str(i) for i in range(100)]
    assert sorted(shuffled(texts, 0)) == sorted(texts) and shuffled(texts, 0) == shuffled(texts, 0)
    assert max(map(int, shuffled(texts, 0)[:20])) > 50 and shuffled(texts, 0) != shuffled(texts, 1)


def test_what_can_be_spoken() -> None:
    assert can_speak("nl") and not can_speak("xx") and not can_speak("")


def test_a_language_has_to_be_said(base: Checkpoint, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--language CODE"):
        spoken(base, 3, [], Manifest(()), folder=tmp_path, seed=0, tell=lambda *_: None)
