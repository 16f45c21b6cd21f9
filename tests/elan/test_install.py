"""Where ELAN is looked for on each system, and what is written there."""

from pathlib import Path

import pytest
from lxml import etree

from earful.elan.install import find_extensions, install
from earful.elan.settings import read_settings
from earful.errors import CheckpointError, ConfigError


def make(*folders: Path) -> None:
    for folder in folders:
        folder.mkdir(parents=True)


def test_linux(tmp_path: Path) -> None:
    home = tmp_path / "home"
    old, new = home / "ELAN_6-9/app", tmp_path / "opt/ELAN_7-0/app"
    make(old / "extensions", new, home / "elanor/app")
    assert find_extensions({"HOME": str(home)}, "linux", tmp_path) == [new / "extensions", old / "extensions"]


def test_macos(tmp_path: Path) -> None:
    app = tmp_path / "Applications/ELAN_7.0.app/Contents/app"
    older = tmp_path / "me/Applications/ELAN_6.10.app/Contents/app"
    make(app, older)
    found = find_extensions({"HOME": str(tmp_path / "me")}, "darwin", tmp_path)
    assert found == [app / "extensions", older / "extensions"]


def test_windows(tmp_path: Path) -> None:
    local, programs = tmp_path / "Local" / "ELAN_7-0" / "app", tmp_path / "Program Files" / "ELAN_6-8" / "app"
    make(local, programs)
    environment = {"LOCALAPPDATA": str(tmp_path / "Local"), "PROGRAMFILES": str(tmp_path / "Program Files")}
    assert find_extensions(environment, "win32", tmp_path) == [local / "extensions", programs / "extensions"]


def test_none(tmp_path: Path) -> None:
    assert find_extensions({}, "linux", tmp_path) == find_extensions({}, "win32", tmp_path) == []


def test_what_is_written(tiny_base: Path, tmp_path: Path) -> None:
    python = Path("/a path/it's/python")
    done = install(tmp_path / "ext", [str(tiny_base), "earful-tiny"], tmp_path / "models", python)
    assert done.models == (tiny_base.name, "earful-tiny") and " " not in done.folder.name
    assert sorted(p.name for p in done.folder.iterdir()) == ["earful.bat", "earful.cmdi", "earful.sh", "settings.json"]
    shell = (done.folder / "earful.sh").read_text("utf-8")
    assert shell.startswith("#!/bin/sh\n") and (done.folder / "earful.sh").stat().st_mode & 0o111
    assert "exec '/a path/it'\\''s/python' -P -m earful.elan.answer" in shell
    assert b'"/a path/it\'s/python" -P' in (done.folder / "earful.bat").read_bytes()
    recognizer = etree.parse(done.folder / "earful.cmdi").find(".//{*}recognizer")
    assert recognizer.get("runWin") == "cmd /c earful.bat", "the path has a space, at which ELAN would cut it"


def test_again(tiny_base: Path, tmp_path: Path) -> None:
    install(tmp_path, [str(tiny_base)], tmp_path / "models")
    done = install(tmp_path, [str(tiny_base), "earful-tiny"], tmp_path / "models", Path("C:/python.exe"))
    assert done.models == (tiny_base.name, "earful-tiny"), "what was there stays, and is there once"
    assert read_settings(done.folder).models[tiny_base.name] == str(tiny_base.resolve())
    recognizer = etree.parse(done.folder / "earful.cmdi").find(".//{*}recognizer")
    assert recognizer.get("runWin") == "C:/python.exe -P -m earful.elan.answer"


def test_what_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="nowhere"):
        install(tmp_path / "ext", ["nowhere"], tmp_path)
    assert not (tmp_path / "ext").exists(), "nothing is written for a model that is not there"
    make(tmp_path / "ext/earful/mine")
    with pytest.raises(ConfigError, match="holds what is not earful's"):
        install(tmp_path / "ext", ["earful-tiny"], tmp_path)
