"""`/v1/realtime`: live transcription over a WebSocket, by the protocols of OpenAI and of vLLM.

OpenAI's protocol: PCM of 24 kHz, unless `session.update` names another rate. A turn ends with a commit of the client,
or with a pause (`turn_detection`, which uses the times of the words). vLLM's protocol, recognised by a `session.update`
with a model at its top: 16 kHz, one turn, which ends with a `final` commit. Settled words are sent as deltas. At the
end of a turn its text is sent, from a second pass over the whole turn. The tail of unsettled words, and the words with
their times, are sent on `include: ["earful.tail", "earful.words"]`.
"""

import base64
import binascii
import json
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, final

from fastapi import APIRouter, WebSocket
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.websockets import WebSocketDisconnect

from earful.server.hearing import Hearing, hearing
from earful.server.problems import Problem, explained
from earful.server.state import State
from earful.transcript import Transcript, Word

Event = dict[str, Any]
Send = Callable[[Event], Awaitable[None]]

OPENAI_HZ, VLLM_HZ = 24_000, 16_000
TAIL, WORDS = "earful.tail", "earful.words"
MOST_SESSIONS = 64
SILENCE_S = 0.5
"""The default pause, in seconds, that ends a turn."""
_LEAST_SILENCE_S = 0.3  # a word ends with its last letter, so shorter gaps are between any two words
_TRY_AGAIN = 1013
_SHORTEST_S = 0.1


class _Loose(BaseModel):
    model_config = ConfigDict(extra="ignore")


class Format(_Loose):
    """The coding of sound: only linear PCM of 16 bits."""

    type: str = "audio/pcm"
    rate: int | None = None


class Transcription(_Loose):
    """The model of the transcription."""

    model: str | None = None
    language: str | None = None


class TurnDetection(_Loose):
    """When a turn ends without a commit."""

    type: str = "server_vad"
    silence_duration_ms: float = Field(1000 * SILENCE_S, ge=0, le=600_000)


class Input(_Loose):
    """The input of a session."""

    format: Format | None = None
    transcription: Transcription | None = None
    turn_detection: TurnDetection | None = None


class Audio(_Loose):
    """The sound of a session: only input."""

    input: Input | None = None


class Update(_Loose):
    """A session as described by OpenAI's clients, in the current form and the one before."""

    audio: Audio | None = None
    include: list[str] | None = None
    input_audio_format: str | None = None
    input_audio_transcription: Transcription | None = None
    turn_detection: TurnDetection | None = None


@dataclass
class Asked:
    """The settings of a client."""

    model: str
    rate_hz: int = OPENAI_HZ
    silence_s: float | None = SILENCE_S
    include: tuple[str, ...] = ()
    vllm: bool = False

    def described(self, id: str) -> Event:
        """The description of the session in events."""
        turn = self.silence_s and {"type": "server_vad", "silence_duration_ms": round(1000 * self.silence_s)}
        sound = {
            "format": {"type": "audio/pcm", "rate": self.rate_hz},
            "transcription": {"model": self.model},
            "turn_detection": turn or None,
            "noise_reduction": None,
        }
        session = {"type": "transcription", "object": "realtime.transcription_session", "id": id}
        return {**session, "audio": {"input": sound}, "include": list(self.include)}


def routes(state: State) -> APIRouter:
    """The WebSocket."""
    router, sessions = APIRouter(), set[str]()

    @router.websocket("/v1/realtime")
    async def realtime(socket: WebSocket) -> None:
        offered = socket.scope.get("subprotocols", [])
        await socket.accept("realtime" if "realtime" in offered else None)
        if len(sessions) >= MOST_SESSIONS:
            await socket.close(_TRY_AGAIN, "too many sessions; try again later")
            return
        model = socket.query_params.get("model") or state.models.all()[0].name
        session = Session(state, model, socket.send_json)
        sessions.add(session.id)
        try:
            await session.begin()
            while True:
                await session.take(await socket.receive_text())
        except (WebSocketDisconnect, RuntimeError, KeyError):  # the client has gone, or has sent bytes
            return
        finally:
            sessions.discard(session.id)

    return router


