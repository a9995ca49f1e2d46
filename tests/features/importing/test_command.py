from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import text

from glasswork.commands import import_file
from glasswork.core.errors import AppError, PermissionDeniedError
from glasswork.features.accounts.errors import UserNotFoundError
from glasswork.features.importing import service
from glasswork.features.imports.schemas import IMPORT_CREATE, ImportRead
from glasswork.features.workspaces.errors import WorkspaceNotFoundError
from glasswork.features.workspaces.models import Role
from tests.factories.callers import Callers
from tests.factories.tracker import make_workspace

pytestmark = pytest.mark.anyio

ROWS = 6


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "tasks.csv"
    path.write_text("title\n" + "".join(f"Row {number}\n" for number in range(ROWS)))
    return path


async def run(app: FastAPI, file: Path, slug: str, login: str) -> ImportRead:
    new = IMPORT_CREATE.validate_python({"format": "csv", "project_key": "OPS"})
    report, _ = await import_file(app.state.settings, new, file, slug, login, lambda _: None)
    return report


async def stored(callers: Callers) -> dict[str, Any]:
    """How many projects, tasks and imports there are, and sessions of the command that are still open."""
    statement = (
        "SELECT (SELECT count(*) FROM projects) AS projects, (SELECT count(*) FROM tasks) AS tasks,"
        " (SELECT count(*) FROM imports) AS imports, count(*) FILTER (WHERE revoked_at IS NULL) AS open"
        " FROM user_sessions WHERE user_agent = 'glasswork import'"
    )
    async with callers.database.reading() as session:
        return dict((await session.execute(text(statement))).mappings().one())


async def test_a_refusal_stores_nothing(
    committing_app: FastAPI, committing_callers: Callers, table: Path
) -> None:
    callers = committing_callers
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
            await run(committing_app, table, where, login)
        assert await stored(callers) == {"projects": 0, "tasks": 0, "imports": 0, "open": 0}
    report = await run(committing_app, table, slug, owner.email.upper())
    assert (report.status, report.tasks) == ("completed", ROWS)
    assert await stored(callers) == {"projects": 1, "tasks": ROWS, "imports": 1, "open": 0}


async def test_what_was_cut_off_is_completed(
    committing_app: FastAPI, committing_callers: Callers, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "BATCH", 2)
    owner = await committing_callers.user()
    slug = (await make_workspace(owner))["slug"]
    new = IMPORT_CREATE.validate_python({"format": "csv", "project_key": "OPS"})

    def interrupt(seen: ImportRead) -> None:
        monkeypatch.setattr("glasswork.commands.TOLD_EVERY_SECONDS", 0)
        if seen.done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await import_file(committing_app.state.settings, new, table, slug, owner.email, interrupt)
    cut_off = (await stored(committing_callers))["tasks"]
    assert 0 < cut_off < ROWS
    rest = await run(committing_app, table, slug, owner.username)
    assert (rest.tasks, rest.tasks_there) == (ROWS - cut_off, cut_off)
    assert (await stored(committing_callers))["tasks"] == ROWS
