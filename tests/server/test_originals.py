"""Recordings as they came: kept by their hash, given back byte by byte, gone to the trash with the rest."""

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
import soundfile

from earful.server.settings import Settings


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture(params=[True, False], ids=["kept", "not kept"])
def keeps(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def asks(listen, settings: Settings, home: Path, keeps: bool) -> Iterator[httpx.Client]:
    with listen(replace(settings, home=home, keeps_originals=keeps)) as client:
        yield client


def content(tones, **how: str) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, tones("abba cab"), 16_000, **how)
    return file.getvalue()


def added(client: httpx.Client, name: str, sound: bytes) -> dict[str, str]:
    project = client.post("/api/projects", json={"name": "talks"}).json()["id"]
    return client.post(f"/api/projects/{project}/recordings", files={"file": (name, sound)}).json()


def test_what_came_is_given_back(asks: httpx.Client, home: Path, keeps: bool, tones) -> None:
    sound = content(tones, format="FLAC")
    recording = added(asks, "a/talk: one.FLAC", sound)
    kept = [path.name for path in (home / "originals").iterdir()]
    assert kept == ([f"{recording['sha256']}.original"] if keeps else [])
    answer = asks.get(f"/api/recordings/{recording['id']}/original")
    if not keeps:
        assert answer.status_code == 404 and answer.json()["error"]["code"] == "original_not_found"
        return
    assert answer.content == sound and answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].endswith("talk_%20one.FLAC")
    assert added(asks, "again.flac", sound)["sha256"] == recording["sha256"]
    assert [path.name for path in (home / "originals").iterdir()] == kept


def test_a_recording_of_the_studio_is_not_kept_twice(asks: httpx.Client, home: Path, tones) -> None:
    """It comes as the WAV that the server would make of it."""
    sound = content(tones, format="WAV", subtype="PCM_16")
    recording = added(asks, "recording.wav", sound)
    assert not list((home / "originals").iterdir())
    assert asks.get(f"/api/recordings/{recording['id']}/original").content == sound


def test_what_is_deleted_is_in_the_trash(asks: httpx.Client, home: Path, keeps: bool, tones) -> None:
    sound = content(tones, format="OGG")
    first, second = added(asks, "one.ogg", sound), added(asks, "two.ogg", sound)
    assert asks.delete(f"/api/recordings/{first['id']}").status_code == 204
    assert not list((home / "trash").iterdir()), "another project has the same sound"
    assert asks.delete(f"/api/recordings/{second['id']}").status_code == 204
    names = {f"{first['sha256']}.wav", *([f"{first['sha256']}.original"] if keeps else [])}
    assert {path.name for path in (home / "trash").iterdir()} == names
    assert not list((home / "originals").iterdir()) and not list((home / "recordings").iterdir())
