import pytest
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.conftest import make_client, rolled_back
from tests.factories.callers import Callers
from tests.factories.files import make_attachment, picture
from tests.factories.tracker import make_project, make_task, make_workspace

from .moving import take_out


@pytest.fixture(scope="module")
async def archive(app: FastAPI, engine: AsyncEngine) -> bytes:
    """Of a small workspace that is no longer there: two members, three tasks and a file."""
    async with rolled_back(engine) as database:
        app.state.database = database
        async with make_client(app) as client:
            callers = Callers(client, database, app.state.keys)
            owner = await callers.user()
            workspace = await make_workspace(owner, slug="moved")
            member = await callers.member(workspace["id"])
            project = await make_project(owner, workspace, key="OPS")
            task, *_ = [await make_task(owner, project, assignee_id=str(member.id)) for _ in range(3)]
            await make_attachment(owner, task, name="Plan.png", content=picture(8))
            return await take_out(app, database, owner, workspace["id"])
