"""Server-sent events, from any thread to any number of clients."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

_BEAT_S = 15.0  # seconds between signs of life of a silent stream
_MOST = 1000  # unread events after which a slow client is disconnected


class Events:
    """The channel of events. `begin` sets the event loop of the listeners."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._queues: set[asyncio.Queue[dict[str, Any] | None]] = set()

    def begin(self) -> None:
        """Store the running event loop."""
        self._loop = asyncio.get_running_loop()

    def tell(self, kind: str, id: str, **more: Any) -> None:
        """Announce a change; callable from any thread, also without listeners."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._spread, {"kind": kind, "id": id, **more})

    def end(self) -> None:
        """End all streams, because the server stops."""
        self._spread(None)

    @contextmanager
    def heard(self) -> Iterator[asyncio.Queue[dict[str, Any] | None]]:
        """A queue of the events from now on; None is the end."""
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
    """The wire format of an event."""
    named = f"event: {event}\n" if event else ""
    return f"{named}data: {json.dumps(data, ensure_ascii=False)}\n\n"


BEAT = ": still here\n\n"
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
STREAM = "text/event-stream"
