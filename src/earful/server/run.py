"""Run a server until it is stopped."""

import asyncio
import errno
import os
import socket
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import uvicorn
from fastapi import FastAPI

from earful.errors import ConfigError, install
from earful.server.app import application
from earful.server.settings import Settings, is_loopback
from earful.server.state import State

EVERY = ("0.0.0.0", "::")
ELSEWHERE = ("192.0.2.1", 9)  # an address for documentation (RFC 5737)
_LINGER_S = 5  # seconds for streams to end
_NOT_HERE = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)  # of one address of several, such as IPv6 where there is none


def run(settings: Settings, say: Callable[[str], object]) -> None:
    """Serve until interrupted; `say` is called with the address when the server is ready.

    Raises ConfigError: no token although other machines can connect, or a port in use.
    """
    if not settings.token and not is_loopback(settings.host):
        raise ConfigError(f"{settings.host} can be reached by other machines, so a token is needed; give --token")
    sockets = _sockets(settings.host, settings.port)
    try:
        app = application(settings)
        tempfile.tempdir = str(settings.incoming)  # for uploads: /tmp may be in memory
        asyncio.run(_serve(app, settings, sockets, say))
    finally:
        for each in sockets:
            each.close()


def _sockets(host: str, port: int) -> list[socket.socket]:
    """Listen at every address of the host; uvicorn, if it did so itself, would log what is wrong and exit.

    Raises ConfigError: no such host, or a port that is taken or not allowed.
    """
    try:
        places = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as error:
        raise ConfigError(f"host {host!r}: {error.strerror}; give an address of this machine with --host") from None
    found = list[socket.socket]()
    for family, *_, place in dict.fromkeys(places):
        try:
            found.append(socket.create_server(place, family=family))
        except OSError as error:
            if error.errno not in _NOT_HERE:
                for each in found:
                    each.close()
                reason = os.strerror(error.errno or 0)
                raise ConfigError(
                    f"port {port} of {host} cannot be used ({reason}); give another with --port"
                ) from None
    if not found:
        raise ConfigError(f"host {host!r}: this machine has no such address; give one that it has with --host")
    return found


async def _serve(app: FastAPI, settings: Settings, sockets: list[socket.socket], say: Callable[[str], object]) -> None:
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_LINGER_S,
        ws_max_size=2**20,
    )
    server = _Server(config, lambda: say(address(settings)))
    async with _wyoming(app.state.earful, settings):
        with suppress(SystemExit):  # uvicorn's, after it has logged why
            await server.serve(sockets)
        if not server.started:
            raise ConfigError("the server could not begin; what is written above says why")


@asynccontextmanager
async def _wyoming(state: State, settings: Settings) -> AsyncIterator[None]:
    """Speak Wyoming, too, if that was asked for. Raises ConfigError: without the package, or a port that is taken."""
    if settings.wyoming_port is None:
        yield
        return
    try:
        from earful.server.wyoming import Wyoming
    except ImportError as error:
        raise ConfigError(f"--wyoming needs an optional package: {install('wyoming')}") from error
    server = Wyoming(state, settings.host, settings.wyoming_port)
    try:
        await server.begin()
    except OSError as error:
        where = f"port {settings.wyoming_port} of {settings.host}"
        raise ConfigError(f"{where} cannot be used ({error.strerror}); give another with --wyoming") from error
    try:
        yield
    finally:
        await server.end()


class _Server(uvicorn.Server):
    """Reports when it is ready; ends event streams as soon as it stops, since uvicorn waits for all responses."""

    def __init__(self, config: uvicorn.Config, began: Callable[[], object]) -> None:
        super().__init__(config)
        self._began = began

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._began()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.config.app.state.earful.events.end()  # type: ignore[union-attr]
        await super().shutdown(sockets)


def address(settings: Settings) -> str:
    """The address for a browser; if all addresses are served, that in the local network."""
    host = reached() if settings.host in EVERY else settings.host
    host = f"[{host}]" if ":" in host else host
    return f"http://{host}:{settings.port}/" + (f"?token={settings.token}" if settings.token else "")


def reached() -> str:
    """The address of this machine in the local network; its name without a network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        try:
            asked.connect(ELSEWHERE)  # UDP: sends nothing, only chooses a route
            return str(asked.getsockname()[0])
        except OSError:
            return socket.gethostname()
