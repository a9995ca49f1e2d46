# ruff: noqa: S608 (the SQL is made of the names of our own tables)

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Table, func, insert, or_, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.db import BE_PATIENT
from glasswork.core.events import InstallationEvent
from glasswork.core.statements import AnyRow
from glasswork.features.accounts.models import User
from glasswork.features.archives.events import ArchiveImported
from glasswork.features.archives.schemas import ArchivedUser
from glasswork.features.unpacking.errors import UnreadableArchiveError
from glasswork.features.workspaces.models import Workspace

from .errors import RowThereError

Line = tuple[int, str]
"""Its number, and the JSON object that it holds."""

_COUNT = text("""
    INSERT INTO event_counters (workspace_id, last_seq)
    SELECT workspace_id, max(seq) FROM workspace_events WHERE workspace_id = :workspace_id
    GROUP BY workspace_id
""")
_TAKEN = "23505"
_UNFIT = ("22", "23")


class RestoreRepository:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def find_workspace(self, workspace_id: UUID) -> Workspace | None:
        return await self._session.get(Workspace, workspace_id)

    async def is_slug_taken(self, slug: str) -> bool:
        statement = select(Workspace.id).where(Workspace.slug == slug, Workspace.deleted_at.is_(None))
        return (await self._session.execute(statement)).first() is not None

    async def has_come(self, workspace_id: UUID, sha256: str) -> bool:
        """Whether the workspace was loaded of the file with this hash."""
        statement = select(InstallationEvent.id).where(
            InstallationEvent.type == ArchiveImported.type,
            InstallationEvent.subject_id == workspace_id,
            InstallationEvent.after["sha256"].astext == sha256,
        )
        return (await self._session.execute(statement)).first() is not None

    async def be_patient(self) -> None:
        """Let the transaction wait while the archive is read."""
        await self._session.execute(BE_PATIENT)

    async def find_users(self, users: Collection[ArchivedUser]) -> Sequence[AnyRow]:
        """Return `id` and `email`, in small letters, of those who have the id or the address of one."""
        email = func.lower(User.email)
        statement = select(User.id, email.label("email")).where(
            or_(User.id.in_([user.id for user in users]), email.in_([user.email.lower() for user in users]))
        )
        return (await self._session.execute(statement)).all()

    async def is_username_taken(self, username: str) -> bool:
        statement = select(User.id).where(func.lower(User.username) == username.lower())
        return (await self._session.execute(statement)).first() is not None

    async def add_user(self, user: ArchivedUser, username: str) -> User:
        """As they were, and without a password."""
        values = user.model_dump() | {"username": username, "version": 1}
        return (await self._session.scalars(insert(User).values(values).returning(User))).one()

    async def load(self, table: Table, names: Collection[str], entry: str, lines: Sequence[Line]) -> None:
        """Add the rows of a table, whose columns `names` are in the lines; the others take their defaults.

        Raises UnreadableArchiveError, and RowThereError, with the first line that does not fit.
        """
        columns = [column.name for column in table.columns if column.name in names]
        loaded = func.jsonb_populate_recordset(
            text(f"NULL::{table.name}"), text("CAST(:rows AS jsonb)")
        ).table_valued(*columns, name="loaded")
        statement = insert(table).from_select(columns, select(*(loaded.c[name] for name in columns)))
        await self._try(statement, entry, lines)

    async def link(self, table: Table, name: str, entry: str, lines: Sequence[Line]) -> None:
        """Let rows that are there refer to others of their table by the column `name`."""
        statement = text(f"""
            UPDATE {table.name} AS kept SET {name} = loaded.{name}
            FROM jsonb_populate_recordset(NULL::{table.name}, CAST(:rows AS jsonb)) AS loaded
            WHERE kept.workspace_id = loaded.workspace_id AND kept.id = loaded.id
        """)
        await self._try(statement, entry, lines)

    async def count_events(self, workspace_id: UUID) -> None:
        """Let the next event follow on the last one."""
        await self._session.execute(_COUNT, {"workspace_id": workspace_id})

    async def _try(self, statement: Any, entry: str, lines: Sequence[Line]) -> None:
        """Where not all of them fit, find the first one that does not, half by half."""
        try:
            async with self._session.begin_nested():
                rows = f"[{','.join(row for _, row in lines)}]"
                await self._session.execute(statement, {"rows": rows})
        except DBAPIError as error:
            state = getattr(error.orig, "sqlstate", None) or ""
            if not state.startswith(_UNFIT):
                raise
            if len(lines) > 1:
                half = len(lines) // 2
                await self._try(statement, entry, lines[:half])
                await self._try(statement, entry, lines[half:])
                return
            place = f"{entry}, line {lines[0][0]}"
            if state == _TAKEN:
                raise RowThereError(place) from error
            raise UnreadableArchiveError(f"{place}: does not fit its table") from error
