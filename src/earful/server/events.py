"""News for whoever listens: server-sent events, from any thread to any number of clients."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

_BEAT_S = 15.0  # so often a silent stream says that it lives
_MOST = 1000  # a client that reads so much too slowly is let go


class Events:
    """Where things are announced, and heard of. `begin` tells on which loop the listeners are."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._queues: set[asyncio.Queue[dict[str, Any] | None]] = set()

    def begin(self) -> None:
        """Remember the loop that runs."""
        self._loop = asyncio.get_running_loop()

    def tell(self, kind: str, id: str, **more: Any) -> None:
        """Say that something changed; from any thread, also while nobody listens."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._spread, {"kind": kind, "id": id, **more})

    def end(self) -> None:
        """Let all listeners go: the server stops."""
        self._spread(None)

    @contextmanager
    def heard(self) -> Iterator[asyncio.Queue[dict[str, Any] | None]]:
        """A queue of what is told from now on; None is the end."""
        queue: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue(_MOST)
        self._queues.add(queue)
        try:
            yield queue
        finally:
            self._queues.discard(queue)

    def _spread(self, event: dict[str, Any] | None) -> None:
        for queue in list(self._queues):
            if event is None or queue.full():
                while not queue.empty():
                    queue.get_nowait()
                event_or_end = None
            else:
                event_or_end = event
            queue.put_nowait(event_or_end)


async def each(queue: asyncio.Queue[dict[str, Any] | None]) -> AsyncIterator[dict[str, Any] | None]:
    """What comes into a queue, until its end; None where nothing came for a while."""
    while True:
        try:
            event = await asyncio.wait_for(queue.get(), _BEAT_S)
        except TimeoutError:
            yield None
            continue
        if event is None:
            return
        yield event


def packed(data: Any, event: str | None = None) -> str:
    """An event as it goes over the wire."""
    named = f"event: {event}\n" if event else ""
    return f"{named}data: {json.dumps(data, ensure_ascii=False)}\n\n"


BEAT = ": still here\n\n"
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
STREAM = "text/event-stream"
