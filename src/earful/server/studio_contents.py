"""The contents of the studio's projects: recordings, segments, models, and exports."""

import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.responses import FileResponse
from starlette.background import BackgroundTask

from earful.server.projects import project, recordings, shown_recording
from earful.server.said import contents_of, files_of, pack, stems
from earful.server.segments import segments_of_project, shown_segment
from earful.server.state import State


def routes(state: State) -> APIRouter:
    """Lists and downloads."""
    router = APIRouter(prefix="/api", tags=["studio"])
    store = state.store

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
    def export(p: str, originals: bool = True) -> FileResponse:
        """A zip of recordings, also as they came (`originals`), ELAN files, a manifest, and every edit."""
        settings = state.settings
        with store.reading() as db:
            name = project(db, p)["name"]
            contents = contents_of(db, p, settings.recordings, settings.originals if originals else None)
        return zipped(state, contents, stems([name])[0])

    @router.get("/models/{name}/download", response_class=FileResponse)
    def download(name: str) -> FileResponse:
        """A zip of a model's folder."""
        model = state.models.find(name)
        return zipped(state, files_of(model.folder), model.name)

    return router


def made(row: Any) -> dict[str, Any]:
    """A model made here: name, date, base and number of clips."""
    return {key: row[key] for key in ("name", "created", "base", "clips")}


def zipped(state: State, contents: Mapping[str, Path | str], name: str) -> FileResponse:
    """A zip file to download, which is deleted after sending."""
    out = state.settings.incoming / secrets.token_hex(16)
    try:
        pack(contents, out)
    except BaseException:
        out.unlink(missing_ok=True)
        raise
    gone = BackgroundTask(out.unlink, missing_ok=True)
    return FileResponse(out, media_type="application/zip", filename=f"{name}.zip", background=gone)
