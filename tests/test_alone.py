"""Two runs in one folder: the second is refused, whatever has become of the first."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from earful.alone import alone
from earful.errors import ConfigError

REMEDY = "name another folder"
HOLDS = """
import sys, time
from pathlib import Path
from earful.alone import alone
with alone(Path(sys.argv[1]), "no"):
    print("inside", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def other(tmp_path: Path):
    """A process that is in `tmp_path / "work"`."""
    process = subprocess.Popen([sys.executable, "-c", HOLDS, str(tmp_path / "work")], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "inside\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_second_run_is_refused_while_the_first_one_is_there(tmp_path: Path, other: subprocess.Popen) -> None:
    busy = r"work: another run of earful is at work there; .* name another folder"
    with pytest.raises(ConfigError, match=busy), alone(tmp_path / "work", REMEDY):
        pytest.fail("two runs are in one folder")


def test_a_run_that_was_killed_keeps_nobody_out(tmp_path: Path, other: subprocess.Popen) -> None:
    other.kill()
    other.wait()
    time.sleep(0.01)
    with alone(tmp_path / "work", REMEDY):
        assert (tmp_path / "work").is_dir()


def test_a_folder_goes_where_nothing_was_put_into_it_and_stays_with_what_was(tmp_path: Path) -> None:
    with alone(tmp_path / "empty", REMEDY):
        pass
    with alone(tmp_path / "full", REMEDY):
        (tmp_path / "full" / "state").write_text("1")
    assert [path.name for path in tmp_path.iterdir()] == ["full"]
    assert (tmp_path / "full" / "state").read_text() == "1"


def test_what_is_inside_may_remove_the_folder(tmp_path: Path) -> None:
    with alone(tmp_path / "work", REMEDY):
        for path in (tmp_path / "work").iterdir():
            path.unlink()
        (tmp_path / "work").rmdir()
    assert not list(tmp_path.iterdir())


def test_a_file_in_its_place_is_an_error_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "work").write_text("")
    with pytest.raises(ConfigError, match=r"work: .*exists; name another folder"), alone(tmp_path / "work", REMEDY):
        pytest.fail("a file holds no state")
