from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import text

from glasswork.commands import import_github_archive
from glasswork.core.errors import AppError, PermissionDeniedError
from glasswork.features.accounts.errors import UserNotFoundError
from glasswork.features.imports.schemas import ImportReport
from glasswork.features.imports.service import read_github_archive
from glasswork.features.workspaces.errors import WorkspaceNotFoundError
from glasswork.features.workspaces.models import Role
from tests.factories.callers import Callers
from tests.factories.tracker import make_workspace

from .archives import encode, make_archive

pytestmark = pytest.mark.anyio

ARCHIVE = read_github_archive(encode(make_archive()))


async def run(
    app: FastAPI, slug: str, login: str, on_progress: Callable[[int], None] = lambda _: None
) -> ImportReport:
    return await import_github_archive(app.state.settings, ARCHIVE, slug, login, "OPS", on_progress)


async def stored(callers: Callers) -> dict[str, Any]:
    """How many projects, tasks and sessions of the command there are, and of these still open."""
    statement = (
        "SELECT (SELECT count(*) FROM projects) AS projects, (SELECT count(*) FROM tasks) AS tasks,"
        " count(*) AS sessions, count(*) FILTER (WHERE revoked_at IS NULL) AS open"
        " FROM user_sessions WHERE user_agent = 'glasswork import'"
    )
    async with callers.database.reading() as session:
        return dict((await session.execute(text(statement))).mappings().one())


async def test_is_stored_whole_or_not_at_all(committing_app: FastAPI, committing_callers: Callers) -> None:
    callers, nothing = committing_callers, {"projects": 0, "tasks": 0, "sessions": 0, "open": 0}
    owner, stranger = await callers.user(), await callers.user()
    slug = (await make_workspace(owner))["slug"]
    workspace_id = (await owner.get("/workspaces")).json()["items"][0]["id"]
    viewer = await callers.member(workspace_id, Role.VIEWER)
    refusals: list[tuple[type[AppError], str, str]] = [
        (UserNotFoundError, slug, "nobody@example.com"),
        (WorkspaceNotFoundError, "unknown", owner.email),
        (WorkspaceNotFoundError, slug, stranger.email),
        (PermissionDeniedError, slug, viewer.email),
    ]
    for refusal, where, login in refusals:
        with pytest.raises(refusal):
            await run(committing_app, where, login)
        assert await stored(callers) == nothing

    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await run(committing_app, slug, owner.email, interrupt)
    assert await stored(callers) == nothing

    first = await run(committing_app, slug, owner.email.upper())
    again = await run(committing_app, slug, owner.username)
    assert (first.imported, again.imported) == (3, 0)
    assert await stored(callers) == {"projects": 1, "tasks": 3, "sessions": 2, "open": 0}
