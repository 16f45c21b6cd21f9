"""Only regular files are read whole, and only as much as is sensible."""

import os
import time
from pathlib import Path

import pytest

from earful.reading import LARGEST, check_regular, read_whole


def test_a_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"all of it")
    assert read_whole(tmp_path / "a") == b"all of it"


@pytest.mark.parametrize(("make", "said"), [("pipe", "a pipe"), ("zero", "a device"), ("folder", "a folder")])
def test_what_is_no_file_is_refused_at_once(tmp_path: Path, make: str, said: str) -> None:
    place = Path("/dev/zero") if make == "zero" else tmp_path / "it"
    if make == "pipe":
        os.mkfifo(place)
    elif make == "folder":
        place.mkdir()
    began = time.monotonic()
    for act in (read_whole, check_regular):
        with pytest.raises(OSError, match=said) as error:
            act(place)
        assert error.value.filename == str(place)
    assert time.monotonic() - began < 1


def test_what_is_too_large_is_refused_unless_it_is_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "a").open("wb") as file:
        file.truncate(3_000_001)
    monkeypatch.setenv(LARGEST, "3")
    with pytest.raises(OSError, match=f"over the 3 MB that are read; set {LARGEST}"):
        read_whole(tmp_path / "a")
    monkeypatch.setenv(LARGEST, "4")
    assert len(read_whole(tmp_path / "a")) == 3_000_001
    monkeypatch.setenv(LARGEST, "nonsense")
    assert len(read_whole(tmp_path / "a")) == 3_000_001


def test_a_name_with_a_nul(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="a NUL"):
        read_whole(tmp_path / "a\0b")


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_whole(tmp_path / "none")
