"""Files that appear whole or not at all."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from earful import writing
from earful.writing import check_name, clear_leftovers, one_file, replacing, replacing_folder


def test_what_is_written_takes_the_place(tmp_path: Path) -> None:
    place = tmp_path / "notes.txt"
    place.write_text("old")
    with replacing(place) as beside:
        beside.write_text("new")
        assert beside.parent == tmp_path and beside.name.startswith(".") and place.read_text() == "old"
    assert place.read_text() == "new" and list(tmp_path.iterdir()) == [place]


@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failure_leaves_what_was_there_and_nothing_else(tmp_path: Path, failure: BaseException) -> None:
    place = tmp_path / "notes.txt"
    place.write_text("old")
    with pytest.raises(type(failure)) as error, replacing(place) as beside:
        beside.write_text("ha")
        raise failure
    assert error.value is failure
    assert place.read_text() == "old" and list(tmp_path.iterdir()) == [place]


def test_where_nothing_can_be_written_the_error_is_that_of_the_write(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError), replacing(tmp_path / "file" / "notes.txt") as beside:
        beside.write_text("nothing")


def test_nothing_written_is_an_error_and_takes_nothing_away(tmp_path: Path) -> None:
    place = tmp_path / "notes.txt"
    place.write_text("old")
    with pytest.raises(FileNotFoundError), replacing(place):
        pass
    assert place.read_text() == "old"


def test_a_failure_to_rename_leaves_what_was_there(tmp_path: Path) -> None:
    place = tmp_path / "notes"
    place.mkdir()
    with pytest.raises(IsADirectoryError), replacing(place) as beside:
        beside.write_text("new")
    assert list(tmp_path.iterdir()) == [place]


def folder_of(place: Path, content: str) -> Path:
    place.mkdir()
    (place / "file").write_text(content)
    return place


@pytest.mark.parametrize("system", ["exchange", "two steps"])
def test_a_folder_takes_the_place_of_another(tmp_path: Path, system: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if system == "two steps":
        monkeypatch.setattr(writing, "_exchange", lambda one, other: False)
    place = folder_of(tmp_path / "model", "old")
    with replacing_folder(place) as beside:
        (beside / "file").write_text("new")
        assert (place / "file").read_text() == "old"
    assert (place / "file").read_text() == "new" and list(tmp_path.iterdir()) == [place]


def test_a_folder_that_fails_leaves_the_old_one(tmp_path: Path) -> None:
    place = folder_of(tmp_path / "model", "old")
    with pytest.raises(KeyboardInterrupt), replacing_folder(place) as beside:
        (beside / "file").write_text("new")
        raise KeyboardInterrupt
    assert (place / "file").read_text() == "old" and list(tmp_path.iterdir()) == [place]


KILLED = """
import os, signal, sys
from pathlib import Path
from earful import writing
turn, at = 0, int(sys.argv[2])
def dying(event, arguments):
    global turn
    if event in ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "open") and "model" in str(arguments):
        turn += 1
        if turn == at:
            os.kill(os.getpid(), signal.SIGKILL)
place = Path(sys.argv[1])
if sys.argv[3] == "two steps":
    writing._exchange = lambda one, other: False
sys.addaudithook(dying)
with writing.replacing_folder(place) as beside:
    (beside / "file").write_text("new")
    (beside / "more").write_text("new")
print("done")
"""


@pytest.mark.parametrize("system", ["exchange", "two steps"])
def test_a_kill_at_any_moment_leaves_the_old_or_the_new(tmp_path: Path, system: str) -> None:
    """Before each thing that is asked of the system, in turn; what is left over the next run clears."""
    seen = set()
    for at in range(1, 40):
        (tmp_path / str(at)).mkdir()
        place = folder_of(tmp_path / str(at) / "model", "old")
        run = subprocess.run(
            [sys.executable, "-c", KILLED, str(place), str(at), system], capture_output=True, text=True, check=False
        )
        if system == "exchange":
            assert (place / "file").exists(), at
        writing._cleared.clear()
        clear_leftovers(place.parent)
        assert list(place.parent.iterdir()) == [place], at
        seen.add((place / "file").read_text())
        if run.stdout:
            break
        assert run.returncode == -9, run.stderr
    else:
        raise AssertionError("it never came to its end")
    assert seen == {"old", "new"} and at > 4


def test_only_what_dead_processes_of_this_machine_left_is_cleared(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    dead = [f".a.txt.{writing._home()}-{gone.pid}-0.partial", f".b.{writing._home()}-{gone.pid}-3.partial"]
    others = [f".a.txt.{writing._home()}-{os.getppid()}-0.partial", f".a.txt.00000000-{gone.pid}-0.partial"]
    others += [".a.partial", f"a.txt.{writing._home()}-{gone.pid}-0.partial", ".a.txt.123.partial"]
    (tmp_path / dead[1]).mkdir()
    (tmp_path / dead[1] / "file").touch()
    for name in (dead[0], *others):
        (tmp_path / name).touch()
    with replacing(tmp_path / "c") as beside:
        beside.touch()
    assert {path.name for path in tmp_path.iterdir()} == {"c", *others}


def test_names_of_any_length_can_be_written_and_longer_ones_are_refused(tmp_path: Path) -> None:
    for name in ("ü" * 127, "a" * 255, "a" * 200):
        with replacing(tmp_path / name) as beside:
            beside.touch()
        check_name(tmp_path / name)
    assert len(list(tmp_path.iterdir())) == 3
    for name in ("ü" * 128, "a" * 256, "a\0b"):
        with pytest.raises(OSError, match=r"more than 255 bytes|a NUL"):
            check_name(tmp_path / name / "model")


@pytest.mark.parametrize(
    ("one", "other", "on"),
    [
        ("out/Talk.txt", "out/talk.txt", {"win32", "darwin"}),
        ("out/caf\u00e9.txt", "out/cafe\u0301.txt", {"win32", "darwin"}),
        ("out/a.txt", "out/b.txt", set()),
        ("out/a.txt", "out/a.txt", {"linux", "win32", "darwin"}),
    ],
)
def test_names_of_one_file(one: str, other: str, on: set[str]) -> None:
    systems = ("linux", "win32", "darwin")
    assert {name for name in systems if one_file(Path(one), name) == one_file(Path(other), name)} == on
