"""Measurements cell by cell: an interrupted run goes on, and the files of earlier runs are still understood."""

import importlib.util
import json
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

BENCH = Path(__file__).parents[2] / "bench"
AXES = {
    "plan_last": ("seed", "clips"),
    "plan_copies": ("seed", "clips"),
    "plans_dutch": ("seed", "clips"),
    "meta_starts": ("draw", "clips", "start"),
    "kshot_czech": ("seed", "wanted", "base"),
    "mandarin": ("seed", "wanted", "way"),
    "suggest_czech": ("seed", "wanted", "way"),
    "voices": ("speaker", "kind", "seed", "clips"),
    "beside_dutch": ("seed", "clips", "variant"),
    "believed": ("seed", "case"),
    "adapt_settings": ("seed", "clips", "change"),
    "ablation_czech": ("seed", "clips", "variant"),
    "company": ("encoder", "way", "seed"),
}


@pytest.fixture(scope="module")
def cells() -> ModuleType:
    spec = importlib.util.spec_from_file_location("cells", BENCH / "cells.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_an_interrupted_run_goes_on(cells: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "found.json"
    first = cells.Cells(out, corpus="nl")
    for seed, clips in first.missing(seed=[0, 1], clips=[5, 10]):
        if (seed, clips) == (1, 5):
            break  # as by Ctrl-C: this cell has no row
        first.add({"clips": clips, "seed": seed, "cer": 0.25})
    again = cells.Cells(out, corpus="nl")
    assert list(again.missing(seed=[0, 1, 2], clips=[5, 10])) == [(1, 5), (1, 10), (2, 5), (2, 10)]
    assert again.rows == [{"clips": 5, "seed": 0, "cer": 0.25}, {"clips": 10, "seed": 0, "cer": 0.25}]
    assert [json.loads(line) for line in capsys.readouterr().err.splitlines()] == again.rows


def test_a_cell_that_is_asked_for_twice_is_measured_once(cells: ModuleType, tmp_path: Path) -> None:
    table, met = cells.Cells(tmp_path / "found.json"), []
    for (seed,) in table.missing(seed=[3, 3]):
        met.append(seed)
        table.add({"seed": seed})
    assert met == [3]


def test_facts_are_those_of_the_last_run_and_other_keys_stay(cells: ModuleType, tmp_path: Path) -> None:
    out = tmp_path / "found.json"
    out.write_text(json.dumps({"rows": [], "before": {"a": 1}, "test_clips": 3, "machine": "another"}), "utf-8")
    cells.Cells(out, test_clips=90).add({"seed": 0, "text": "ř"})
    found = json.loads(out.read_text("utf-8"))
    assert (found["before"], found["test_clips"], found["rows"]) == ({"a": 1}, 90, [{"seed": 0, "text": "ř"}])
    assert found["machine"]["torch"]


@pytest.mark.parametrize("name", AXES)
def test_files_of_earlier_runs_are_gone_on_with(cells: ModuleType, tmp_path: Path, name: str) -> None:
    out = tmp_path / f"{name}.json"
    shutil.copy(BENCH / out.name, out)
    before = json.loads(out.read_text("utf-8"))
    table = cells.Cells(out)
    cell: dict[str, Any] = {axis: before["rows"][0][axis] for axis in AXES[name]}
    assert list(table.missing(**{axis: [value] for axis, value in cell.items()})) == []
    seed = AXES[name][0] if "seed" not in AXES[name] else "seed"
    new = cell | {seed: -1}
    assert list(table.missing(**{axis: [value] for axis, value in new.items()})) == [tuple(new.values())]
    table.add(before["rows"][0] | new)
    after = json.loads(out.read_text("utf-8"))
    assert after["rows"] == [*before["rows"], before["rows"][0] | new]
    assert {key: after[key] for key in before if key not in ("rows", "machine")} == {
        key: before[key] for key in before if key not in ("rows", "machine")
    }


def test_seeds_without_a_default_must_be_named(cells: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--base", "b", "--corpus", "c", "--out", "o.json"]
    with pytest.raises(SystemExit):
        cells.arguments("About.\n\nMore.", clips=[5]).parse_args(words)
    assert "--seeds" in capsys.readouterr().err
    options = cells.arguments("About.", clips=[5], seeds=[0, 1], test_clips=90).parse_args(words)
    assert (options.seeds, options.clips, options.test_clips, options.out) == ([0, 1], [5], 90, Path("o.json"))
