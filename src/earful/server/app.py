"""The application: all routes behind the guard, and what begins and ends with it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib import metadata, resources
from pathlib import Path

from fastapi import APIRouter, FastAPI
from fastapi.staticfiles import StaticFiles

from earful.server import catalogue, problems, realtime
from earful.server.guard import Guard
from earful.server.settings import MEGABYTE, Settings
from earful.server.state import State, state_of

ROUTES = (catalogue.routes, realtime.routes)
FORMS = {"max_fields": 1000, "max_part_size": 8 * MEGABYTE}


def application(settings: Settings) -> FastAPI:
    """The server as an ASGI application; `app.state.earful` is its `State`.

    Raises CheckpointError: a folder that was given is no model; OSError: the state cannot be kept there.
    """
    for folder in (settings.home, settings.recordings, settings.made, settings.incoming, settings.trash):
        folder.mkdir(parents=True, exist_ok=True)
    state = state_of(settings)

    @asynccontextmanager
    async def lives(_: FastAPI) -> AsyncIterator[None]:
        state.events.begin()
        yield
        state.events.end()
        state.pool.close()

    app = FastAPI(
        title="earful",
        version=metadata.version("earful"),
        lifespan=lives,
        max_body_size=settings.upload_bytes,
        form_limits={**FORMS, "max_files": settings.most_files},
        docs_url=None,
        redoc_url=None,
    )
    app.state.earful = state
    app.add_middleware(Guard, settings=settings)
    problems.install(app)
    for router in _routers(state):
        app.include_router(router)
    app.mount("/", StaticFiles(directory=page(), html=True), "page")
    return app


def page() -> Path:
    """The folder of the page, as `web/studio` is built."""
    return Path(str(resources.files("earful"))) / "server" / "studio_page"


def _routers(state: State) -> Sequence[APIRouter]:
    return [routes(state) for routes in ROUTES]
