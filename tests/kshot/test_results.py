"""results.json: read as it was written, never of other settings, never half."""

import json
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from earful.checkpoint import Checkpoint, load_checkpoint
from earful.data.manifest import Manifest
from earful.data.utterance import Utterance
from earful.errors import ConfigError
from earful.kshot.protocol import Protocol, Task
from earful.kshot.results import Row, machine, read_results, settings_of, write_results
from earful.text.normalize import TextRules

ROWS = [
    Row("a", "nl", 0, 5, steps, 3, 9.5, 1.25, 0.5, 1.0, 50, 100)
    for steps in (0, 3, "usual")  # type: ignore[attr-defined]
]
CLIPS = Manifest((Utterance("u1", Path("x.wav"), text="één", language="nl"),))
TASKS = [Task("nl", CLIPS, CLIPS, TextRules())]
PROTOCOL = Protocol(("a",), shots=(5,))


@pytest.fixture(scope="module")
def base(tiny_base: Path) -> Checkpoint:
    return load_checkpoint(tiny_base)


@pytest.fixture
def settings(base: Checkpoint) -> dict[str, Any]:
    return settings_of(PROTOCOL, CLIPS, {"a": base})


def test_what_is_written_is_read(settings: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "new" / "results.json"
    assert read_results(path, settings) == ([], [], settings)
    write_results(path, settings, [], TASKS, ROWS)
    assert read_results(path, settings) == (ROWS, [machine()], settings)
    assert [file.name for file in path.parent.iterdir()] == ["results.json"]
    found = json.loads(path.read_text("utf-8"))
    assert set(found) == {"format", "machines", "settings", "tasks", "rows"}
    assert found["tasks"]["nl"]["test"] == ["u1"] and found["settings"]["shots"] == [5]
    write_results(path, settings, [], TASKS, [])
    assert read_results(path, settings).rows == []


def test_machines_are_kept_and_none_is_named(settings: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    write_results(path, settings, [{"cpu": "another"}], TASKS, ROWS)
    assert read_results(path, settings).machines == [{"cpu": "another"}, machine()]
    assert machine()["cpu"] and machine()["cores"] >= 1
    assert len(socket.gethostname()) < 4 or socket.gethostname() not in json.dumps(machine())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"shots": (5, 10)}, r"shots were \[5\] and are now \[5, 10\]"),
        ({"by": "speaker"}, 'by were "language" and are now "speaker"'),
        ({"rules": TextRules(case="upper")}, "rules were"),
    ],
)
def test_other_settings_are_refused(
    change: dict[str, Any], said: str, base: Checkpoint, settings: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "results.json"
    write_results(path, settings, [], TASKS, ROWS)
    before = path.read_bytes()
    with pytest.raises(ConfigError, match=f"made with other settings: {said}.*; name another folder"):
        read_results(path, settings_of(replace(PROTOCOL, **change), CLIPS, {"a": base}))
    assert path.read_bytes() == before


def test_a_file_grows_by_bases_steps_and_seeds(base: Checkpoint, settings: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    write_results(path, settings, [], TASKS, ROWS)
    other = replace(base, params={name: value + 0.01 for name, value in base.params.items()})
    more = settings_of(replace(PROTOCOL, bases=("b", "a"), steps=(1, "usual"), seeds=7), CLIPS, {"a": base, "b": other})
    rows, _, both = read_results(path, more)
    assert rows == ROWS and (both["bases"], both["steps"], both["seeds"]) == (["a", "b"], [0, "usual", 1], 7)
    write_results(path, both, [], TASKS, rows)
    assert read_results(path, settings).settings == both, "who asks for less takes nothing away"


def test_other_clips_and_other_weights_are_refused(base: Checkpoint, settings: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    write_results(path, settings, [], TASKS, ROWS)
    corrected = Manifest((replace(CLIPS[0], text="een"),))
    with pytest.raises(ConfigError, match="other transcripts"):
        read_results(path, settings_of(PROTOCOL, corrected, {"a": base}))
    trained = replace(base, params={name: value + 0.01 for name, value in base.params.items()})
    with pytest.raises(ConfigError, match="the weights of a base have changed"):
        read_results(path, settings_of(PROTOCOL, CLIPS, {"a": trained}))
    elsewhere = Manifest((replace(CLIPS[0], audio=Path("elsewhere/x.wav")),))
    assert read_results(path, settings_of(PROTOCOL, elsewhere, {"a": base})).rows == ROWS, "a folder may move"


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"format": 9, "settings": {}, "rows": [], "machines": []}'])
def test_what_is_no_result_is_refused(text: str, settings: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_text(text, "utf-8")
    with pytest.raises(ConfigError, match=r"results\.json: no results that a run can continue"):
        read_results(path, settings)
    assert path.read_text("utf-8") == text


def test_a_row_that_is_damaged_is_named(settings: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    write_results(path, settings, [], TASKS, ROWS)
    path.write_text(path.read_text("utf-8").replace('"steps": 3', '"steps": "three"'), "utf-8")
    with pytest.raises(ConfigError, match=r"row 2: steps: expected"):
        read_results(path, settings)


def test_a_full_disk_leaves_what_was_there(
    settings: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "results.json"
    write_results(path, settings, [], TASKS, ROWS[:1])

    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", full)
        with pytest.raises(ConfigError, match="No space left"):
            write_results(path, settings, [], TASKS, ROWS)
    assert read_results(path, settings).rows == ROWS[:1]
    assert [file.name for file in tmp_path.iterdir()] == ["results.json"]
