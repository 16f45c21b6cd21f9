"""The studio's segments: every answered change is on the disk, and can be undone."""

from collections.abc import Callable
from sqlite3 import Connection, Row
from typing import Annotated, Any

from fastapi import APIRouter, Depends

from earful.server.projects import recording
from earful.server.requests import ChangedSegment, NewSegment, who
from earful.server.segments import (
    add_segments,
    check_span,
    do_again,
    edit,
    history,
    segment,
    segments_of_recording,
    shown_segment,
    take_back,
)
from earful.server.state import State

Who = Annotated[str, Depends(who)]


def routes(state: State) -> APIRouter:
    """Segments."""
    router = APIRouter(prefix="/api", tags=["studio"])

    def changed(s: str, change: Callable[[Connection], Row]) -> dict[str, Any]:
        with state.store.writing() as db:
            row = change(db)
        state.events.tell("segment", s, recording=row["recording"])
        return shown_segment(row)

    @router.get("/segments/{s}")
    def one(s: str) -> dict[str, Any]:
        """One segment."""
        with state.store.reading() as db:
            return shown_segment(segment(db, s))

    @router.patch("/segments/{s}")
    def change(s: str, body: ChangedSegment, by: Who) -> dict[str, Any]:
        """Change its text, state or times. 409, with the segment as it is, where somebody else was first."""
        values = body.model_dump(exclude={"version"}, exclude_none=True)
        return changed(s, lambda db: edit(db, s, body.version, values, by))

    @router.post("/segments/{s}/undo")
    def undo(s: str, by: Who) -> dict[str, Any]:
        """Take the last change back."""
        return changed(s, lambda db: take_back(db, s, by))

    @router.post("/segments/{s}/redo")
    def redo(s: str, by: Who) -> dict[str, Any]:
        """Make again what was taken back."""
        return changed(s, lambda db: do_again(db, s, by))

    @router.get("/segments/{s}/history")
    def changes(s: str) -> list[dict[str, Any]]:
        """Who changed what, and when."""
        with state.store.reading() as db:
            return history(db, s)

    @router.get("/recordings/{r}/segments")
    def segments(r: str) -> list[dict[str, Any]]:
        """Its segments, in order of time."""
        with state.store.reading() as db:
            return [shown_segment(row) for row in segments_of_recording(db, r)]

    @router.post("/recordings/{r}/segments", status_code=201)
    def add_segment(r: str, body: NewSegment) -> dict[str, Any]:
        """A segment that voice activity has not found."""
        with state.store.writing() as db:
            check_span(body.start_s, body.end_s, recording(db, r)["duration_s"])
            (id,) = add_segments(db, r, [(body.start_s, body.end_s)])
            row = shown_segment(segment(db, id))
        state.events.tell("segment", id, recording=r)
        return row

    return router
