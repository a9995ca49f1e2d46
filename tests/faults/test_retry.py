"""Kill -9 between a commit and its answer: who sends the request again is told what was done."""

import asyncio
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest
from fastapi import FastAPI

from glasswork.core.db import Database
from tests.conftest import SECRET
from tests.core.runners import fetch
from tests.factories.callers import Callers
from tests.factories.tracker import make_project, make_workspace
from tests.processes import Serving

from .settling import until
from .traffic import CUT_OFF
from .wire import open_wire

pytestmark = [pytest.mark.anyio, pytest.mark.long]

KEY = "8e03978e-40d5-43dd-bc93-6894a57f9324"


async def test_the_next_process_tells_what_was_committed(
    app: FastAPI, database: Database, tmp_path: Path
) -> None:
    url = database.engine.url.render_as_string(hide_password=False)
    async with open_wire(url) as (wire, way):
        with ExitStack() as stack:

            async def serve() -> Serving:
                serving = Serving(tmp_path, "--no-worker", DATABASE_URL=way, JWT_SECRET=SECRET)
                return await asyncio.to_thread(stack.enter_context, serving)

            killed = await serve()
            async with httpx2.AsyncClient(base_url=killed.base_url) as client:
                owner = await Callers(client, database, app.state.keys).user()
                project = await make_project(owner, await make_workspace(owner))
                path = f"/projects/{project['id']}/tasks"
                killing = asyncio.create_task(wire.trap(killed.process.kill, 0, lets_pass=True))
                with pytest.raises(CUT_OFF):
                    await owner.post(path, {"title": "T"}, idempotency_key=KEY)
                await killing
            await until(database, "EXISTS (SELECT FROM tasks)")
            successor = await serve()
            async with httpx2.AsyncClient(base_url=successor.base_url) as client:
                again = await replace(owner, client=client).post(path, {"title": "T"}, idempotency_key=KEY)
            await asyncio.to_thread(successor.stop)
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (201, "true")
    assert [str(row["id"]) for row in await fetch(database, "SELECT id FROM tasks")] == [again.json()["id"]]
