"""The studio's recordings: they come, are heard, drawn, compared, and written as transcripts."""

from typing import Annotated, Any

from fastapi import APIRouter, File, Query, UploadFile
from fastapi.responses import FileResponse, Response

from earful.server.decoding import shown
from earful.server.problems import Problem
from earful.server.projects import (
    add_recording,
    delete_recording,
    project,
    recording,
    set_state,
    shown_recording,
    sound_of,
)
from earful.server.requests import Compared, NewSegment
from earful.server.said import format_named, stems, transcript_of, written
from earful.server.segments import add_segments, check_span, segment, segments_of_recording, shown_segment
from earful.server.sound import discard, kept, peaks
from earful.server.state import State
from earful.writers.formats import FORMATS

_MOST_PEAKS = 20_000


def routes(state: State) -> APIRouter:
    """Recordings."""
    router = APIRouter(prefix="/api", tags=["studio"])
    store, folder = state.store, state.settings.recordings

    def found(id: str) -> Any:
        with store.reading() as db:
            return recording(db, id)

    @router.post("/projects/{p}/recordings", status_code=201)
    async def add(p: str, file: Annotated[UploadFile, File()]) -> dict[str, Any]:
        """Add a recording; it is cut and drafted by and by. The same sound twice is one recording."""
        with store.reading() as db:
            project(db, p)
        name = shown(file.filename)
        sha256, duration_s = await state.pool.run(kept, state, file.file, name)
        with store.writing() as db:
            id = add_recording(db, p, name, sha256, duration_s)
            row = recording(db, id)
        if row["state"] == "waiting":
            state.chores.hear(id)
        state.events.tell("recording", id, project=p)
        return shown_recording(row)

    @router.get("/recordings/{r}")
    def one(r: str) -> dict[str, Any]:
        """One recording, and how far it is: waiting, segmented, drafted, failed."""
        return shown_recording(found(r))

    @router.delete("/recordings/{r}", status_code=204)
    def delete(r: str) -> None:
        """Hide a recording; its sound goes to the trash, and every text stays in the database."""
        with store.writing() as db:
            row = recording(db, r)
            gone = delete_recording(db, r)
        for sha256 in gone:
            discard(state, sha256)
        state.events.tell("recording", r, project=row["project"])

    @router.get("/recordings/{r}/audio", response_class=FileResponse)
    def audio(r: str) -> FileResponse:
        """The sound: WAV, 16 kHz, mono; parts of it, too."""
        place = sound_of(folder, found(r))
        if not place.is_file():
            raise Problem(404, "the sound of the recording has gone; put it back from a copy", code="sound_not_found")
        return FileResponse(place, media_type="audio/wav")

    @router.get("/recordings/{r}/peaks")
    def outline(r: str, count: Annotated[int, Query(ge=1, le=_MOST_PEAKS)] = 1000) -> list[list[float]]:
        """The lowest and highest value of each of so many parts."""
        return peaks(sound_of(folder, found(r)), count)

    @router.get("/recordings/{r}/segments")
    def segments(r: str) -> list[dict[str, Any]]:
        """Its segments, in order of time."""
        with store.reading() as db:
            return [shown_segment(row) for row in segments_of_recording(db, r)]

    @router.post("/recordings/{r}/segments", status_code=201)
    def add_segment(r: str, body: NewSegment) -> dict[str, Any]:
        """A segment that voice activity has not found."""
        with store.writing() as db:
            check_span(body.start_s, body.end_s, recording(db, r)["duration_s"])
            (id,) = add_segments(db, r, [(body.start_s, body.end_s)])
            row = shown_segment(segment(db, id))
        state.events.tell("segment", id, recording=r)
        return row

    @router.post("/recordings/{r}/drafts", status_code=202)
    def draft(r: str) -> dict[str, Any]:
        """Write drafts anew, with the project's model; what a person has written stays."""
        with store.writing() as db:
            row = recording(db, r)
            if row["state"] == "failed":
                set_state(db, r, "segmented" if segments_of_recording(db, r) else "waiting")
        (state.chores.hear if row["state"] in ("waiting", "failed") else state.chores.draft_anew)(r)
        return shown_recording(found(r))

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
    """A whole recording by one model."""
    said = state.models.transcriber(name).transcribe(place)
    words = [
        {"text": w.text, "start_s": w.start_s, "end_s": w.end_s, "confidence": round(w.confidence, 4)}
        for w in said.words
    ]
    return {"model": name, "text": said.text, "words": words}


def attached(text: str, name: str) -> Response:
    """A text as a file to download."""
    from urllib.parse import quote

    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name)}"}
    return Response(text.encode(), media_type="text/plain; charset=utf-8", headers=headers)
