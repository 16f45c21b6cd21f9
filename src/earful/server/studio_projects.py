"""The studio's projects: what belongs together, the models that came of it, and all of it to take away."""

import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.responses import FileResponse
from starlette.background import BackgroundTask

from earful.server.jobs import OVER
from earful.server.projects import (
    add_project,
    change_project,
    delete_project,
    project,
    projects,
    recordings,
    shown_project,
    shown_recording,
)
from earful.server.requests import ChangedProject, NewProject
from earful.server.said import contents_of, files_of, pack, stems
from earful.server.segments import segments_of_project, shown_segment
from earful.server.sound import discard
from earful.server.state import State

BASE = "earful-base"


def routes(state: State) -> APIRouter:
    """Projects, without what is in their recordings."""
    router = APIRouter(prefix="/api", tags=["studio"])
    store = state.store

    def shown(id: str) -> dict[str, Any]:
        with store.reading() as db:
            row = project(db, id)
            return shown_project(db, row, letters_of(state, row["model"]))

    @router.get("/projects")
    def listed() -> list[dict[str, Any]]:
        """All projects."""
        with store.reading() as db:
            return [shown_project(db, row, letters_of(state, row["model"])) for row in projects(db)]

    @router.post("/projects", status_code=201)
    def begin(body: NewProject) -> dict[str, Any]:
        """Begin a project."""
        model = state.models.find(body.model).name if body.model else default_model(state)
        with store.writing() as db:
            id = add_project(db, body.name, body.language, model, body.letters)
        state.events.tell("project", id)
        return shown(id)

    @router.get("/projects/{p}")
    def one(p: str) -> dict[str, Any]:
        """One project."""
        return shown(p)

    @router.patch("/projects/{p}")
    def change(p: str, body: ChangedProject) -> dict[str, Any]:
        """Change its name, language, letters, direction, or the model that writes its drafts."""
        values = body.model_dump(exclude_none=True)
        if "model" in values:
            state.models.find(values["model"])
        with store.writing() as db:
            change_project(db, p, values)
        state.events.tell("project", p)
        return shown(p)

    @router.delete("/projects/{p}", status_code=204)
    def delete(p: str) -> None:
        """Hide a project; its sound goes to the trash, and every text stays in the database."""
        with store.writing() as db:
            gone = delete_project(db, p)
        for sha256 in gone:
            discard(state, sha256)
        for job in state.jobs.all():
            if job["project"] == p and job["state"] not in OVER:
                state.jobs.cancel(job["id"])
        state.events.tell("project", p)

    @router.get("/projects/{p}/recordings")
    def recorded(p: str) -> list[dict[str, Any]]:
        """Its recordings."""
        with store.reading() as db:
            project(db, p)
            return [shown_recording(row) for row in recordings(db, p)]

    @router.get("/projects/{p}/segments")
    def segments(p: str, order: Annotated[Literal["time", "teaching"], Query()] = "time") -> list[dict[str, Any]]:
        """Its segments, in order of time, or of what would teach most."""
        with store.reading() as db:
            project(db, p)
            return [shown_segment(row) for row in segments_of_project(db, p, order)]

    @router.get("/projects/{p}/models")
    def models(p: str) -> list[dict[str, Any]]:
        """What adaptations made of it: the learning curve over rounds."""
        with store.reading() as db:
            project(db, p)
            rows = db.execute("SELECT * FROM models WHERE project = ? ORDER BY created", (p,)).fetchall()
        return [{**json.loads(row["report"]), **made(row)} for row in rows]

    @router.get("/projects/{p}/export", response_class=FileResponse)
    def export(p: str) -> FileResponse:
        """A zip of recordings, ELAN files, a manifest, and every edit."""
        with store.reading() as db:
            name, contents = project(db, p)["name"], contents_of(db, p, state.settings.recordings)
        return zipped(state, contents, stems([name])[0])

    @router.get("/models/{name}/download", response_class=FileResponse)
    def download(name: str) -> FileResponse:
        """A zip of a model's folder."""
        model = state.models.find(name)
        return zipped(state, files_of(model.folder), model.name)

    return router


def made(row: Any) -> dict[str, Any]:
    """Of a model that was made here: its name, when, from what, of how many clips."""
    return {key: row[key] for key in ("name", "created", "base", "clips")}


def letters_of(state: State, model: str) -> list[str]:
    """The letters of a recogniser of one language; a base has those of all."""
    if model not in state.models:
        return []
    found = state.models.find(model)
    return [] if found.base else found.letters


def default_model(state: State) -> str:
    """The first that was given, else the base that is best."""
    return state.models.given[0].name if state.models.given else BASE


def zipped(state: State, contents: Mapping[str, Path | str], name: str) -> FileResponse:
    """A zip to download, which goes when it was sent."""
    out = state.settings.incoming / secrets.token_hex(16)
    try:
        pack(contents, out)
    except BaseException:
        out.unlink(missing_ok=True)
        raise
    gone = BackgroundTask(out.unlink, missing_ok=True)
    return FileResponse(out, media_type="application/zip", filename=f"{name}.zip", background=gone)
