"""The application: all routes behind the guard, with its startup and shutdown."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib import metadata, resources
from pathlib import Path

from fastapi import APIRouter, FastAPI
from fastapi.staticfiles import StaticFiles
from starlette.concurrency import run_in_threadpool

from earful.server import (
    adaptations,
    catalogue,
    news,
    problems,
    realtime,
    reference,
    studio_contents,
    studio_projects,
    studio_recordings,
    studio_segments,
    studio_sound,
    transcriptions,
)
from earful.server.guard import Guard
from earful.server.settings import MOST_FIELD_BYTES, MOST_FIELDS, Settings
from earful.server.state import State, state_of

ROUTES = (
    catalogue.routes,
    transcriptions.routes,
    realtime.routes,
    adaptations.routes,
    studio_projects.routes,
    studio_contents.routes,
    studio_recordings.routes,
    studio_sound.routes,
    studio_segments.routes,
    news.routes,
)


def application(settings: Settings) -> FastAPI:
    """The server as an ASGI application; `app.state.earful` is its `State`.

    Raises CheckpointError: a given folder is not a model; OSError: the home folder is not writable.
    """
    state = state_of(settings)

    @asynccontextmanager
    async def lives(_: FastAPI) -> AsyncIterator[None]:
        try:
            state.begin()
        except BaseException:
            await run_in_threadpool(state.end)  # otherwise its threads keep the process alive
            raise
        yield
        state.events.end()
        await run_in_threadpool(state.end)

    app = FastAPI(
        title="earful",
        version=metadata.version("earful"),
        lifespan=lives,
        max_body_size=settings.upload_bytes,
        form_limits={
            "max_fields": MOST_FIELDS,
            "max_part_size": MOST_FIELD_BYTES,
            "max_files": settings.most_files,
        },
        responses=problems.DESCRIBED,
        docs_url=None,
        redoc_url=None,
    )
    app.state.earful = state
    app.add_middleware(Guard, settings=settings)
    problems.install(app)
    for router in (*_routers(state), reference.routes(app)):
        app.include_router(router)
    app.mount("/", StaticFiles(directory=page(), html=True), "page")
    return app


def page() -> Path:
    """The folder of the built page of `web/studio`."""
    return Path(str(resources.files("earful"))) / "server" / "studio_page"


def _routers(state: State) -> Sequence[APIRouter]:
    return [routes(state) for routes in ROUTES]
