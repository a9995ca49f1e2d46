"""Archives that are ordered and downloaded, and loaded elsewhere."""

from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

from fastapi import FastAPI
from uuid_utils.compat import uuid7

from glasswork.commands import import_archive
from glasswork.core.actor import Actor
from glasswork.core.db import Database
from glasswork.core.tokens import issue_access_token
from glasswork.features.accounts.models import UserSession
from glasswork.features.archives.jobs import MAKE_ARCHIVE
from glasswork.features.restoring.schemas import RestoreReport
from tests.factories.callers import Caller, Callers
from tests.factories.work import work_off


async def order(owner: Caller, workspace_id: str) -> dict[str, Any]:
    answer = await owner.post(f"/workspaces/{workspace_id}/archives")
    assert answer.status_code == 201, answer.text
    archive: dict[str, Any] = answer.json()
    return archive


async def take_out(app: FastAPI, database: Database, owner: Caller, workspace_id: str) -> bytes:
    """Order an archive, have it made, and download it."""
    archive = await order(owner, workspace_id)
    await work_off(app, database, MAKE_ARCHIVE)
    made = (await owner.get(f"/archives/{archive['id']}")).json()
    assert made["status"] == "completed"
    content = (await owner.get(f"/archives/{archive['id']}/content")).content
    assert len(content) == made["size"]
    return content


async def bring_in(app: FastAPI, path: Path) -> RestoreReport:
    """As the command does, into the installation of an app."""
    return await import_archive(app.state.settings, path, lambda _, __: None)


async def same_person(callers: Callers, person: Caller, user_id: UUID | None = None) -> Caller:
    """Log somebody in at another installation."""
    actor = Actor(user_id or person.id, uuid7())
    async with callers.database.system_transaction() as session:
        session.add(UserSession(id=actor.session_id, user_id=actor.user_id, sequence=0))
    token = issue_access_token(callers.keys, actor)
    return replace(person, client=callers.client, actor=actor, token=token)