@final
class Session:
    """One client: `take` handles its events, `send` sends the answers."""

    def __init__(self, state: State, model: str, send: Send) -> None:
        self.id = f"sess_{secrets.token_hex(8)}"
        self._state, self._send, self._asked = state, send, Asked(model)
        self._hearing: Hearing | None = None
        self._item = _new_item()
        self._before: str | None = None
        self._said: list[Word] = []
        self._shown, self._tail, self._began_s, self._speaks = "", "", 0.0, False

    async def begin(self) -> None:
        """Say that the session is there."""
        await self._tell("session.created", session=self._asked.described(self.id), id=self.id)

    async def take(self, text: str) -> None:
        """Take one event; what is wrong with it is answered by an event, and the session goes on."""
        event: Any = None
        try:
            event = json.loads(text)
            if not isinstance(event, dict) or not isinstance(event.get("type"), str):
                raise Problem(400, "expected a JSON object with a type", code="invalid_event")
            await self._do(event)
        except (json.JSONDecodeError, RecursionError):
            await self._fail(Problem(400, "expected JSON", code="invalid_json"), None)
        except ValidationError as error:
            first = error.errors()[0]
            param = ".".join(map(str, first["loc"]))
            await self._fail(Problem(400, f"{param}: {first['msg']}", param=param, code="invalid_value"), event)
        except (WebSocketDisconnect, RuntimeError):
            raise
        except Exception as error:
            await self._fail(explained(error), event)

    async def _do(self, event: Event) -> None:
        match event["type"]:
            case "session.update" | "transcription_session.update":
                await self._update(event)
            case "input_audio_buffer.append":
                await self._append(event.get("audio"))
            case "input_audio_buffer.commit":
                if not self._asked.vllm:
                    await self._commit()
                elif event.get("final"):
                    await self._done()
            case "input_audio_buffer.clear":
                self._forget()
                await self._tell("input_audio_buffer.cleared")
            case other:
                raise Problem(
                    400, f"{other[:100]!r} is no event of a transcription", param="type", code="invalid_event"
                )

    async def _update(self, event: Event) -> None:
        asked, given = self._asked, event.get("session")
        if given is None and "model" in event:
            asked.vllm, asked.rate_hz, asked.silence_s = True, VLLM_HZ, None
            asked.model = self._state.models.find(str(event["model"])).name
            return
        update = Update.model_validate(given if given is not None else {})
        sound = (update.audio and update.audio.input) or Input()
        wanted = sound.transcription or update.input_audio_transcription
        rate_hz, silence_s, model = asked.rate_hz, asked.silence_s, asked.model
        if wanted and wanted.model:
            model = self._state.models.find(wanted.model).name
        if sound.format:
            if sound.format.type != "audio/pcm":
                raise Problem(400, f"{sound.format.type!r}: expected audio/pcm", param="format", code="invalid_value")
            rate_hz = sound.format.rate or OPENAI_HZ
        elif update.input_audio_format not in (None, "pcm16"):
            raise Problem(400, "expected pcm16", param="input_audio_format", code="invalid_value")
        for part in (sound, update):
            if "turn_detection" in part.model_fields_set:
                turn = part.turn_detection
                silence_s = max(turn.silence_duration_ms / 1000, _LEAST_SILENCE_S) if turn else None
        if self._hearing is not None and (model, rate_hz) != (asked.model, asked.rate_hz):
            raise Problem(400, "the model and the rate cannot change amid a turn; commit it first", code="in_use")
        asked.rate_hz, asked.silence_s, asked.model = rate_hz, silence_s, model
        asked.include = tuple(asked.include if update.include is None else update.include[:20])
        await self._tell("session.updated", session=asked.described(self.id))

    async def _append(self, audio: Any) -> None:
        try:
            content = base64.b64decode(audio, validate=True)
        except (TypeError, ValueError, binascii.Error):
            raise Problem(400, "audio: expected bytes in base64", param="audio", code="invalid_value") from None
        if self._hearing is None:
            self._hearing = await hearing(self._state, self._asked.model, self._asked.rate_hz)
        await self._show(await self._hearing.feed(content), self._hearing.tail)
        if self._asked.silence_s is not None:
            await self._turn(self._hearing, self._asked.silence_s)

    async def _turn(self, heard: Hearing, silence_s: float) -> None:
        """Say where a turn begins, and end it after a silence."""
        words = [*self._said, *heard.tail]
        if not words:
            return
        if not self._speaks:
            self._speaks = True
            start_ms = round(1000 * words[0].start_s)
            await self._tell("input_audio_buffer.speech_started", audio_start_ms=start_ms, item_id=self._item)
        if heard.heard_s - words[-1].end_s >= silence_s:
            await self._show(await heard.settle(), heard.tail)
            end_ms = round(1000 * heard.heard_s)
            await self._tell("input_audio_buffer.speech_stopped", audio_end_ms=end_ms, item_id=self._item)
            await self._complete(heard.duration_s, await heard.turn())

    async def _commit(self) -> None:
        """The turn ends here, says the client."""
        heard = self._hearing
        if heard is None or heard.duration_s - self._began_s < _SHORTEST_S:
            code = "input_audio_buffer_commit_empty"
            raise Problem(400, f"the buffer holds less than {1000 * _SHORTEST_S:g} ms of sound", code=code)
        if self._asked.silence_s is not None or self._began_s:  # the same sound continues
            await self._show(await heard.settle(), heard.tail)
            await self._complete(heard.duration_s, await heard.turn())
            return
        settled, transcript = await heard.end()
        await self._show(settled, ())
        await self._complete(heard.duration_s, transcript)
        self._forget()

    async def _complete(self, duration_s: float, said: Transcript) -> None:
        """The turn is over: what was said in it."""
        await self._tell("input_audio_buffer.committed", item_id=self._item, previous_item_id=self._before)
        usage = {"type": "duration", "seconds": round(duration_s - self._began_s, 3)}
        words = {"words": [_row(word) for word in said.words]} if WORDS in self._asked.include else {}
        kind = "conversation.item.input_audio_transcription.completed"
        await self._tell(kind, item_id=self._item, content_index=0, transcript=said.text, usage=usage, **words)
        self._began_s, self._before, self._item = duration_s, self._item, _new_item()
        self._said, self._shown, self._speaks = [], "", False

    async def _done(self) -> None:
        """vLLM's end of a turn."""
        text = ""
        if self._hearing is not None and self._hearing.duration_s:
            settled, transcript = await self._hearing.end()
            await self._show(settled, ())
            text = transcript.text
        await self._tell("transcription.done", text=text)
        self._forget()

    async def _show(self, settled: Sequence[Word], tail: Sequence[Word]) -> None:
        """Send what has settled, and what follows to whoever asked for it."""
        if settled:
            self._said += settled
            text = _together(self._said)
            delta, self._shown = text[len(self._shown) :], text
            if self._asked.vllm:
                await self._tell("transcription.delta", delta=delta)
            else:
                kind = "conversation.item.input_audio_transcription.delta"
                await self._tell(kind, item_id=self._item, content_index=0, delta=delta)
        follows = _together(tail)
        if TAIL in self._asked.include and (settled or follows != self._tail):
            await self._tell(TAIL, item_id=self._item, content_index=0, tail=follows)
        self._tail = follows

    def _forget(self) -> None:
        self._hearing, self._said, self._shown, self._tail, self._began_s = None, [], "", "", 0.0
        self._speaks = False

    async def _fail(self, problem: Problem, event: Any) -> None:
        kind = "server_error" if problem.status >= 500 else "invalid_request_error"
        if self._asked.vllm:
            await self._tell("error", error=problem.message, code=problem.code)
            return
        id = event.get("event_id") if isinstance(event, dict) else None
        error = {"type": kind, "code": problem.code, "message": problem.message, "param": problem.param, "event_id": id}
        await self._tell("error", error=error)

    async def _tell(self, kind: str, **more: Any) -> None:
        await self._send({"type": kind, "event_id": f"event_{secrets.token_hex(8)}", **more})


def _together(words: Sequence[Word]) -> str:
    from earful.text.pinyin import closed_up

    return closed_up(" ".join(word.text for word in words))


def _row(word: Word) -> Event:
    times = {"start": round(word.start_s, 3), "end": round(word.end_s, 3), "confidence": round(word.confidence, 3)}
    return {"word": word.text, **times}


def _new_item() -> str:
    return f"item_{secrets.token_hex(8)}"
