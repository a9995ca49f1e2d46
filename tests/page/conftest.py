"""A real server, what went wrong on it, and a real browser that looks at it.

The browser is Chromium: `apt-get install chromium`, or any that CHROMIUM names.
"""

import asyncio
import os
import shutil
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from time import monotonic, sleep
from uuid import uuid4

import httpx2
import pytest
import uvicorn
from fastapi import FastAPI
from playwright.sync_api import Browser, sync_playwright
from sqlalchemy import text

from glasswork.app import create_app
from glasswork.core.runner import Runner
from glasswork.core.settings import Settings
from glasswork.features.credentials.jobs import SEND_WELCOME
from glasswork.features.delivering.service import delivering
from glasswork.worker import make_resources
from tests.conftest import make_settings
from tests.databases import SERVING, Server
from tests.factories.callers import PASSWORD
from tests.page import faults
from tests.page.faults import FAULTS, Fault

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
ADMIN = {"email": "ada@example.com", "username": "ada", "name": "Ada", "password": PASSWORD}
MEMBER = {"email": "eve@example.com", "username": "eve", "name": "Eve", "password": PASSWORD}
HOSTILE = "<script>document.title='hurt'</script><img src=x onerror=document.title='hurt'>"


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("There is no Chromium: apt-get install chromium, or name one in CHROMIUM.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def base_url(server: Server) -> Iterator[str]:
    with _Served(server) as base_url:
        yield base_url


class _Served:
    """In a thread of its own: the browser's driver has the event loop of this one."""

    def __init__(self, server: Server) -> None:
        self._database_server = server
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._started = Event()
        self._thread = Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    def __enter__(self) -> str:
        self._thread.start()
        assert self._started.wait(timeout=20)
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(timeout=20)
        self._listener.close()

    async def _serve(self) -> None:
        async with self._database_server.clone() as name:
            await self._serve_on(self._database_server.url(SERVING, name))

    async def _serve_on(self, database_url: str) -> None:
        settings = make_settings(
            database_url,
            database_pool_size=faults.POOL_SIZE,
            smtp_url="smtp://127.0.0.1:1",
            webhook_allow_cidrs=("127.0.0.0/8",),
            log_level="warning",
        )
        app = create_app(settings)
        faults.install(app)
        async with app.router.lifespan_context(app), _working(app, settings):
            self._server = uvicorn.Server(
                uvicorn.Config(
                    app, lifespan="off", log_config=None, access_log=False, timeout_graceful_shutdown=1
                )
            )
            serving = asyncio.create_task(self._server.serve([self._listener]))
            while not self._server.started:
                await asyncio.sleep(0.01)
            await _open_accounts(app, self._listener.getsockname()[1])
            self._started.set()
            await serving


@asynccontextmanager
async def _working(app: FastAPI, settings: Settings) -> AsyncIterator[None]:
    database, outgoing, signals = app.state.database, app.state.outgoing, app.state.signals
    resources = make_resources(settings, database, outgoing, signals)
    runner = Runner(database, (*faults.JOBS, SEND_WELCOME), (), resources, 1, 3, signals)
    working = asyncio.create_task(runner.run())
    async with delivering(settings, database, signals, runner.stop, 1):
        yield
    runner.stop.set()
    await working


async def _open_accounts(app: FastAPI, port: int) -> None:
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        for account in (ADMIN, MEMBER):
            assert (await client.post("/api/v1/auth/register", json=account)).status_code == 201
    async with app.state.database.system_transaction() as session:
        await session.execute(text("UPDATE users SET role = 'admin' WHERE username = 'ada'"))


@pytest.fixture(scope="package")
def admin(base_url: str) -> Iterator[httpx2.Client]:
    form = {"username": "ada", "password": PASSWORD}
    token = httpx2.post(f"{base_url}/api/v1/auth/token", data=form).json()["access_token"]
    with httpx2.Client(base_url=base_url, headers={"Authorization": f"Bearer {token}"}) as client:
        yield client


@pytest.fixture(scope="package")
def request_ids(base_url: str, admin: httpx2.Client) -> dict[str, str]:
    """Let everything go wrong once; return the request that it went wrong in, by the fault's name."""
    found = {fault.name: _commit(base_url, fault) for fault in FAULTS}
    for name in ("failing job", "slow job", "unreachable mail server"):
        wait_for_entries(admin, found[name], 2)
    wait_for_entries(admin, found["caller who leaves"], 1)
    return found


def _commit(base_url: str, fault: Fault) -> str:
    request_id = f"fault-{uuid4()}"
    asked = {"json": fault.body, "headers": {"X-Request-ID": request_id}}
    with (
        httpx2.Client(base_url=base_url, timeout=10) as client,
        client.stream(fault.method, fault.url, **asked) as answer,
        suppress(httpx2.RemoteProtocolError),  # it was broken off
    ):
        if fault.leaves:
            next(answer.iter_raw())
        else:
            answer.read()
    return request_id


def wait_for_entries(admin: httpx2.Client, request_id: str, number: int) -> None:
    deadline = monotonic() + 20
    while True:
        answer = admin.get(f"/ops/api/requests/{request_id}")
        if answer.status_code == 200 and len(answer.json()["entries"]) >= number:
            return
        assert monotonic() < deadline
        sleep(0.1)


@pytest.fixture
def folder() -> Path | None:
    """Where screenshots go for people to look at, if anywhere."""
    named = os.environ.get("SCREENSHOTS")
    return Path(named) if named else None
