"""What OpenAI's client gets: every format, streaming, and errors that it understands."""

import io
import json
from dataclasses import replace
from pathlib import Path
from threading import Event

import httpx
import numpy as np
import openai
import pytest
import soundfile

from earful.runner import Runner
from earful.server.settings import Settings

SAID = "abba cab"


@pytest.fixture(scope="module")
def sound(tones) -> tuple[str, bytes]:
    """A file as clients send it: its name, and what is in it."""
    content = io.BytesIO()
    soundfile.write(content, tones(SAID), 16_000, format="FLAC")
    return "said.flac", content.getvalue()


@pytest.fixture(scope="module")
def said(tiny_base: Path, sound: tuple[str, bytes]):
    """What the command says."""
    found = Runner.load(tiny_base).transcribe(sound[1])
    assert found.text and found.words, "a model that says nothing tests nothing"
    return found


@pytest.fixture(scope="module")
def asks(client: httpx.Client) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{client.base_url}/v1", api_key="anything", max_retries=0)


def test_the_list(asks: openai.OpenAI) -> None:
    names = [model.id for model in asks.models.list()]
    assert names[0] == "tiny" and "earful-base" in names
    assert asks.models.retrieve("tiny").owned_by == "earful"


def test_json_says_what_the_command_says(asks: openai.OpenAI, sound: tuple[str, bytes], said) -> None:
    found = asks.audio.transcriptions.create(model="tiny", file=sound, include=["logprobs"])
    assert found.text == said.text
    assert [each.token for each in found.logprobs] == [word.text for word in said.words]
    assert all(each.logprob <= 0 and bytes(map(int, each.bytes)).decode() == each.token for each in found.logprobs)
    assert found.usage.seconds == pytest.approx(said.duration_s, abs=1e-3)


def test_without_logprobs_none_come(asks: openai.OpenAI, sound: tuple[str, bytes]) -> None:
    assert asks.audio.transcriptions.create(model="tiny", file=sound).logprobs is None


def test_words_only_when_asked(asks: openai.OpenAI, sound: tuple[str, bytes], said) -> None:
    create = asks.audio.transcriptions.create
    usual = create(model="tiny", file=sound, response_format="verbose_json")
    assert usual.words is None and " ".join(each.text for each in usual.segments) == said.text
    words = create(model="tiny", file=sound, response_format="verbose_json", timestamp_granularities=["word"])
    assert words.segments is None and [each.word for each in words.words] == [word.text for word in said.words]
    assert all(0 <= each.start <= each.end <= words.duration for each in words.words)
    both = create(model="tiny", file=sound, response_format="verbose_json", timestamp_granularities=["word", "segment"])
    assert both.words and both.segments


@pytest.mark.parametrize(("format", "begins"), [("text", ""), ("srt", "1\n00:00:"), ("vtt", "WEBVTT\n")])
def test_texts(asks: openai.OpenAI, sound: tuple[str, bytes], said, format: str, begins: str) -> None:
    found = asks.audio.transcriptions.create(model="tiny", file=sound, response_format=format)
    assert found.startswith(begins) and " ".join(found.split()).endswith(said.text)


def test_a_stream(asks: openai.OpenAI, sound: tuple[str, bytes], said) -> None:
    events = list(asks.audio.transcriptions.create(model="tiny", file=sound, stream=True, include=["logprobs"]))
    *deltas, done = events
    assert "".join(each.delta for each in deltas) == done.text == said.text
    assert done.type == "transcript.text.done" and len(done.logprobs) == len(said.words)


@pytest.fixture(scope="module")
def long(tones) -> bytes:
    """So much that it takes three windows."""
    content = io.BytesIO()
    soundfile.write(content, tones("abba cab acca bac caba ba ac " * 8), 16_000, format="FLAC")
    return content.getvalue()


def test_words_are_streamed_before_all_is_heard(
    listen, settings: Settings, talker: Path, long: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The third window is heard only when words have come; and the deltas are the text that is answered unstreamed."""
    come, windows, hears = Event(), list[int](), Runner._logp_of

    def heard(runner: Runner, samples_T: np.ndarray) -> np.ndarray:
        windows.append(len(samples_T))
        if len(windows) == 3:
            assert come.wait(60), "nothing comes"
        return hears(runner, samples_T)

    monkeypatch.setattr(Runner, "_logp_of", heard)
    with listen(replace(settings, models=(talker,), home=tmp_path)) as client:
        asks = openai.OpenAI(base_url=f"{client.base_url}/v1", api_key="anything", max_retries=0)
        texts = []
        for event in asks.audio.transcriptions.create(model="talker", file=("long.flac", long), stream=True):
            come.set()
            texts.append(event.delta if event.type == "transcript.text.delta" else event.text)
        *deltas, done = texts
        whole = asks.audio.transcriptions.create(model="talker", file=("long.flac", long)).text
    assert "".join(deltas) == done == whole and len(deltas) >= 3 and len(windows) == 6
    assert len(whole.split()) > 20, "a model that says little tests little"


def test_a_stream_of_what_is_no_sound_ends_in_an_error(asks: openai.OpenAI) -> None:
    with pytest.raises(openai.APIError, match=r"notes\.wav"):
        list(asks.audio.transcriptions.create(model="tiny", file=("notes.wav", b"no sound"), stream=True))


@pytest.mark.parametrize(
    ("asked", "status", "param"),
    [
        ({"model": "whisper-1"}, 404, "model"),
        ({"model": "../tiny"}, 404, "model"),
        ({"response_format": "diarized_json"}, 400, "response_format"),
        ({"response_format": "verbose"}, 400, "response_format"),
        ({"timestamp_granularities[]": "word"}, 400, "timestamp_granularities[]"),
        ({"include[]": "logprobs", "response_format": "text"}, 400, "include[]"),
        ({"stream": "true", "response_format": "srt"}, 400, "stream"),
        ({"temperature": "warm"}, 400, "temperature"),
        ({"keywords": "žluť"}, 400, None),
    ],
)
def test_what_is_refused(
    client: httpx.Client, sound: tuple[str, bytes], asked: dict[str, str], status: int, param: str
) -> None:
    answer = client.post("/v1/audio/transcriptions", data={"model": "tiny", **asked}, files={"file": sound})
    error = answer.json()["error"]
    assert answer.status_code == status and error["param"] == param and error["message"] and error["type"]


@pytest.mark.parametrize("content", [b"", b"no sound at all", b"RIFF\x00\x00\x00\x00WAVE"])
def test_no_sound(client: httpx.Client, content: bytes) -> None:
    answer = client.post("/v1/audio/transcriptions", data={"model": "tiny"}, files={"file": ("../../x.wav", content)})
    message = answer.json()["error"]["message"]
    assert answer.status_code == 400 and message.startswith("x.wav: ") and "incoming" not in message, message


def test_hot_words_change_what_is_heard(client: httpx.Client, sound: tuple[str, bytes], said) -> None:
    def text(**more: str) -> str:
        asked = {"model": "tiny", **more}
        return client.post("/v1/audio/transcriptions", data=asked, files={"file": sound}).json()["text"]

    assert text() == said.text and text(**{"keywords[]": "ebbe"}) != said.text


def test_the_routes_are_described(client: httpx.Client) -> None:
    paths = json.loads(client.get("/openapi.json").text)["paths"]
    assert "post" in paths["/v1/audio/transcriptions"]
    page = client.get("/docs")
    assert all(path in page.text for path in paths) and "<script" not in page.text
