from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import text

from glasswork.commands import import_github_archive
from glasswork.core.errors import AppError, PermissionDeniedError
from glasswork.features.accounts.errors import UserNotFoundError
from glasswork.features.imports.schemas import ImportReport
from glasswork.features.imports.service import BATCH, read_github_archive
from glasswork.features.workspaces.errors import WorkspaceNotFoundError
from glasswork.features.workspaces.models import Role
from tests.factories.callers import Callers
from tests.factories.tracker import make_workspace

from .archives import encode, make_archive, make_issue

pytestmark = pytest.mark.anyio


async def run(
    app: FastAPI,
    slug: str,
    login: str,
    on_progress: Callable[[int], None] = lambda _: None,
    archive: dict[str, Any] | None = None,
) -> ImportReport:
    parsed = read_github_archive(encode(archive or make_archive()))
    return await import_github_archive(app.state.settings, parsed, slug, login, "OPS", on_progress)


async def stored(callers: Callers) -> dict[str, Any]:
    """How many projects and tasks there are, and sessions of the command that are still open."""
    statement = (
        "SELECT (SELECT count(*) FROM projects) AS projects, (SELECT count(*) FROM tasks) AS tasks,"
        " count(*) FILTER (WHERE revoked_at IS NULL) AS open"
        " FROM user_sessions WHERE user_agent = 'glasswork import'"
    )
    async with callers.database.reading() as session:
        return dict((await session.execute(text(statement))).mappings().one())


async def test_a_refusal_stores_nothing(committing_app: FastAPI, committing_callers: Callers) -> None:
    callers, nothing = committing_callers, {"projects": 0, "tasks": 0, "open": 0}
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


async def test_what_was_cut_off_is_completed(committing_app: FastAPI, committing_callers: Callers) -> None:
    owner = await committing_callers.user()
    slug = (await make_workspace(owner))["slug"]
    archive = make_archive()
    archive["issues"] = [make_issue(number) for number in range(1, 2 * BATCH + 2)]
    archive["pulls"] = []

    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await run(committing_app, slug, owner.email, interrupt, archive)
    assert await stored(committing_callers) == {"projects": 1, "tasks": BATCH, "open": 0}
    rest = await run(committing_app, slug, owner.email.upper(), archive=archive)
    assert (rest.imported, rest.already_there) == (BATCH + 1, BATCH)
    again = await run(committing_app, slug, owner.username, archive=archive)
    assert (again.imported, again.already_there) == (0, 2 * BATCH + 1)
    assert await stored(committing_callers) == {"projects": 1, "tasks": 2 * BATCH + 1, "open": 0}
