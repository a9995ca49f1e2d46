from typing import Any

import pytest

from glasswork.core.db import Database
from tests.factories.callers import Caller
from tests.factories.tracker import make_hook

from .senders import Github, Program

MAPPING = {
    "title": "/issue/title",
    "description": "/issue/body",
    "priority": {"pointer": "/level", "values": {"critical": "urgent", "1": "low"}},
    "due_at": "/due",
}


@pytest.fixture
async def github(owner: Caller, workspace: dict[str, Any]) -> Github:
    return Github(owner.client, await make_hook(owner, workspace))


@pytest.fixture
async def program(owner: Caller, workspace: dict[str, Any], project: dict[str, Any]) -> Program:
    fields = {"kind": "json", "project_id": project["id"], "mapping": MAPPING}
    return Program(owner.client, await make_hook(owner, workspace, **fields))


@pytest.fixture
def events(database: Database, owner: Caller, workspace: dict[str, Any]) -> Any:
    """Tell of all that has happened, by type."""
    del database

    async def events() -> list[str]:
        items = (await owner.get(f"/workspaces/{workspace['id']}/changes", limit=100)).json()["items"]
        return [item["type"] for item in items]

    return events
