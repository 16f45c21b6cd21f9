"""The sound, waveforms and transcripts of the studio's recordings, also by two models for comparison."""

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query
from fastapi.responses import FileResponse, Response

from earful.server.problems import PART, Problem
from earful.server.projects import original_of, project, recording, sound_of
from earful.server.requests import Compared
from earful.server.said import format_named, stems, suffix_of, transcript_of, written
from earful.server.segments import segments_of_recording
from earful.server.sound import digest, peaks
from earful.server.state import State
from earful.writers.formats import FORMATS

_MOST_PEAKS = 20_000


def routes(state: State) -> APIRouter:
    """The routes for the sound and the transcripts of a recording."""
    router = APIRouter(prefix="/api", tags=["studio"])
    store, folder = state.store, state.settings.recordings

    def found(id: str) -> Any:
        with store.reading() as db:
            return recording(db, id)

    @router.get("/recordings/{r}/audio", response_class=FileResponse, responses=PART)
    def audio(r: str) -> FileResponse:
        """The sound: WAV, 16 kHz, mono; parts of it, too."""
        place = sound_of(folder, found(r))
        if not place.is_file():
            raise Problem(404, "the sound of the recording has gone; put it back from a copy", code="sound_not_found")
        return FileResponse(place, media_type="audio/wav")

    @router.get("/recordings/{r}/original", response_class=FileResponse, responses=PART)
    def original(r: str) -> FileResponse:
        """The file that was uploaded, as it came."""
        row = found(r)
        place = original_of(state.settings.originals, row["sha256"])
        place = place if place.is_file() else sound_of(folder, row)
        if not place.is_file() or digest(place) != row["sha256"]:
            raise Problem(404, "the recording was not kept as it came; ask for its audio", code="original_not_found")
        (name,) = stems([row["name"]])
        return FileResponse(place, media_type="application/octet-stream", filename=name + suffix_of(row["name"]))

    @router.get("/recordings/{r}/peaks")
    def outline(r: str, count: Annotated[int, Query(ge=1, le=_MOST_PEAKS)] = 1000) -> list[list[float]]:
        """The lowest and highest value of each of so many parts."""
        return peaks(sound_of(folder, found(r)), count)

    @router.post("/recordings/{r}/compare")
    async def compare(r: str, body: Compared) -> list[dict[str, Any]]:
        """What models hear in one recording: before and after."""
        place = sound_of(folder, found(r))
        for name in body.models:
            state.models.find(name)
        return [await state.pool.run(heard_by, state, name, place) for name in body.models]

    @router.get("/recordings/{r}/transcript", response_class=Response)
    def transcript(r: str, format: Annotated[str, Query(max_length=50)] = "txt") -> Response:
        """Its transcript in any format of `earful transcribe`."""
        kind = format_named(format)
        with store.reading() as db:
            row = recording(db, r)
            language = project(db, row["project"])["language"]
            said = transcript_of(segments_of_recording(db, r), row["duration_s"])
        (name,) = stems([row["name"]])
        return attached(written(said, kind, name, language), f"{name}{FORMATS[kind].suffix}")

    return router


def heard_by(state: State, name: str, place: Any) -> dict[str, Any]:
    """The transcript of a whole recording by one model."""
    said = state.models.transcriber(name).transcribe(place)
    words = [
        {"text": w.text, "start_s": w.start_s, "end_s": w.end_s, "confidence": round(w.confidence, 4)}
        for w in said.words
    ]
    return {"model": name, "text": said.text, "words": words}


def attached(text: str, name: str) -> Response:
    """A text as a file to download."""
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name)}"}
    return Response(text.encode(), media_type="text/plain; charset=utf-8", headers=headers)
