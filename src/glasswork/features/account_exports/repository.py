"""What is kept about one person, by the names that the export gives it."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select

from glasswork.core.db import Database
from glasswork.core.paging import PageQuery, SortKey, fetch_page
from glasswork.core.statements import AnyRow

from .access import STATEMENTS, WORKSPACES

BATCH = 100

_IN_WORKSPACES = {"tasks": True, "tasks_elsewhere": False}
"""In those where the person is a member, or in the others."""


class ExportRepository:
    """Each batch is a statement for itself: a slow reader holds neither a connection nor a snapshot."""

    def __init__(self, database: Database, user_id: UUID, email: str) -> None:
        self._database = database
        self._binds: dict[str, Any] = {"user_id": user_id, "email": email}

    async def now(self) -> datetime:
        async with self._database.reading() as session:
            return (await session.execute(select(func.now()))).scalar_one()

    async def batches(self, name: str) -> AsyncIterator[Sequence[AnyRow]]:
        """Yield at most `BATCH` rows at a time."""
        if name not in _IN_WORKSPACES:
            async for rows in self._pages(name, self._binds):
                yield rows
            return
        async with self._database.reading() as session:
            workspaces = (await session.execute(WORKSPACES, self._binds)).all()
        for workspace_id in (
            each.workspace_id for each in workspaces if each.is_inside is _IN_WORKSPACES[name]
        ):
            async for rows in self._pages(name, self._binds | {"in_workspace": workspace_id}):
                yield rows

    async def _pages(self, name: str, binds: dict[str, Any]) -> AsyncIterator[Sequence[AnyRow]]:
        statement, key = STATEMENTS[name]
        keys = {"key": SortKey.of(key, key.type.python_type)}
        query: PageQuery | None = PageQuery(limit=BATCH, sort="key", cursor=None, total=False)
        while query is not None:
            async with self._database.reading() as session:
                page = await fetch_page(session, statement, query, keys, key, binds)
            yield page.items
            cursor = page.next_cursor
            query = query.model_copy(update={"cursor": cursor}) if cursor else None
