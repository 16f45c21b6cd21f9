"""`earful benchmark`: its JSON, its table, what it leaves behind, interruption, and every kind of bad input."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

KEYS = {"results", "picture", "tasks", "seeds", "left_out", "seconds", "summary", "notes"}
SUMMARY = {
    "entrant",
    "shots",
    "steps",
    "taken",
    "cer",
    "interval_95",
    "difference",
    "difference_95",
    "cpu_s",
    "values",
}


@pytest.fixture
def manifest(clips: Path, tmp_path: Path) -> Path:
    """Seven clips by two speakers, no sentence twice."""
    rows = [
        {
            "audio_filepath": str(clips / f"clip{i}.wav"),
            "text": (clips / f"clip{i}.txt").read_text("utf-8").strip(),
            "language": "nl",
            "speaker": "ab"[i % 2],
        }
        for i in range(7)
    ]
    (tmp_path / "clips.jsonl").write_text("\n".join(json.dumps(row) for row in rows), "utf-8")
    return tmp_path / "clips.jsonl"


def words(manifest: Path, base: Path, *more: object) -> tuple[object, ...]:
    quick = ("--shots", "1,2", "--steps", "0,1", "--seeds", 2, "--test-clips", 2)
    return "benchmark", manifest, "--out", manifest.parent / "out", "--base", base, *quick, *more


def one_line(run) -> str:
    assert run.status == 2 and run.out == "" and run.err.count("\n") == 1 and run.err.startswith("earful: "), run
    return run.err


def test_json(earful, manifest: Path, tiny_base: Path) -> None:
    run = earful(*words(manifest, tiny_base, "--json"))
    row = json.loads(run.out)
    assert run.status == 0 and set(row) == KEYS
    assert row["tasks"] == ["nl"] and (row["seeds"], row["left_out"]) == (2, 0)
    assert [(s["shots"], s["steps"], s["taken"]) for s in row["summary"]] == [
        (1, 0, 0),
        (1, 1, 1),
        (2, 0, 0),
        (2, 1, 1),
    ]
    assert all(set(s) == SUMMARY and s["entrant"] == str(tiny_base) and s["values"] == 2 for s in row["summary"])
    found = json.loads(Path(row["results"]).read_text("utf-8"))
    assert len(found["rows"]) == 8 and found["machines"][0]["torch"]
    assert found["settings"]["shots"] == [1, 2] and found["settings"]["seeds"] == 2


def test_for_people(earful, manifest: Path, tiny_base: Path) -> None:
    run = earful(*words(manifest, tiny_base, "--base", "none", "--no-usual"))
    assert run.status == 0
    assert f"against {tiny_base}" in run.out and "1 task × 2 seeds" in run.out and "too narrow" in run.out
    cells = [line.split()[:2] for line in run.out.splitlines() if " none " in line and not line.startswith("Note")]
    assert cells == [["1", "0"], ["1", "1"], ["2", "0"], ["2", "1"]]


def test_the_picture(earful, manifest: Path, tiny_base: Path) -> None:
    pytest.importorskip("matplotlib")
    run = earful(*words(manifest, tiny_base, "--json"))
    assert json.loads(run.out)["picture"] == str(manifest.parent / "out" / "plots.svg")
    assert (manifest.parent / "out" / "plots.svg").read_text("utf-8").startswith("<?xml")


def test_without_matplotlib_there_is_no_picture(
    earful, manifest: Path, tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    run = earful(*words(manifest, tiny_base, "--json"))
    assert run.status == 0 and json.loads(run.out)["picture"] is None
    assert 'pip install ".[plots]", and run the same command again' in run.err
    assert [path.name for path in (manifest.parent / "out").iterdir()] == ["results.json"]


def test_it_goes_on_where_it_was(earful, manifest: Path, tiny_base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = list[str]()

    def interrupt(stage: str, done: float, total: float, note: str = "") -> None:
        told.append(stage)
        if stage == "benchmarking" and done > total / 2:
            raise KeyboardInterrupt

    @contextmanager
    def watched() -> Iterator[object]:
        yield interrupt

    command = words(manifest, tiny_base, "--json")
    with monkeypatch.context() as patch:
        patch.setattr("earful.cli.benchmark.progress", watched)
        assert earful(*command).status == 130
    results = manifest.parent / "out" / "results.json"
    before = json.loads(results.read_text("utf-8"))["rows"]
    assert 0 < len(before) < 8
    assert earful(*command).status == 0
    assert json.loads(results.read_text("utf-8"))["rows"][: len(before)] == before


def test_results_of_other_settings(earful, manifest: Path, tiny_base: Path) -> None:
    assert earful(*words(manifest, tiny_base)).status == 0
    results = manifest.parent / "out" / "results.json"
    before = results.read_text("utf-8")
    line = one_line(earful(*words(manifest, tiny_base, "--case", "upper")))
    assert "rules were" in line and results.read_text("utf-8") == before
    assert earful(*words(manifest, tiny_base, "--steps", "0,2")).status == 0
    assert [row["steps"] for row in json.loads(results.read_text("utf-8"))["rows"]].count(1) == 4, "none is lost"
    assert earful(*words(manifest, tiny_base, "--steps", "0", "--overwrite")).status == 0
    assert len(json.loads(results.read_text("utf-8"))["rows"]) == 4


def test_clips_that_cannot_be_used_are_named(earful, manifest: Path, tiny_base: Path) -> None:
    gone = {"audio_filepath": "gone.wav", "text": "abba", "language": "nl", "id": "gone", "duration": 1.0}
    with manifest.open("a", encoding="utf-8") as file:
        file.write("\n" + json.dumps(gone))
    run = earful(*words(manifest, tiny_base, "--json"))
    assert run.status == 0 and json.loads(run.out)["left_out"] == 1 and "left out" in run.err and "gone.wav" in run.err


def test_small_tasks(earful, manifest: Path, tiny_base: Path) -> None:
    line = one_line(earful(*words(manifest, tiny_base, "--by", "speaker")))
    assert "task 'b' has 3 clips: 2 to test and 2 to adapt to are 4" in line and "--skip-small" in line
    assert not (manifest.parent / "out").exists()
    run = earful(*words(manifest, tiny_base, "--by", "speaker", "--skip-small", "--json"))
    assert json.loads(run.out)["tasks"] == ["a"] and "left out 1 of the tasks" in run.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--shots", "0,5"), "shots: got 0"),
        (("--shots", "five"), "--shots: expected whole numbers"),
        (("--shots", "1,-5"), "got '-5'"),
        (("--shots", "1,usual"), "got 'usual'"),
        (("--steps", "1,all"), "or usual, got 'all'"),
        (("--seeds", 0), "greater than or equal to 1"),
        (("--test-seconds", 5), "give one of them"),
        (("--shots", 50), "'nl' has 7 clips: 2 to test and 50 to adapt to are 52"),
        (("--by", "condition"), "has no condition"),
        (("--base", "nowhere"), "nowhere: no such folder"),
    ],
)
def test_bad_input_is_named_before_anything_runs(
    earful, manifest: Path, tiny_base: Path, options: tuple[object, ...], said: str
) -> None:
    assert said in one_line(earful(*words(manifest, tiny_base, *options)))
    assert not (manifest.parent / "out").exists()


@pytest.mark.parametrize(("key", "said"), [("text", "no utterances"), ("language", "has no language")])
def test_clips_without_labels(earful, manifest: Path, tiny_base: Path, key: str, said: str) -> None:
    rows = [json.loads(line) for line in manifest.read_text("utf-8").splitlines()]
    manifest.write_text("\n".join(json.dumps({k: v for k, v in row.items() if k != key}) for row in rows), "utf-8")
    assert said in one_line(earful(*words(manifest, tiny_base)))
