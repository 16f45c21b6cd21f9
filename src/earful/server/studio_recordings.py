"""The studio's recordings: upload, drafts and deletion."""

from typing import Annotated, Any

from fastapi import APIRouter, File, UploadFile

from earful.server.decoding import shown
from earful.server.projects import (
    add_recording,
    delete_recording,
    project,
    recording,
    set_state,
    shown_recording,
)
from earful.server.segments import segments_of_recording
from earful.server.sound import discard, kept
from earful.server.state import State


def routes(state: State) -> APIRouter:
    """Recordings."""
    router = APIRouter(prefix="/api", tags=["studio"])
    store = state.store

    def found(id: str) -> Any:
        with store.reading() as db:
            return recording(db, id)

    @router.post("/projects/{p}/recordings", status_code=201)
    async def add(p: str, file: Annotated[UploadFile, File()]) -> dict[str, Any]:
        """Add a recording; it is cut and drafted by and by. The same sound twice is one recording."""
        with store.reading() as db:
            project(db, p)
        name = shown(file.filename)
        sha256, decoded = await state.pool.run(kept, state, file.file, name)
        with store.writing() as db:
            id = add_recording(db, p, name, sha256, *decoded)
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

    @router.post("/recordings/{r}/drafts", status_code=202)
    def draft(r: str) -> dict[str, Any]:
        """Write drafts anew, with the project's model; what a person has written stays."""
        with store.writing() as db:
            row = recording(db, r)
            if row["state"] == "failed":
                set_state(db, r, "segmented" if segments_of_recording(db, r) else "waiting")
        (state.chores.hear if row["state"] in ("waiting", "failed") else state.chores.draft_anew)(r)
        return shown_recording(found(r))

    return router
