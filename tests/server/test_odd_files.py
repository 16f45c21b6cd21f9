"""What is wrong with a file that can be read all the same is told to whoever sent it, as the commands tell it."""

import io
import json
import struct

import httpx
import pytest
import soundfile

from earful.server.clips import clips_of_form
from earful.server.decoding import Decoders
from earful.server.settings import Settings
from earful.server.worker import _some

TOLD = "its header promises 0 bytes of sound; "


@pytest.fixture
def whole(tones) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, tones("abba cab"), 16_000, format="WAV")
    return file.getvalue()


@pytest.fixture
def odd(whole: bytes) -> bytes:
    """As a recorder leaves it whose battery is empty."""
    place = whole.find(b"data") + 4
    return whole[:place] + struct.pack("<I", 0) + whole[place + 4 :]


def added(client: httpx.Client, sound: bytes) -> dict[str, list[str]]:
    project = client.post("/api/projects", json={"name": "talks"}).json()["id"]
    row = client.post(f"/api/projects/{project}/recordings", files={"file": ("a.wav", sound)}).json()
    assert client.get(f"/api/projects/{project}/recordings").json()[0]["warnings"] == row["warnings"]
    return row


def test_the_studio_keeps_it_with_the_recording(client: httpx.Client, whole: bytes, odd: bytes) -> None:
    (told,) = added(client, odd)["warnings"]
    assert told.startswith(TOLD)
    assert added(client, odd)["warnings"] == [told], "the same file, in another project"
    assert added(client, whole)["warnings"] == []


def test_a_transcript_comes_with_it(client: httpx.Client, whole: bytes, odd: bytes) -> None:
    def answer(sound: bytes, **more: str) -> httpx.Response:
        asked = {"model": "tiny", **more}
        return client.post("/v1/audio/transcriptions", data=asked, files={"file": ("a.wav", sound)})

    for format in ("json", "verbose_json"):
        assert answer(odd, response_format=format).json()["warnings"][0].startswith(TOLD)
        assert "warnings" not in answer(whole, response_format=format).json()
    for format in ("text", "srt", "vtt"):
        assert json.loads(answer(odd, response_format=format).headers["x-warnings"])[0].startswith(TOLD)
        assert "x-warnings" not in answer(whole, response_format=format).headers
    last = json.loads(answer(odd, stream="true").text.strip().split("\n\n")[-1].split("data: ")[1])
    assert last["type"] == "transcript.text.done" and last["warnings"][0].startswith(TOLD)


def test_clips_that_are_sent_are_named(settings: Settings, tmp_path, whole: bytes, odd: bytes) -> None:
    class Sent:
        def __init__(self, name: str, content: bytes) -> None:
            self.filename, self.file = name, io.BytesIO(content)

    decoders = Decoders(settings)
    lines = "".join(json.dumps({"audio_filepath": f"{name}.wav", "text": "abba cab"}) + "\n" for name in "ab")
    try:
        _, said = clips_of_form(decoders, [Sent("a.wav", whole), Sent("b.wav", odd)], lines, tmp_path)
    finally:
        decoders.close()
    assert len(said) == 1 and said[0].startswith(f"b.wav: {TOLD}")


def test_of_many_some_are_told_and_the_others_counted() -> None:
    assert _some(["a", "b"]) == ["a", "b"]
    assert _some([str(number) for number in range(12)])[9:] == ["9", "and 2 more of this kind"]
