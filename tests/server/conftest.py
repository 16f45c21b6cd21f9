"""A server that really listens, and a client that asks it."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
import torch
import uvicorn

from earful.checkpoint import load_checkpoint, save_checkpoint
from earful.server.app import application
from earful.server.settings import Settings

Listen = Callable[[Settings], AbstractContextManager[httpx.Client]]


@contextmanager
def listening(settings: Settings) -> Iterator[httpx.Client]:
    """A client of a server that runs in a thread of this process, on a port that is free."""
    with socket.socket() as listener:
        listener.bind((settings.host, 0))
        port = listener.getsockname()[1]
        app = application(replace(settings, port=port))
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=2))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            while not server.started:
                assert thread.is_alive(), "the server did not start"
                time.sleep(0.01)
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120) as client:
                yield client
        finally:
            server.should_exit = True
            thread.join(30)


@pytest.fixture(scope="session")
def talker(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model, writing a lot, and words, in what it says is Czech."""
    base = load_checkpoint(tiny_base)
    base.params["heads.text.weight"] *= 6
    base.params["heads.text.bias"][:2] += torch.tensor([-2.0, 6.0])
    config = replace(base.config, rules=replace(base.config.rules, language="cs"))
    folder = tmp_path_factory.mktemp("talker") / "talker"
    save_checkpoint(folder, replace(base, config=config, about={"adapted": {}}))
    return folder


@pytest.fixture(scope="session")
def settings(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A home of its own, and the tiny model that the tests have."""
    return Settings(models=(tiny_base,), home=tmp_path_factory.mktemp("home"), workers=2, nice=0)


@pytest.fixture(scope="session")
def listen() -> Listen:
    """`with listen(settings) as client:` has a server for the block."""
    return listening


@pytest.fixture(scope="module")
def client(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of a server with a new home."""
    with listening(replace(settings, home=tmp_path_factory.mktemp("served"))) as found:
        yield found
