"""Curves: what TensorBoard would read."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from earful.cli.curves import curves
from earful.errors import ConfigError


def test_a_point_of_each_curve(tmp_path: Path, points: Callable[[Path], Any]) -> None:
    pytest.importorskip("tensorboardX", reason="the extra `curves` is not installed")
    with curves(tmp_path / "new" / "curves") as draw:
        draw(1, {"loss/of it": 2.5, "probe": None, "rate": float("nan")})
        draw(2, {"loss/of it": 1.5, "probe": 0.25})
    assert points(tmp_path / "new" / "curves") == {"loss/of_it": [(1, 2.5), (2, 1.5)], "probe": [(2, 0.25)]}


def test_nothing_is_drawn_where_nobody_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with curves(None) as draw:
        draw(1, {"loss": 2.5})
    assert not list(tmp_path.iterdir())


def test_what_is_in_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tensorboardX", reason="the extra `curves` is not installed")
    (tmp_path / "file").write_text("")
    taken = pytest.raises(ConfigError, match=r"file: curves cannot be written there.*another folder")
    with taken, curves(tmp_path / "file"):
        pass
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(ConfigError, match=r'pip install "\.\[curves\]"'), curves(tmp_path / "curves"):
        pass
