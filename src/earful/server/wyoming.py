"""The Wyoming protocol of Home Assistant: the models of the server as speech-to-text over TCP.

It has no token: anyone who can reach the port may transcribe sound, and do nothing else. The size of messages is
limited here, since the package's own reader accepts any length in a header.
"""

import asyncio
import json
from typing import Any, final

from wyoming.asr import Transcribe, Transcript, TranscriptChunk, TranscriptStart, TranscriptStop
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.error import Error
from wyoming.event import Event
from wyoming.info import AsrModel, AsrProgram, Attribution, Describe, Info, SelectProgram
from wyoming.ping import Ping, Pong
from wyoming.server import AsyncEventHandler, AsyncTcpServer

from earful.server.hearing import Hearing, hearing
from earful.server.models import Model
from earful.server.problems import Problem, explained
from earful.server.state import State
from earful.transcript import Word

PROGRAM = "earful"
MOST_DATA, MOST_PAYLOAD = 2**20, 2**23
MOST_CLIENTS = 64
_ABOUT = Attribution(name="earful", url="https://pypi.org/project/earful/")


@final
class Wyoming:
    """The server: `begin` listens, `end` disconnects all clients."""

    def __init__(self, state: State, host: str, port: int) -> None:
        self._state, self._server, self._clients = state, AsyncTcpServer(host, port), set[Client]()

    async def begin(self) -> None:
        """Listen from now on. Raises OSError: the port is taken."""
        await self._server.start(self._client)

    async def end(self) -> None:
        """Listen no more."""
        await self._server.stop()

    def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> "Client":
        return Client(self._state, self._clients, reader, writer)


@final
class Client(AsyncEventHandler):
    """One connection: any number of `describe` requests, or of `transcribe` requests with sound."""

    def __init__(
        self, state: State, clients: "set[Client]", reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        super().__init__(reader, writer)
        self._state, self._clients = state, clients
        self._model: str | None = None
        self._hearing: Hearing | None = None
        self._failed, self._said = False, list[Word]()

    async def run(self) -> None:
        """Take events until the client goes, or sends none."""
        self._is_running = len(self._clients) < MOST_CLIENTS
        self._clients.add(self)
        try:
            while self._is_running:
                event = await read_event(self.reader)
                if event is None or not await self.handle_event(event):
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client has gone
        finally:
            self._clients.discard(self)
            self.writer.close()

    async def handle_event(self, event: Event) -> bool:
        """Answer an event; what is wrong with it is told, and the client may go on."""
        try:
            await self._do(event)
        except ConnectionError:
            return False
        except (KeyError, TypeError, ValueError) as error:
            await self._fail(Problem(400, f"{event.type}: {error!r}", code="invalid_event"))
        except Exception as error:
            await self._fail(explained(error))
        return True

    async def _do(self, event: Event) -> None:
        if Describe.is_type(event.type):
            await self.write_event(info_of(self._state.models.all()).event())
        elif Transcribe.is_type(event.type):
            asked = Transcribe.from_event(event)
            self._hearing, self._failed = None, False
            self._model = self._chosen(asked.name, asked.language)
        elif AudioStart.is_type(event.type):
            start = AudioStart.from_event(event)
            if not self._failed:
                await self._begin(start.rate, start.width, start.channels)
        elif AudioChunk.is_type(event.type):
            chunk = AudioChunk.from_event(event)
            if not self._failed:
                heard = self._hearing or await self._begin(chunk.rate, chunk.width, chunk.channels)
                await self._say(list(await heard.feed(chunk.audio)))
        elif AudioStop.is_type(event.type):
            await self._finish()
        elif Ping.is_type(event.type):
            await self.write_event(Pong(text=Ping.from_event(event).text).event())
        elif SelectProgram.is_type(event.type) and SelectProgram.from_event(event).name != PROGRAM:
            raise Problem(404, f"there is one program here, {PROGRAM}", code="not_found")

    async def _begin(self, rate_hz: int, width: int, channels: int) -> Hearing:
        model = self._model or self._chosen(None, None)
        self._hearing = heard = await hearing(self._state, model, rate_hz, width, channels)
        self._said = []
        await self.write_event(TranscriptStart(language=self._language(model)).event())
        return heard

    async def _say(self, words: list[Word]) -> None:
        if words:
            text = " ".join(word.text for word in words)
            await self.write_event(TranscriptChunk(text=f" {text}" if self._said else text).event())
            self._said += words

    async def _finish(self) -> None:
        """The whole transcript, which has come in pieces already, heard once more. What failed was told."""
        heard, self._hearing, text = self._hearing, None, ""
        if heard is None:
            if not self._failed:
                await self.write_event(Transcript(text="").event())
            self._failed = False
            return
        if heard.duration_s:
            settled, transcript = await heard.end()
            await self._say(list(settled))
            text = transcript.text
        await self.write_event(TranscriptStop().event())
        await self.write_event(Transcript(text=text).event())

    def _chosen(self, name: str | None, language: str | None) -> str:
        """The model of this name; else the first model adapted to this language; else the first model."""
        models = self._state.models.all()
        if name is not None:
            return self._state.models.find(name).name
        wanted = (language or "").partition("-")[0].lower()
        fitting = [m for m in models if wanted and _language_of(m).partition("-")[0] == wanted]
        return (fitting or models)[0].name

    def _language(self, name: str) -> str | None:
        return _language_of(self._state.models.find(name)) or None

    async def _fail(self, problem: Problem) -> None:
        self._hearing, self._failed = None, True
        await self.write_event(Error(text=problem.message, code=problem.code).event())


def info_of(models: list[Model]) -> Info:
    """The description of this server: a program with these models."""
    found = [
        AsrModel(
            name=model.name,
            attribution=_ABOUT,
            installed=True,
            description="a base, before any adaptation"
            if model.base
            else f"adapted: {_language_of(model) or 'speech'}",
            version=None,
            languages=[_language_of(model)] if _language_of(model) else [],
        )
        for model in models
    ]
    program = AsrProgram(
        name=PROGRAM,
        attribution=_ABOUT,
        installed=True,
        description="speech recognition from a handful of recordings",
        version=None,
        models=found,
        supports_transcript_streaming=True,
    )
    return Info(asr=[program])


async def read_event(reader: asyncio.StreamReader) -> Event | None:
    """The next event; None at the end, and for what is no event, or larger than any of speech."""
    try:
        head = json.loads(await reader.readline() or b"null")
        if not isinstance(head, dict) or not isinstance(head.get("type"), str):
            return None
        data, counts = head.get("data") or {}, (head.get("data_length") or 0, head.get("payload_length") or 0)
        if not all(
            isinstance(n, int) and 0 <= n <= most for n, most in zip(counts, (MOST_DATA, MOST_PAYLOAD), strict=True)
        ):
            return None
        more: Any = json.loads(await reader.readexactly(counts[0])) if counts[0] else {}
        payload = await reader.readexactly(counts[1]) if counts[1] else None
    except (ValueError, RecursionError):  # invalid JSON or UTF-8, or a line without an end
        return None
    return Event(head["type"], {**data, **more}, payload) if isinstance(data, dict) and isinstance(more, dict) else None


def _language_of(model: Model) -> str:
    return str(model.card["config"].get("rules", {}).get("language", ""))
