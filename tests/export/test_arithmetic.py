"""int8 where it costs next to nothing, float32 else; and the folder says which."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from earful.data.clips import read_clips
from earful.data.manifest import Manifest
from earful.export import arithmetic
from earful.runner import Runner, arithmetic_of


def nothing(*_: Any) -> None:
    """No progress is shown."""


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    for place in ("earful.export.arithmetic.fast_in_int8", "earful.runner.fast_in_int8"):
        monkeypatch.setattr(place, lambda: True)


@pytest.mark.parametrize(("shift", "expected"), [(0.0, "int8"), (9.0, "float32")])
def test_it_is_measured(
    talker: Path, clips: Path, monkeypatch: pytest.MonkeyPatch, shift: float, expected: str
) -> None:
    """What int8 says is here what float32 says; or, of a model that minds, nothing."""
    exact, rounded = (Runner.load(talker, greedy=True, kind="float32") for _ in range(2))
    said = [replace(each, text=exact.transcribe(each.audio).text) for each in read_clips(clips)]
    as_it_is = rounded._logp_of

    def minding(samples_T: np.ndarray) -> np.ndarray:
        logp_FV = as_it_is(samples_T)
        logp_FV[:, 0] += shift
        return logp_FV

    monkeypatch.setattr(rounded, "_logp_of", minding)
    monkeypatch.setattr(Runner, "load", lambda *_, kind, **__: {"float32": exact, "int8": rounded}[kind])
    assert arithmetic.choose(talker, Manifest(tuple(said)), nothing) == expected
    card = json.loads((talker / "model.json").read_text("utf-8"))
    assert card["arithmetic"] == expected and arithmetic_of(card) == expected


def test_nothing_to_measure_on(talker: Path) -> None:
    assert arithmetic.choose(talker, Manifest(()), nothing) == "float32"
    assert "arithmetic" not in json.loads((talker / "model.json").read_text("utf-8"))


def test_where_int8_is_no_faster(talker: Path, clips: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arithmetic, "fast_in_int8", lambda: False)
    assert arithmetic.choose(talker, read_clips(clips), nothing) == "float32"
