"""Wyoming's own client is served: information, words as they settle, the transcript; and what is none of it."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from wyoming.asr import Transcribe, Transcript, TranscriptChunk, TranscriptStart, TranscriptStop
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncTcpClient
from wyoming.error import Error
from wyoming.event import Event, Eventable
from wyoming.info import Describe, Info, SelectProgram
from wyoming.ping import Ping, Pong

from earful.audio.capture import floats
from earful.errors import ConfigError
from earful.runner import Runner
from earful.server import wyoming
from earful.server.run import run
from earful.server.settings import Settings
from earful.server.state import state_of
from earful.server.wyoming import MOST_PAYLOAD, Wyoming, read_event

Talk = Callable[[AsyncTcpClient], Awaitable[None]]


@pytest.fixture
def sound(tones: Any) -> np.ndarray:
    found: np.ndarray = tones("abba cab acca bac caba ba ac abba cab")
    return found


@pytest.fixture
def talk(talker: Path, settings: Settings) -> Callable[[Talk], None]:
    """`talk(to)` connects a client to a server."""

    async def serve(to: Talk) -> None:
        import socket

        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        state = state_of(replace(settings, models=(talker,)))
        server = Wyoming(state, "127.0.0.1", port)
        await server.begin()
        try:
            async with AsyncTcpClient("127.0.0.1", port) as client:
                await asyncio.wait_for(to(client), 60)
        finally:
            await server.end()
            state.pool.close()

    return lambda to: asyncio.run(serve(to))


async def said(client: AsyncTcpClient, until: type[Eventable] = Transcript) -> list[Event]:
    """Events up to one of that kind."""
    found = list[Event]()
    while not (found and until.is_type(found[-1].type)):
        event = await client.read_event()
        assert event is not None, [each.type for each in found]
        found.append(event)
    return found


async def speak(client: AsyncTcpClient, sound: np.ndarray, rate_hz: int = 16_000, channels: int = 1) -> None:
    content = np.repeat(np.rint(sound * 32767).astype("<i2")[:, None], channels, 1).tobytes()
    await client.write_event(AudioStart(rate=rate_hz, width=2, channels=channels).event())
    for begin in range(0, len(content), 2047):  # no whole number of samples
        piece = content[begin : begin + 2047]
        await client.write_event(AudioChunk(rate=rate_hz, width=2, channels=channels, audio=piece).event())
    await client.write_event(AudioStop().event())


def test_it_says_what_it_is(talk: Callable[[Talk], None]) -> None:
    async def to(client: AsyncTcpClient) -> None:
        await client.write_event(Describe().event())
        (event,) = await said(client, Info)
        (program,) = Info.from_event(event).asr
        assert program.name == "earful" and program.supports_transcript_streaming and program.requires_external_vad
        first, *bases = program.models
        assert (first.name, first.languages) == ("talker", ["cs"]) and {"earful-base"} < {m.name for m in bases} | {1}
        await client.write_event(Ping(text="there?").event())
        (event,) = await said(client, Pong)
        assert Pong.from_event(event).text == "there?"

    talk(to)


@pytest.mark.parametrize("channels", [1, 2])
def test_words_come_in_pieces_and_then_all(
    talk: Callable[[Talk], None], talker: Path, sound: np.ndarray, channels: int
) -> None:
    """The whole is heard once more, as a transcription is."""
    heard = floats(np.rint(sound * 32767).astype("<i2").tobytes(), 2, 1)
    expected = Runner.load(talker, threads=1).transcribe(heard).text

    async def to(client: AsyncTcpClient) -> None:
        for _ in range(2):  # as often as it likes
            await client.write_event(Transcribe(name="talker").event())
            await speak(client, sound, channels=channels)
            start, *chunks, stop, last = await said(client)
            assert TranscriptStart.from_event(start).language == "cs" and TranscriptStop.is_type(stop.type)
            text = Transcript.from_event(last).text
            pieces = [TranscriptChunk.from_event(each).text for each in chunks]
            assert len(pieces) > 1 and all(piece.startswith(" ") for piece in pieces[1:])
            assert text == expected and len(text.split()) > 3

    talk(to)


def test_the_model_of_the_language(talk: Callable[[Talk], None], sound: np.ndarray) -> None:
    async def to(client: AsyncTcpClient) -> None:
        await client.write_event(SelectProgram(name="earful").event())
        await client.write_event(Transcribe(language="cs-CZ").event())
        await speak(client, sound[:16_000])
        assert TranscriptStart.from_event((await said(client))[0]).language == "cs"
        await client.write_event(AudioStop().event())  # without any sound
        assert Transcript.from_event((await said(client))[-1]).text == ""

    talk(to)


def test_what_is_wrong_is_told_and_one_may_go_on(talk: Callable[[Talk], None], sound: np.ndarray) -> None:
    async def to(client: AsyncTcpClient) -> None:
        await client.write_event(Transcribe(name="nobody").event())
        await speak(client, sound[:32_000])
        event = (await said(client, Error))[-1]
        assert "`nobody` does not exist" in Error.from_event(event).text
        await client.write_event(Event("audio-chunk", {"rate": "fast"}, b"1234"))
        assert "audio-chunk: KeyError" in Error.from_event((await said(client, Error))[-1]).text
        await client.write_event(Transcribe().event())
        await speak(client, sound[:16_000], rate_hz=100)
        assert "got 2, 1 and 100 Hz" in Error.from_event((await said(client, Error))[-1]).text
        await speak(client, sound[:32_000])
        assert (await said(client))[-1].type == "transcript"

    talk(to)


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\n",
        b"[1]\n",
        json.dumps({"type": "audio-chunk", "payload_length": MOST_PAYLOAD + 1}).encode() + b"\n",
        json.dumps({"type": "audio-chunk", "data_length": -1}).encode() + b"\n",
        json.dumps({"type": "audio-chunk", "data_length": 1e9}).encode() + b"\n",
        json.dumps({"type": 3}).encode() + b"\n",
        b"\xff\xfe\n",
        b"",
    ],
)
def test_what_is_no_event_ends_the_connection(head: bytes) -> None:
    async def read() -> Event | None:
        reader = asyncio.StreamReader()
        reader.feed_data(head)
        reader.feed_eof()
        return await read_event(reader)

    assert asyncio.run(read()) is None


def test_an_event_is_read_as_the_package_writes_it() -> None:
    async def read() -> Event | None:
        reader = asyncio.StreamReader()
        reader.feed_data(b'{"type": "x", "data": {"a": 1}, "data_length": 8, "payload_length": 2}\n{"b": 2}hi')
        return await read_event(reader)

    assert asyncio.run(read()) == Event("x", {"a": 1, "b": 2}, b"hi")


def test_more_clients_than_are_served(talk: Callable[[Talk], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wyoming, "MOST_CLIENTS", 0)

    async def to(client: AsyncTcpClient) -> None:
        assert await client.read_event() is None

    talk(to)


def test_a_port_that_is_taken(settings: Settings, tmp_path: Path) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        asked = replace(settings, home=tmp_path, wyoming_port=port)
        with pytest.raises(
            ConfigError, match=rf"port {port} of 127\.0\.0\.1 cannot be used .* give another with --wyo"
        ):
            run(asked, print)
