"""`earful adapt --effort` and `--minutes`: what is said before, on the way and at the end; Ctrl-C; what is refused."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from earful.adapt.brought import Brought, Planned
from earful.checkpoint import load_checkpoint
from earful.cli.effort import Way, hasty, print_planned, print_steps, recordings_for, transcribed
from earful.data.clips import read_clips


def words(clips: Path, out: Path, base: Path, *more: object) -> tuple[object, ...]:
    return "adapt", clips, "--out", out, "--base", base, "--steps", 2, *more


def test_the_best(earful: Any, clips: Path, tiny_base: Path, tmp_path: Path) -> None:
    run = earful(*words(clips, tmp_path / "m", tiny_base, "--effort", "best", "--json"))
    row = json.loads(run.out)
    assert run.status == 0 and row["effort"] == "best" and not row["interrupted"]
    assert [each["name"] for each in row["steps"]] == ["usual", "averaged"]
    assert {"cer", "cer_with_language", "seconds", "kept", "note"} < set(row["steps"][0])
    lines = [line.removeprefix("earful: ").strip() for line in run.err.splitlines()]
    assert lines[0].startswith("the steps, each measured on the same clips; about ")
    assert lines[1].startswith("usual: adapt as usual, 2 steps, about ")
    assert any(line.startswith("spoken: skipped: espeak-ng does not speak") for line in lines)
    assert sum("so far CER" in line for line in lines) == 2
    best = min(r for e in row["steps"] if (r := e["cer"] if e["cer_with_language"] is None else e["cer_with_language"]))
    assert (row["cer_after"] if row["cer_with_language"] is None else row["cer_with_language"]) == best
    about = load_checkpoint(tmp_path / "m").about["adapted"]
    assert [each["name"] for each in about["steps"]] == ["usual", "averaged"]
    assert [path.name for path in tmp_path.iterdir()] == ["m"], "the state is removed"


def test_what_is_next_is_the_last_line(earful: Any, clips: Path, tiny_base: Path, tmp_path: Path) -> None:
    run = earful(*words(clips, tmp_path / "m", tiny_base))
    assert run.out.splitlines()[-1].startswith("The best next step, by estimate, is ")
    said = json.loads(earful(*words(clips, tmp_path / "n", tiny_base, "--json")).out)["advice"]
    assert said["says"] in run.out and said["expected"] < said["rate"]


def test_quick(earful: Any, clips: Path, tiny_base: Path, tmp_path: Path) -> None:
    row = json.loads(earful(*words(clips, tmp_path / "m", tiny_base, "--effort", "quick", "--json")).out)
    assert row["effort"] == "quick" and row["plan"]["copies"] == 0 and row["measured"] == "held-out"
    assert row["plan"]["steps"] == 2 and not row["plan"]["averaged"]


@pytest.mark.parametrize(
    ("effort", "improved", "lines"), [("quick", False, 1), ("quick", True, 0), ("usual", False, 0)]
)
def test_a_base_that_was_kept_in_haste(effort: Any, improved: bool, lines: int) -> None:
    report: Any = SimpleNamespace(improved=improved)
    assert len(list(hasty(Way(effort, None, None, None, Path()), report))) == lines


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--minutes", 3), "with best alone"),
        (("--effort", "best", "--minutes", 0), "above 0"),
        (("--effort", "quick", "--speak", 9), "no time for --speak"),
        (("--effort", "quick", "--tune", 2), "no time for"),
    ],
)
def test_what_does_not_go_together(
    earful: Any, clips: Path, tiny_base: Path, tmp_path: Path, more: tuple[object, ...], said: str
) -> None:
    run = earful(*words(clips, tmp_path / "m", tiny_base, *more))
    assert run.status == 2 and said in run.err and run.err.count("\n") == 1 and not (tmp_path / "m").exists()


def test_ctrl_c_writes_the_best_so_far_and_the_same_command_goes_on(
    earful: Any, clips: Path, tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages = list[str]()

    def interrupt(stage: str, done: float, total: float, note: str = "") -> None:
        stages.append(stage)
        if stages.count("adapting") == 3 * 2 + 3:  # in the second step
            raise KeyboardInterrupt

    @contextmanager
    def interrupting() -> Iterator[object]:
        yield interrupt

    command = words(clips, tmp_path / "m", tiny_base, "--effort", "best")
    with monkeypatch.context() as patch:
        patch.setattr("earful.cli.adapt.progress", interrupting)
        run = earful(*command)
    assert run.status == 130 and "is the best so far; run the same command again" in run.out.splitlines()[-1]
    assert load_checkpoint(tmp_path / "m").about["adapted"]["clips"] == 8
    assert (tmp_path / ".m.adapting" / "written").exists()
    run = earful(*command)
    assert run.status == 0 and [path.name for path in tmp_path.iterdir()] == ["m"], run.err
    run = earful(*command)
    assert run.status == 2 and "exists already" in run.err, "a model that is whole is not replaced"


def test_recordings_that_no_transcript_names(clips: Path, tmp_path: Path) -> None:
    folder = tmp_path / "clips"
    shutil.copytree(clips, folder)
    (folder / "clip3.txt").unlink()
    (folder / "clip4.txt").write_text(" \n", "utf-8")
    (folder / "more").mkdir()
    shutil.copy(folder / "clip0.wav", folder / "more" / "long.wav")
    shutil.copy(folder / "clip0.wav", folder / ".hidden.wav")
    way = Way("best", None, None, None, folder)
    given = read_clips(folder)
    used = transcribed(given, way)
    assert len(used) == 6 and len(transcribed(given, way._replace(effort="usual"))) == 9
    found = recordings_for(way, used)
    assert [u.audio.name for u in found] == ["clip3.wav", "clip4.wav", "long.wav"]
    assert all(u.text is None for u in found)
    again = recordings_for(way._replace(unlabelled=folder / "more"), used)
    assert [u.audio.name for u in again] == ["clip3.wav", "clip4.wav", "long.wav", "long.wav"]
    assert not len(recordings_for(way._replace(folder=folder / "clip0.wav"), used))


def test_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    print_planned([Planned("usual", "as usual", 70.0), Planned("search", "", 600.0, "too few clips")])
    said = capsys.readouterr().err
    assert "about 1:10 in all" in said and "usual: as usual, about 1:10" in said and "skipped: too few clips" in said
    print_steps([Brought("usual", 0.4, 0.3, 61.2, True), Brought("spoken", None, None, 1.0, False, "left out: broken")])
    said = capsys.readouterr().out
    assert "40.0 %" in said and "30.0 %" in said and "kept" in said and "left out: broken" in said
    print_steps([])
    assert capsys.readouterr().out == ""
