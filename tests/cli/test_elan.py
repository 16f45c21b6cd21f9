"""`earful elan install`: into the ELAN that is found or named."""

import json
from pathlib import Path

import pytest


def test_into_the_newest(earful, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ELAN_6-9", "ELAN_7-0"):
        (tmp_path / name / "app").mkdir(parents=True)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("HOME", str(tmp_path))
    run = earful("elan", "install", "--model", "earful-tiny")
    assert run.status == 0, run.err
    assert (tmp_path / "ELAN_7-0/app/extensions/earful/earful.cmdi").is_file()
    assert "ELAN_7-0" in run.out.splitlines()[0] and f"add --extensions {tmp_path / 'ELAN_6-9'}" in run.out


def test_named(earful, tiny_base: Path, tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    place = tmp_path / "app" / "extensions"
    run = earful("elan", "install", "--model", tiny_base, "--extensions", place, "--home", tmp_path, "--json")
    assert json.loads(run.out) == {"folder": str(place / "earful"), "models": [tiny_base.name], "others": []}


def test_no_elan(earful, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("earful.elan.install.find_extensions", lambda environment: [])
    assert "no ELAN found; name its folder" in earful("elan", "install").err
    run = earful("elan", "install", "--extensions", tmp_path / "no" / "app" / "extensions")
    assert run.status == 2 and "name ELAN's folder" in run.err and not (tmp_path / "no").exists()
