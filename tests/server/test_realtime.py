"""Realtime over WebSockets: the `openai` client, vLLM's dialect by plain `websockets`, and what neither would send."""

import asyncio
import base64
import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import openai
import pytest
import websockets
from websockets.sync.client import connect

from earful.audio.capture import floats
from earful.live.live import make_ready
from earful.runner import Runner
from earful.server import realtime
from earful.server.pool import Pool
from earful.server.problems import Problem
from earful.server.realtime import Session
from earful.server.settings import Settings
from earful.server.state import State, state_of

DELTA = "conversation.item.input_audio_transcription.delta"
COMPLETED = "conversation.item.input_audio_transcription.completed"


@pytest.fixture(scope="module")
def served(
    listen: Any, talker: Path, settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    with listen(replace(settings, models=(talker,), home=tmp_path_factory.mktemp("live"))) as client:
        yield client


@pytest.fixture
def state(talker: Path, settings: Settings, tmp_path: Path) -> Iterator[State]:
    found = state_of(replace(settings, models=(talker,), home=tmp_path))
    yield found
    found.pool.close()


@pytest.fixture
def sound(tones: Any) -> np.ndarray:
    found: np.ndarray = tones("abba cab acca bac caba ba ac abba cab")
    return found


def pcm(sound: np.ndarray, rate_hz: int = 16_000) -> bytes:
    places = np.arange(round(len(sound) * rate_hz / 16_000)) * 16_000 / rate_hz
    return np.rint(np.interp(places, np.arange(len(sound)), sound) * 32767).astype("<i2").tobytes()


def transcribed(model: Path, sound: np.ndarray) -> str:
    """What a transcription of that sound says, as it is sent."""
    return Runner.load(model, threads=1).transcribe(floats(pcm(sound), 2, 1)).text


def address(client: httpx.Client, query: str = "") -> str:
    return str(client.base_url).replace("http", "ws").rstrip("/") + "/v1/realtime" + query


class Plain:
    """A client that speaks JSON."""

    def __init__(self, client: httpx.Client, query: str = "", **more: Any) -> None:
        self._stack, self._connect = ExitStack(), lambda: connect(address(client, query), **more)

    def __enter__(self) -> "Plain":
        self.socket = self._stack.enter_context(self._connect())
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def send(self, kind: str, **more: Any) -> None:
        self.socket.send(json.dumps({"type": kind, **more}))

    def speak(self, content: bytes, size: int = 3_201) -> None:
        for begin in range(0, len(content), size):
            self.send("input_audio_buffer.append", audio=base64.b64encode(content[begin : begin + size]).decode())

    def until(self, kind: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while not found or found[-1]["type"] != kind:
            found.append(json.loads(self.socket.recv(60)))
            assert kind == "error" or found[-1]["type"] != "error", found[-1]
        return found


def of(events: Sequence[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [event for event in events if event["type"] == kind]


def test_the_client_of_openai(served: httpx.Client, sound: np.ndarray) -> None:
    async def transcribe() -> tuple[list[str], str, float]:
        client = openai.AsyncOpenAI(api_key="any", base_url=f"{served.base_url}/v1")
        deltas = []
        async with client.realtime.connect(extra_query={"intent": "transcription"}) as connection:
            transcription = {"model": "talker", "language": "cs"}
            pcm_24 = {"type": "audio/pcm", "rate": 24_000}
            given = {"format": pcm_24, "transcription": transcription, "turn_detection": None}
            await connection.session.update(session={"type": "transcription", "audio": {"input": given}})  # type: ignore[typeddict-item]
            content = pcm(sound, 24_000)
            for begin in range(0, len(content), 4800):
                await connection.input_audio_buffer.append(
                    audio=base64.b64encode(content[begin : begin + 4800]).decode()
                )
            await connection.input_audio_buffer.commit()
            async for event in connection:
                assert event.type != "error", event
                if event.type == DELTA:
                    deltas.append(event.delta or "")
                if event.type == COMPLETED:
                    return deltas, event.transcript, event.usage.seconds  # type: ignore[union-attr]
        raise AssertionError("it ended")

    deltas, transcript, seconds = asyncio.run(asyncio.wait_for(transcribe(), 60))
    assert len(deltas) > 1 and "".join(deltas).split() and len(transcript.split()) > 3
    assert seconds == pytest.approx(len(sound) / 16_000, abs=0.01)


def test_vllms_dialect(served: httpx.Client, talker: Path, sound: np.ndarray) -> None:
    with Plain(served) as client:
        assert client.until("session.created")[0]["id"].startswith("sess_")
        client.send("session.update", model="talker")
        client.send("input_audio_buffer.commit")
        client.speak(pcm(sound))
        client.send("input_audio_buffer.commit", final=True)
        events = client.until("transcription.done")
        text = events[-1]["text"]
        assert text == transcribed(talker, sound) and len(text.split()) > 3, "heard once more, as a whole"
        assert len(of(events, "transcription.delta")) > 1
        client.send("session.update", model="nobody")
        assert "`nobody` does not exist" in client.until("error")[-1]["error"]


def test_both_rates_hear_the_same_length(served: httpx.Client, sound: np.ndarray) -> None:
    for rate_hz in (16_000, 24_000, 48_000):
        with Plain(served, "?model=talker") as client:
            given = {"format": {"type": "audio/pcm", "rate": rate_hz}, "turn_detection": None}
            client.send("session.update", session={"audio": {"input": given}})
            client.speak(pcm(sound, rate_hz))
            client.send("input_audio_buffer.commit")
            usage = client.until(COMPLETED)[-1]["usage"]
            assert usage == {"type": "duration", "seconds": pytest.approx(len(sound) / 16_000, abs=0.01)}


def test_the_tail_and_the_words_for_those_who_ask(served: httpx.Client, talker: Path, sound: np.ndarray) -> None:
    with Plain(served, "?model=talker&intent=transcription") as client:
        given = {"format": {"type": "audio/pcm", "rate": 16_000}, "turn_detection": None}
        client.send("session.update", session={"audio": {"input": given}, "include": ["earful.tail", "earful.words"]})
        client.speak(pcm(sound))
        client.send("input_audio_buffer.commit")
        events = client.until(COMPLETED)
        assert len(of(events, "earful.tail")) > 2 and of(events, "earful.tail")[-1]["tail"] == ""
        words, last = events[-1]["words"], events[-1]["transcript"]
        assert " ".join(word["word"] for word in words) == last == transcribed(talker, sound)
        assert all(
            0 <= w["start"] <= w["end"] <= len(sound) / 16_000 + 0.1 and 0 <= w["confidence"] <= 1 for w in words
        )


def talked(state: State, events: Sequence[dict[str, Any]], sent: list[dict[str, Any]]) -> None:
    """One session, without a server: what it is sent, and what it answers."""
    make_ready(state.models.transcriber("talker"))  # what compiles takes time, and then it hears less often

    async def send(event: dict[str, Any]) -> None:
        sent.append(event)

    async def talk() -> None:
        session = Session(state, "talker", send)
        for event in events:
            await session.take(json.dumps(event))

    asyncio.run(talk())


def appends(sound: np.ndarray) -> list[dict[str, Any]]:
    content = [pcm(sound[begin : begin + 3_200], 24_000) for begin in range(0, len(sound), 3_200)]
    return [{"type": "input_audio_buffer.append", "audio": base64.b64encode(each).decode()} for each in content]


def test_turns_end_by_themselves_where_nobody_speaks(state: State, tones: Any, tones_heard: Any) -> None:
    state.models.transcriber = lambda name: tones_heard()  # type: ignore[method-assign, assignment]
    quiet, sent = np.zeros(16_000, np.float32), list[dict[str, Any]]()
    sound = np.concatenate([tones("abba cab"), quiet, tones("acca ba ac"), quiet])
    turn = {"type": "server_vad", "silence_duration_ms": 600}
    talked(state, [{"type": "session.update", "session": {"turn_detection": turn}}, *appends(sound)], sent)
    assert not of(sent, "error")
    assert [event["transcript"] for event in of(sent, COMPLETED)] == ["abba cab", "acca ba ac"]
    first, second = of(sent, "input_audio_buffer.committed")
    assert second["previous_item_id"] == first["item_id"] != second["item_id"]
    for begun, stopped, least_ms, item in zip(
        of(sent, "input_audio_buffer.speech_started"),
        of(sent, "input_audio_buffer.speech_stopped"),
        (160, 10 * 160 + 1000 + 160),
        (first, second),
        strict=True,
    ):
        assert begun["audio_start_ms"] == pytest.approx(least_ms, abs=60) and begun["item_id"] == item["item_id"]
        assert stopped["audio_end_ms"] > begun["audio_start_ms"] + 600
    for item in (first, second):
        deltas = [event["delta"] for event in of(sent, DELTA) if event["item_id"] == item["item_id"]]
        (done,) = [event for event in of(sent, COMPLETED) if event["item_id"] == item["item_id"]]
        assert "".join(deltas) == done["transcript"]
    assert sum(e["usage"]["seconds"] for e in of(sent, COMPLETED)) == pytest.approx(len(sound) / 16_000, abs=0.5)


def test_a_commit_ends_a_turn_that_might_end_itself(state: State, tones: Any, tones_heard: Any) -> None:
    state.models.transcriber = lambda name: tones_heard()  # type: ignore[method-assign, assignment]
    sent, commit = list[dict[str, Any]](), {"type": "input_audio_buffer.commit"}
    talked(state, [*appends(tones("abba cab")), commit, *appends(tones("bac")), commit], sent)
    assert [event["transcript"] for event in of(sent, COMPLETED)] == ["abba cab", "bac"]


def test_clearing_forgets(served: httpx.Client, sound: np.ndarray) -> None:
    with Plain(served, "?model=talker") as client:
        client.send("session.update", session={"turn_detection": None, "input_audio_format": "pcm16"})
        client.speak(pcm(sound, 24_000))
        client.send("input_audio_buffer.clear")
        client.until("input_audio_buffer.cleared")
        client.send("input_audio_buffer.commit")
        error = client.until("error")[-1]["error"]
        assert error["code"] == "input_audio_buffer_commit_empty" and "less than 100 ms" in error["message"]


@pytest.mark.parametrize(
    ("sent", "code", "message"),
    [
        ("{", "invalid_json", "expected JSON"),
        ("[" * 100_000, "invalid_json", "expected JSON"),
        ("[1]", "invalid_event", "expected a JSON object with a type"),
        ('{"type": "response.create"}', "invalid_event", "'response.create' is no event of a transcription"),
        ('{"type": "input_audio_buffer.append", "audio": "a"}', "invalid_value", "audio: expected bytes in base64"),
        ('{"type": "input_audio_buffer.append"}', "invalid_value", "audio: expected bytes in base64"),
        ('{"type": "session.update", "session": {"audio": 3}}', "invalid_value", "audio: Input should be"),
        (
            '{"type": "session.update", "session": {"audio": {"input": {"format": {"type": "audio/pcmu"}}}}}',
            "invalid_value",
            "'audio/pcmu': expected audio/pcm",
        ),
        (
            '{"type": "session.update", "session": {"input_audio_transcription": {"model": "x"}}}',
            "model_not_found",
            "`x` does not exist",
        ),
        (
            '{"type": "session.update", "session": {"turn_detection": {"silence_duration_ms": -1}}}',
            "invalid_value",
            "silence_duration_ms: Input should be greater",
        ),
    ],
)
def test_what_is_wrong_is_an_event_and_the_session_goes_on(
    served: httpx.Client, sent: str, code: str, message: str
) -> None:
    with Plain(served, "?model=talker") as client:
        client.socket.send(sent)
        error = client.until("error")[-1]["error"]
        assert error["code"] == code and message in error["message"] and error["type"] == "invalid_request_error"
        client.send("session.update", session={"include": []})
        assert client.until("session.updated")[-1]["session"]["audio"]["input"]["transcription"] == {"model": "talker"}


def test_the_model_stays_amid_a_turn(served: httpx.Client, sound: np.ndarray) -> None:
    with Plain(served, "?model=talker") as client:
        client.speak(pcm(sound[:8_000], 24_000))
        client.send("session.update", event_id="mine", session={"input_audio_transcription": {"model": "earful-base"}})
        error = client.until("error")[-1]["error"]
        assert error["code"] == "in_use" and error["event_id"] == "mine"


def test_a_page_of_another_site_is_refused(served: httpx.Client) -> None:
    refused = pytest.raises(websockets.InvalidStatus, match="403")
    with refused, Plain(served, origin="https://elsewhere.example"):
        pass


def test_more_sessions_than_are_served(served: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(realtime, "MOST_SESSIONS", 1)
    with Plain(served) as first, Plain(served) as second:
        first.until("session.created")
        with pytest.raises(websockets.ConnectionClosedError, match="too many sessions"):
            second.until("session.created")


def test_a_busy_server_hears_later_and_says_when_it_is_too_much(
    state: State, sound: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = list[dict[str, Any]]()

    async def send(event: dict[str, Any]) -> None:
        sent.append(event)

    async def busy(*_: object, **__: object) -> None:
        raise Problem(503, "too busy", code="overloaded")

    async def talk() -> None:
        session = Session(state, "talker", send)
        content = base64.b64encode(pcm(sound[:70_000], 24_000)).decode()
        append = json.dumps({"type": "input_audio_buffer.append", "audio": content})
        await session.take('{"type": "session.update", "session": {"turn_detection": null}}')
        await session.take(append)
        with monkeypatch.context() as patched:
            patched.setattr(Pool, "run", busy)
            for _ in range(6):
                await session.take(append)
            assert not of(sent, "error")
            for _ in range(3):
                await session.take(append)
        assert [event["error"]["code"] for event in of(sent, "error")] == ["overloaded"] * 3
        await session.take('{"type": "input_audio_buffer.commit"}')

    asyncio.run(talk())
    assert of(sent, COMPLETED)[-1]["usage"]["seconds"] == pytest.approx(7 * 70_000 / 16_000, abs=0.1)
