"""`python -m recipes.corpora demo`, with a tiny base and a few steps."""

import re
from functools import partial
from pathlib import Path

import pytest

from earful.adapt.adapt import adapt
from earful.adapt.finetune import Plan
from recipes.corpora import demo


def test_real(corpora, write_game, tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "CLIPS", 6)
    one_step = partial(adapt, plan=Plan(steps=1, copies=1, folds=3))
    monkeypatch.setattr("earful.adapt.adapt.adapt", one_step)
    game = write_game(tmp_path / "game", "cs", levels=6, clips=4)
    shown = corpora("demo", "--base", tiny_base, "--out", tmp_path / "demo", "--from", game).out
    assert "Czech. earful trained the base on 1 language, but not on Czech." in shown
    assert re.search(r"6 clips \(\d+ s\) to learn from, 1 others to measure with", shown)
