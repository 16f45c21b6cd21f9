"""The protocol from end to end: a row for every cell, the same clips for all, and no cell twice."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from earful.data.manifest import Manifest
from earful.errors import AudioError, CheckpointError, ConfigError, ManifestError
from earful.kshot.benchmark import benchmark, entrants_of, every_cell
from earful.kshot.protocol import Protocol, tasks_of
from earful.kshot.results import Row, read_results, settings_of


@pytest.fixture
def protocol(tiny_base: Path, meta_base: Path) -> Protocol:
    return Protocol((str(meta_base), str(tiny_base)), shots=(1, 2), steps=(0, 1), seeds=2, test_clips=2, usual=False)


def without_time(rows: list[Row]) -> list[Row]:
    return [replace(row, cpu_s=0.0) for row in rows]


def test_every_cell_has_a_row(protocol: Protocol, spoken: Manifest, tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    rows = benchmark(protocol, spoken, results=path)
    tasks, _ = tasks_of(spoken, protocol)
    assert [row.cell for row in rows] == every_cell(protocol, tasks, entrants_of(protocol, spoken)) and len(rows) == 16
    assert len(json.loads(path.read_text("utf-8"))["rows"]) == 16
    by_support: dict[tuple[str, int, int], set[tuple[float, int]]] = {}
    for row in rows:
        by_support.setdefault((row.task, row.seed, row.shots), set()).add((row.speech_s, row.characters))
    assert all(len(met) == 1 for met in by_support.values()), "all entrants meet the same clips"
    assert len({next(iter(met)) for met in by_support.values()}) > 2, "which are not those of every seed"


def test_a_base_that_learned_how_enters_twice(protocol: Protocol, spoken: Manifest, meta_base: Path) -> None:
    both = entrants_of(replace(protocol, usual=True), spoken)
    assert [each.name for each in both] == [str(meta_base), f"{meta_base} (usual)", protocol.bases[1]]
    assert [each.checkpoint.inner is None for each in both] == [False, True, True]
    assert len(entrants_of(protocol, spoken)) == 2


def test_by_speaker(protocol: Protocol, spoken: Manifest) -> None:
    alone = replace(protocol, by="speaker", bases=protocol.bases[:1], shots=(1,), seeds=1, test_clips=1)
    rows = benchmark(alone, spoken)
    assert {row.task for row in rows} == {"a", "b"} and len(rows) == 4


def test_an_interrupted_run_goes_on_and_is_the_same_run(protocol: Protocol, spoken: Manifest, tmp_path: Path) -> None:
    path, done = tmp_path / "results.json", list[float]()

    def stop(stage: str, at: float, total: float, note: str) -> None:
        if at > total / 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        benchmark(protocol, spoken, results=path, tell=stop)
    before = json.loads(path.read_text("utf-8"))["rows"]
    assert 0 < len(before) < 16
    resumed = benchmark(protocol, spoken, results=path, tell=lambda stage, at, total, note: done.append(at / total))
    assert json.loads(path.read_text("utf-8"))["rows"][: len(before)] == before, "what was done is not done again"
    assert done == sorted(done) and done[-1] == pytest.approx(1.0)
    assert without_time(resumed) == without_time(benchmark(protocol, spoken))
    told = list[str]()
    assert benchmark(protocol, spoken, results=path, tell=lambda stage, at, total, note: told.append(note)) == resumed
    assert not told, "nothing was left to do"


def test_what_cannot_be_is_said_before_anything_runs(protocol: Protocol, spoken: Manifest, tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    cases: list[tuple[type[Exception], str, Protocol]] = [
        (ManifestError, "'tones' has 7 clips: 2 to test and 50 to adapt to", replace(protocol, shots=(1, 50))),
        (CheckpointError, "no such folder", replace(protocol, bases=("nowhere",))),
        (ManifestError, "has no condition", replace(protocol, by="condition")),
    ]
    for kind, said, wrong in cases:
        with pytest.raises(kind, match=said):
            benchmark(wrong, spoken, results=path, tell=lambda *told: pytest.fail("something ran"))
    assert not path.exists()
    path.mkdir()
    with pytest.raises(ConfigError, match=r"results\.json"):
        benchmark(protocol, spoken, results=path, tell=lambda *told: pytest.fail("something ran"))


def test_results_grow(protocol: Protocol, spoken: Manifest, tmp_path: Path) -> None:
    path, told = tmp_path / "results.json", list[str]()
    one = replace(protocol, bases=protocol.bases[:1], shots=(1,), steps=(0,), seeds=1)
    two = replace(one, steps=(0, 1), seeds=2)
    first = benchmark(one, spoken, results=path)
    grown = benchmark(two, spoken, results=path, tell=lambda stage, done, total, note: told.append(note))
    apart = benchmark(two, spoken)
    assert [(row.cell, row.cer) for row in grown] == [(row.cell, row.cer) for row in apart]
    assert set(first) <= set(grown), "what was there is not done again"
    assert not any("seed 0, 1 clip, 0 steps" in note for note in told)
    assert benchmark(one, spoken, results=path) == first, "and none that was not asked for is shown"
    assert len(read_results(path, settings_of(two, spoken, {})).rows) == len(grown)
    with pytest.raises(ConfigError, match="test_clips were 2 and are now 3"):
        benchmark(replace(two, test_clips=3), spoken, results=path)


def test_a_missing_recording_is_named(protocol: Protocol, spoken: Manifest) -> None:
    gone = Manifest(tuple(replace(u, audio=Path(f"gone{i}.wav")) for i, u in enumerate(spoken)))
    with pytest.raises(AudioError, match=r"clip 'clip\d': gone\d\.wav: no such file"):
        benchmark(protocol, gone)
