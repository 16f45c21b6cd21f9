"""A server that is killed at random moments: what was answered is there, and jobs go on (`bench/server_kills.py`)."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def kills() -> ModuleType:
    path = Path(__file__).parents[2] / "bench" / "server_kills.py"
    spec = importlib.util.spec_from_file_location("server_kills", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["server_kills"] = module
    spec.loader.exec_module(module)
    return module


def test_a_killed_server_loses_no_edit_and_its_job_goes_on(
    kills: ModuleType, tiny_base: Path, clips: Path, tmp_path: Path
) -> None:
    adaptation = kills.adaptation_to(clips, tiny_base.name, 8, "quick")
    found = kills.killed(tmp_path, str(tiny_base), 1, 0, adaptation, longest_s=2.0)
    assert found["edits"] > 2 and found["lost"] == []
    assert set(found["jobs"]) == {"done"}, "it went on, and ended"
    assert found["left"] == [] and (tmp_path / "models" / "killed" / "model.json").is_file()


@pytest.mark.slow
def test_ten_kills(kills: ModuleType, tiny_base: Path, clips: Path, tmp_path: Path) -> None:
    found = kills.killed(tmp_path, str(tiny_base), 10, 1, kills.adaptation_to(clips, tiny_base.name, 8))
    assert found["lost"] == [] and set(found["jobs"]) == {"done"} and found["left"] == []
