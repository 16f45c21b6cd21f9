"""`/api/events`: a stream of changes."""

from collections.abc import AsyncIterator

from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from earful.server.events import BEAT, HEADERS, STREAM, each, packed
from earful.server.state import State


def routes(state: State) -> APIRouter:
    """The one stream."""
    router = APIRouter(prefix="/api", tags=["studio"])

    @router.get("/events", response_class=StreamingResponse)
    async def events() -> StreamingResponse:
        """Server-sent events: {kind: recording, segment, job or project, id}."""

        async def stream() -> AsyncIterator[str]:
            with state.events.heard() as queue:
                yield BEAT
                async for event in each(queue):
                    yield packed(event) if event else BEAT

        return StreamingResponse(stream(), media_type=STREAM, headers=HEADERS)

    return router
