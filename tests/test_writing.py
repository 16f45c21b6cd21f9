"""Files that appear whole or not at all."""

from pathlib import Path

import pytest

from earful.writing import replacing


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
