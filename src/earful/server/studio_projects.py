"""The studio's projects."""

from typing import Any

from fastapi import APIRouter

from earful.server.jobs import OVER
from earful.server.projects import (
    add_project,
    change_project,
    delete_project,
    project,
    projects,
    shown_project,
)
from earful.server.requests import ChangedProject, NewProject
from earful.server.sound import discard
from earful.server.state import State

BASE = "earful-base"


def routes(state: State) -> APIRouter:
    """The routes of projects, without their contents."""
    router = APIRouter(prefix="/api", tags=["studio"])
    store = state.store

    def shown(id: str) -> dict[str, Any]:
        with store.reading() as db:
            row = project(db, id)
            return shown_project(db, row, *letters_of(state, row["model"]))

    @router.get("/projects")
    def listed() -> list[dict[str, Any]]:
        """All projects."""
        with store.reading() as db:
            return [shown_project(db, row, *letters_of(state, row["model"])) for row in projects(db)]

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

    return router


def letters_of(state: State, model: str) -> tuple[list[str], list[str]]:
    """The letters of a recogniser of one language, and those of a base: one of the two is empty."""
    if model not in state.models:
        return [], []
    found = state.models.find(model)
    return ([], found.letters) if found.base else (found.letters, [])


def default_model(state: State) -> str:
    """The first given model, else the best base."""
    return state.models.given[0].name if state.models.given else BASE
