"""`/v1/audio/transcriptions`, as in OpenAI's API."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Annotated, Any, BinaryIO, Literal, final

from fastapi import APIRouter, File, Form, UploadFile
from fastapi.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse

from earful.ctc.hot import BOOST
from earful.server import answers
from earful.server.decoding import received, shown
from earful.server.events import BEAT, HEADERS, STREAM, packed
from earful.server.problems import Problem, explained
from earful.server.state import State
from earful.transcript import Transcript
from earful.writers.formats import render

FORMATS = ("json", "text", "srt", "verbose_json", "vtt")
_BEAT_S = 10.0
_MOST_KEYWORDS = 100
Heard = tuple[Transcript, tuple[str, ...]]
WARNINGS = "X-Warnings"
"""The header for warnings about a file, a JSON list, in formats without a field for them."""
Keywords = Annotated[list[str] | None, Form()]


def routes(state: State) -> APIRouter:
    """The route, with all its response formats."""
    router = APIRouter(prefix="/v1/audio", tags=["transcription"])

    @router.post("/transcriptions", response_model=None)
    async def transcribe(
        file: Annotated[UploadFile, File(description="Sound of any format that earful reads.")],
        model: Annotated[str, Form(description="A name of GET /v1/models.", max_length=300)],
        response_format: Annotated[str, Form(description=", ".join(FORMATS))] = "json",
        stream: Annotated[bool, Form(description="Answer with server-sent events.")] = False,
        granularities: Annotated[
            list[Literal["word", "segment"]] | None, Form(alias="timestamp_granularities[]")
        ] = None,
        include: Annotated[list[Literal["logprobs"]] | None, Form(alias="include[]")] = None,
        keywords: Annotated[Keywords, Form(description="Words to listen for.")] = None,
        keywords_: Annotated[Keywords, Form(alias="keywords[]")] = None,
        language: Annotated[str | None, Form(description="Not used: a model knows its language.")] = None,
        prompt: Annotated[str | None, Form(description="Not used; give `keywords`.")] = None,
        temperature: Annotated[float | None, Form(description="Not used: nothing is drawn.")] = None,
    ) -> Response:
        """Write down what a recording says."""
        check(response_format, stream, granularities, include)
        hot = dict.fromkeys([*(keywords or ()), *(keywords_ or ())], BOOST)
        if len(hot) > _MOST_KEYWORDS:
            raise Problem(400, f"{len(hot)} keywords, at most {_MOST_KEYWORDS} are listened for", param="keywords")
        found = state.models.find(model)
        logprobs, name = bool(include), shown(file.filename)
        if stream:
            words = Words()
            task = asyncio.ensure_future(state.pool.run(heard, state, file.file, name, model, hot, words.put))
            await asyncio.sleep(0)  # a full disk is an error before the stream begins
            if task.done():
                task.result()
            return StreamingResponse(_stream(task, words, logprobs), media_type=STREAM, headers=HEADERS)
        transcript, warnings = await state.pool.run(heard, state, file.file, name, model, hot)
        spoken_in = str(found.card["config"].get("rules", {}).get("language", ""))
        if response_format == "json":
            return JSONResponse(answers.plain_json(transcript, warnings, logprobs=logprobs))
        if response_format == "verbose_json":
            asked = granularities or ["segment"]
            parts = {"segments": "segment" in asked, "words": "word" in asked}
            return JSONResponse(answers.verbose_json(transcript, warnings, spoken_in, **parts))
        kind = "text/vtt" if response_format == "vtt" else "text/plain"
        headers = {WARNINGS: json.dumps(warnings)} if warnings else None
        return PlainTextResponse(render(transcript, response_format), media_type=kind, headers=headers)

    return router


def heard(
    state: State,
    file: BinaryIO,
    name: str,
    model: str,
    hot: dict[str, float],
    certain: Callable[[Sequence[str]], None] | None = None,
) -> Heard:
    """The transcript of an upload, and warnings about it; `certain` is called with words as soon as they are certain.

    Raises AudioError, TextError, CheckpointError, Problem.
    """
    with received(file, state.settings.incoming) as source:
        sound = source.with_suffix(".wav")
        try:
            warnings = state.decoders.decode(source, sound, name).warnings
            return state.models.transcriber(model, hot).transcribe(sound, certain=certain), warnings
        finally:
            sound.unlink(missing_ok=True)


def check(format: str, stream: bool, granularities: Any, include: Any) -> None:
    """Raise Problem for options that are not supported, or do not go together."""
    if format == "diarized_json":
        message = "diarized_json is not written here: earful does not tell speakers apart; ask for verbose_json"
        raise Problem(400, message, param="response_format", code="unsupported_value")
    if format not in FORMATS:
        message = f"response_format is {format[:50]!r}, must be one of {', '.join(FORMATS)}"
        raise Problem(400, message, param="response_format", code="invalid_value")
    if stream and format not in ("json", "text"):
        raise Problem(400, f"a stream has no {format}; ask for json, or do not stream", param="stream")
    if granularities and format != "verbose_json":
        message = "timestamp_granularities[] go with response_format verbose_json alone"
        raise Problem(400, message, param="timestamp_granularities[]")
    if include and format != "json":
        raise Problem(400, "logprobs go with response_format json alone", param="include[]")


@final
class Words:
    """A queue from a transcribing thread to tasks of the event loop."""

    def __init__(self) -> None:
        self._loop, self._new = asyncio.get_running_loop(), asyncio.Event()
        self._texts = deque[str]()

    def put(self, texts: Sequence[str]) -> None:
        """Add words, from any thread."""
        self._texts.extend(texts)
        self._loop.call_soon_threadsafe(self._new.set)

    async def wait(self, task: "asyncio.Future[Heard]") -> list[str]:
        """The words that came, once there are some, the task is done, or nothing has come for long."""
        waits = asyncio.ensure_future(self._new.wait())
        both: list[asyncio.Future[Any]] = [task, waits]
        await asyncio.wait(both, timeout=_BEAT_S, return_when=asyncio.FIRST_COMPLETED)
        waits.cancel()
        self._new.clear()
        return [self._texts.popleft() for _ in range(len(self._texts))]


async def _stream(task: "asyncio.Future[Heard]", words: Words, logprobs: bool) -> AsyncIterator[str]:
    """Words as they are heard, or signs of life; then the whole text, or an event that says what was wrong."""
    sent = ""
    try:
        while not task.done():
            if texts := await words.wait(task):
                delta = f"{' ' if sent else ''}{' '.join(texts)}"
                sent += delta
                yield answers.delta(delta)
            elif not task.done():
                yield BEAT
        for event in answers.done(*task.result(), sent, logprobs=logprobs):
            yield event
    except Exception as error:  # the response has begun, so the error can only be an event
        problem = explained(error)
        fault = {"message": problem.message, "type": "server_error", "param": problem.param, "code": problem.code}
        yield packed({"type": "error", "error": fault}, "error")
    finally:
        task.cancel()
