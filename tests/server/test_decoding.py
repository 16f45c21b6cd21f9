"""Uploads are decoded by processes that may die: within limits of time, memory and length, and whole or not at all."""

import io
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from earful.audio.files import read
from earful.errors import AudioError
from earful.server.companion import Companion, CompanionError
from earful.server.decoding import Decoders, received, shown
from earful.server.settings import Settings


@pytest.fixture
def decoders(settings: Settings):
    found = Decoders(settings)
    yield found
    found.close()


@pytest.fixture
def sound(tones, tmp_path: Path) -> Path:
    place = tmp_path / "sound"
    stereo = np.stack([np.resize(tones("abba cab"), 44_100)] * 2, axis=1)
    soundfile.write(place, stereo, 44_100, format="FLAC")
    return place


@pytest.mark.parametrize(("kind", "within"), [("FLOAT", 1e-6), ("PCM_16", 1e-4)])
def test_it_hears_what_the_command_hears(
    decoders: Decoders, sound: Path, tmp_path: Path, kind: str, within: float
) -> None:
    lasts_s, warnings = decoders.decode(sound, tmp_path / "out.wav", "x.flac", kind)
    samples_T, rate_hz = soundfile.read(tmp_path / "out.wav", dtype="float32")
    assert rate_hz == 16_000 and len(samples_T) / 16_000 == pytest.approx(lasts_s) and not warnings
    assert np.abs(samples_T - read(sound)).max() <= within


def test_one_process_decodes_many(decoders: Decoders, sound: Path, tmp_path: Path) -> None:
    for number in range(3):
        decoders.decode(sound, tmp_path / f"{number}.wav", "x.flac")
    alive = [each for each in decoders._all if each._process is not None]
    assert len(alive) == 1, "the process that is warm is taken"


def test_too_long_and_no_sound_say_so_by_the_clients_name(settings: Settings, sound: Path, tmp_path: Path) -> None:
    decoders = Decoders(replace(settings, longest_s=0.5))
    (tmp_path / "text").write_text("no sound")
    try:
        with pytest.raises(AudioError, match=r"^talk\.flac: it lasts longer"):
            decoders.decode(sound, tmp_path / "out.wav", "talk.flac")
        with pytest.raises(AudioError, match=r"^talk\.flac: ") as caught:
            decoders.decode(tmp_path / "text", tmp_path / "out.wav", "talk.flac")
        assert str(tmp_path) not in str(caught.value)
    finally:
        decoders.close()
    assert {path.name for path in tmp_path.iterdir()} == {"sound", "text"}, "nothing half-written stays"


@pytest.mark.skipif(sys.platform != "linux", reason="limits are Linux's here")
@pytest.mark.parametrize("limit", ["memory", "time"])
def test_a_decoder_that_takes_too_much_dies_and_the_next_file_is_decoded(limit: str, tmp_path: Path) -> None:
    greedy = {"memory": "x = bytearray(2**31)", "time": "while True: pass"}[limit]
    module = tmp_path / "greedy.py"
    module.write_text(
        "from earful.server.decoder import limit_memory, limit_time\n"
        "from earful.server.obeying import obey\n"
        "limit_memory(2**30)\n"
        "def do(request):\n"
        "    limit_time(0.5)\n"
        f"    if request['greedy']: exec({greedy!r})\n"
        "    return {'done': 1}\n"
        "obey(do)\n"
    )
    held = os.environ.get("PYTHONPATH", "")
    os.environ["PYTHONPATH"] = f"{tmp_path}:{held}"
    companion = Companion("greedy")
    try:
        assert companion.ask({"greedy": 0}, 60) == {"done": 1}
        with pytest.raises(CompanionError, match="died"):
            companion.ask({"greedy": 1}, 60)
        assert companion.ask({"greedy": 0}, 60) == {"done": 1}
    finally:
        companion.close()
        os.environ["PYTHONPATH"] = held


def test_one_that_sleeps_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sleepy.py").write_text("import time\ninput()\ntime.sleep(60)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    companion = Companion("sleepy")
    with pytest.raises(CompanionError, match="too long"):
        companion.ask({}, 0.5)
    companion.close()


def test_a_process_beside_ends_when_the_server_does() -> None:
    command = [sys.executable, "-m", "earful.server.decoder", str(2**31), "60"]
    assert subprocess.run(command, stdin=subprocess.DEVNULL, timeout=60, check=False).returncode == 0


def test_an_upload_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), received(io.BytesIO(b"x"), tmp_path) as place:
        assert place.read_bytes() == b"x"
        raise RuntimeError
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("given", "seen"),
    [
        ("../../etc/x.wav", "x.wav"),
        ("a\\b.wav", "b.wav"),
        ("a\x00\n.wav", "a.wav"),
        (None, "recording"),
        ("/", "recording"),
    ],
)
def test_what_a_client_calls_its_file(given: str | None, seen: str) -> None:
    assert shown(given) == seen
