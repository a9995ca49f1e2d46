"""The running app: a real server on a database of its own."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event, Thread

import httpx2
import pytest
import uvicorn

from glasswork.app import create_app
from glasswork.core.settings import Settings
from tests.conftest import make_settings
from tests.databases import SERVING, Server
from tests.factories.callers import PASSWORD


@dataclass(frozen=True)
class Live:
    base_url: str
    headers: dict[str, str]
    """Of somebody who is logged in."""


@pytest.fixture(scope="session")
def live(server: Server) -> Iterator[Live]:
    runner = asyncio.Runner()
    clone = server.clone()
    name = runner.run(clone.__aenter__())
    # As short as the document says: the operator's longer minimum cannot stand in it.
    settings = make_settings(server.url(SERVING, name), password_min_length=8)
    try:
        with running(settings) as base_url:
            yield Live(base_url, {"Authorization": f"Bearer {sign_up(base_url)}"})
    finally:
        runner.run(clone.__aexit__(None, None, None))
        runner.close()


@contextmanager
def running(settings: Settings) -> Iterator[str]:
    started = Event()

    class AnnouncedServer(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            started.set()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        uvicorn_server = AnnouncedServer(uvicorn.Config(create_app(settings), log_config=None))
        thread = Thread(target=uvicorn_server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        assert started.wait(timeout=20)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        uvicorn_server.should_exit = True
        thread.join(timeout=10)


def sign_up(base_url: str) -> str:
    account = {"email": "ada@example.com", "username": "ada", "name": "Ada", "password": PASSWORD}
    with httpx2.Client(base_url=f"{base_url}/api/v1") as client:
        assert client.post("/auth/register", json=account).status_code == 201
        answer = client.post("/auth/token", data={"username": "ada", "password": PASSWORD})
    token: str = answer.json()["access_token"]
    return token
