"""Requests for adaptations: clips and transcripts, or a project, become a job, whose result is a new model."""

from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from pydantic import TypeAdapter, ValidationError
from starlette.datastructures import FormData, UploadFile

from earful.server.clips import clips_of_form, clips_of_project
from earful.server.events import BEAT, HEADERS, STREAM, each, packed
from earful.server.jobs import OVER
from earful.server.problems import Problem
from earful.server.projects import project
from earful.server.requests import Adaptation, Effort, Language, Name, OwnAdaptation
from earful.server.settings import MOST_FIELD_BYTES, MOST_FIELDS
from earful.server.state import State
from earful.server.store import new_id

_FORM = {
    "type": "object",
    "required": ["file", "manifest"],
    "properties": {
        "file": {"type": "array", "items": {"type": "string", "format": "binary"}},
        "manifest": {"type": "string", "description": "JSON lines: audio_filepath (a name of a file), text, offset …"},
        "effort": {"type": "string", "enum": ["quick", "usual", "best"]},
        "name": {"type": "string"},
        "language": {"type": "string"},
    },
}
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": Adaptation.model_json_schema()},
            "multipart/form-data": {"schema": _FORM},
        },
    }
}


def routes(state: State) -> APIRouter:
    """Adaptations and jobs."""
    router = APIRouter(tags=["adaptation"])
    bounds = {"max_files": state.settings.most_files, "max_fields": MOST_FIELDS, "max_part_size": MOST_FIELD_BYTES}

    @router.post("/v1/models/{name}/adaptations", status_code=202, openapi_extra=_BODY)
    async def adapt(name: str, request: Request) -> dict[str, Any]:
        """Adapt a model to clips with a manifest (multipart), or to the accepted segments of a project (JSON)."""
        state.models.find(name)
        if request.headers.get("content-type", "").startswith("multipart/form-data"):
            async with request.form(**bounds) as form:
                return await state.pool.run(of_form, state, name, form)
        try:
            body = Adaptation.model_validate_json(await request.body())
        except ValidationError as error:
            raise refused(error) from error
        return await state.pool.run(of_project, state, name, body.project, body.effort, body.name)

    @router.post("/api/projects/{p}/adaptations", status_code=202)
    def adapt_project(p: str, body: OwnAdaptation) -> dict[str, Any]:
        """Adapt the first model of the project to all its accepted segments."""
        with state.store.reading() as db:
            base = project(db, p)["base"]
        return of_project(state, base, p, body.effort, body.name)

    @router.get("/v1/jobs")
    def jobs() -> dict[str, Any]:
        """All jobs, the newest first."""
        return {"object": "list", "data": state.jobs.all()}

    @router.get("/v1/jobs/{job}")
    def one(job: str) -> dict[str, Any]:
        """One job."""
        return state.jobs.find(job)

    @router.post("/v1/jobs/{job}/cancel")
    def cancel(job: str) -> dict[str, Any]:
        """Cancel a job, and remove its results."""
        return state.jobs.cancel(job)

    @router.get("/v1/jobs/{job}/events", response_class=StreamingResponse)
    async def events(job: str) -> StreamingResponse:
        """Server-sent events: `progress` {stage, share, left_s}, and in the end `done`, `failed` or `cancelled`."""
        state.jobs.find(job)
        return StreamingResponse(_told(state, job), media_type=STREAM, headers=HEADERS)

    return router


async def _told(state: State, id: str) -> AsyncIterator[str]:
    """How far a job is, now and whenever that changes, until it is over."""
    with state.events.heard() as queue:
        job = state.jobs.find(id)
        yield packed(job, job["state"] if job["state"] in OVER else "progress")
        if job["state"] in OVER:
            return
        async for event in each(queue):
            if event is None:
                yield BEAT
            elif event["kind"] == "job" and event["id"] == id:
                job = state.jobs.find(id)
                yield packed(job, job["state"] if job["state"] in OVER else "progress")
                if job["state"] in OVER:
                    return


def of_project(state: State, model: str, id: str, effort: Effort, name: str | None) -> dict[str, Any]:
    """A job for the accepted segments of a project."""
    job, base = new_id(), state.models.find(model)
    with state.store.reading() as db:
        row = project(db, id)
        manifest = clips_of_project(db, id, state.settings.recordings, state.jobs.folder(job), row["language"])
    spec = {"base": str(base.folder), "manifest": str(manifest), "effort": effort, "language": row["language"]}
    return _queued(state, job, model, spec, name or row["name"], id)


def of_form(state: State, model: str, form: FormData) -> dict[str, Any]:
    """A job for uploaded clips. Raises Problem (400), AudioError, ManifestError, OSError."""
    given = {key: value for key, value in form.items() if isinstance(value, str)}
    try:
        effort: Effort = TypeAdapter(Effort).validate_python(given.get("effort", "usual"))
        language = TypeAdapter(Language).validate_python(given.get("language", ""))
        name = TypeAdapter(Name).validate_python(given.get("name", "adapted"))
    except ValidationError as error:
        raise refused(error) from error
    files = [each for each in form.getlist("file") if isinstance(each, UploadFile)]
    if isinstance(sent := form.get("manifest"), UploadFile):  # as `curl -F manifest=@…` does
        given["manifest"] = sent.file.read(MOST_FIELD_BYTES).decode("utf-8", "replace")
    if "manifest" not in given or not files:
        raise Problem(400, "send clips as `file`, once for each, and a `manifest` of JSON lines", param="manifest")
    job, base = new_id(), state.models.find(model)
    folder = state.jobs.folder(job)
    try:
        manifest, said = clips_of_form(state.decoders, files, given["manifest"], folder)
        spec = {"base": str(base.folder), "manifest": str(manifest), "effort": effort, "language": language}
        return _queued(state, job, model, {**spec, "warnings": said}, name, None)
    except BaseException:
        state.jobs.forget(job)
        raise


def _queued(
    state: State, job: str, model: str, spec: dict[str, Any], name: str, project_id: str | None
) -> dict[str, Any]:
    """Queue the job; its model gets an unused name."""
    out = state.models.reserve(slug(name))
    try:
        return state.jobs.add(model, {**spec, "out": str(out)}, project_id, job)
    except BaseException:
        out.rmdir()
        raise


def slug(name: str) -> str:
    """A name for a folder and for clients: letters and digits with hyphens between them.

    >>> slug("My  talks / 2"), slug("..")
    ('my-talks-2', 'model')
    """
    words = "".join(c.lower() if c.isalnum() else " " for c in name).split()
    return "-".join(words)[:60].strip("-") or "model"


def refused(error: ValidationError) -> Problem:
    """The Problem for a body that this module validates itself."""
    first = error.errors()[0]
    param = ".".join(map(str, first["loc"])) or None
    return Problem(400, f"{param or 'the body'}: {first['msg']}", param=param, code=str(first["type"]))
