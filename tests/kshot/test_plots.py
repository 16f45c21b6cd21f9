"""The picture: all entrants and panels in one SVG, the same for the same figures; and life without matplotlib."""

import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from earful.errors import ConfigError
from earful.kshot.interval import Summary
from earful.kshot.plots import draw


def summaries() -> list[Summary]:
    return [
        Summary(name, shots, steps, 80, level + shots / 100, (level, level + 0.2), None, None, 1.0, 5)
        for shots in (1, 5)
        for steps in (0, 20, "usual")  # type: ignore[attr-defined]
        for name, level in (("one & only", 0.3), ("none", 0.8))
    ]


def test_the_picture(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    for name in ("a.svg", "b.svg"):
        draw(summaries(), tmp_path / name)
    text = (tmp_path / "a.svg").read_text("utf-8")
    assert text == (tmp_path / "b.svg").read_text("utf-8") and len(list(tmp_path.iterdir())) == 2
    root = ElementTree.fromstring(text)
    axes = [each for each in root.iter() if (each.get("id") or "").startswith("axes_")]
    filled = [a for a in axes if any((each.get("id") or "").startswith("line2d") for each in a.iter())]
    assert len(filled) == 3 + 2, "a panel for each number of steps, and for each number of clips"
    for said in ("one &amp; only", "usual steps", "5 clips", "1 clip", "CER, %"):
        assert f"<!-- {said} -->" in text, said


def test_one_cell_without_interval(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    draw([Summary("a", 5, 0, 0, 0.4, None, None, None, 1.0, 1)], tmp_path / "a.svg")
    assert ElementTree.parse(tmp_path / "a.svg").getroot().tag.endswith("svg")


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    with pytest.raises(ConfigError, match="cannot be written"):
        draw(summaries(), tmp_path / "nowhere" / "a.svg")


def test_without_matplotlib(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ConfigError, match=r'matplotlib: pip install "\.\[plots\]"'):
        draw(summaries(), tmp_path / "a.svg")
    assert not list(tmp_path.iterdir())
