from collections.abc import AsyncIterator, Sequence
from typing import Any, Final
from uuid import UUID

from pydantic import AwareDatetime
from sqlalchemy import (
    Column,
    ColumnElement,
    Row,
    String,
    Table,
    Text,
    bindparam,
    cast,
    func,
    literal,
    select,
    true,
    tuple_,
)
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.actor import Actor
from glasswork.core.events import WorkspaceEvent
from glasswork.core.models import Base
from glasswork.core.paging import Page, PageQuery, SortKey, fetch_page
from glasswork.core.statements import AnyRow
from glasswork.features.accounts.access import ensure_signed_in
from glasswork.features.accounts.models import User
from glasswork.features.announcements.models import Announcement, AnnouncementStatus
from glasswork.features.attachments.models import Attachment
from glasswork.features.notifications.models import Notification, Preference
from glasswork.features.workspaces.access import access, lock_workspace
from glasswork.features.workspaces.models import Membership, Role, Workspace

from .errors import ArchiveNotFoundError
from .events import OWN_EVENTS
from .models import UNDER_WAY, Archive, archived_columns, workspace_key
from .schemas import ArchivedUser

BATCH: Final = 200
FILE_COLUMNS: Final = ("id", "object_id", "size", "sha256", "thumbnail_id", "thumbnail_size")

_ARCHIVES = select(
    Archive.id,
    Archive.workspace_id,
    Archive.status,
    Archive.size,
    Archive.sha256,
    Archive.object_id,
    Archive.version,
    Archive.created_by,
    Archive.created_at,
    Archive.updated_at,
    Archive.expires_at,
    access.c.role,
).join(access, access.c.workspace_id == Archive.workspace_id)
_SORT_KEYS = {"created_at": SortKey.of(Archive.created_at, AwareDatetime)}

_USERS = Base.metadata.tables[User.__tablename__]
_ATTACHMENTS = Base.metadata.tables[Attachment.__tablename__]
_WORKSPACE_ID: ColumnElement[UUID] = bindparam("in_workspace", type_=Workspace.id.type)
_MEMBERS = select(Membership.user_id).where(Membership.workspace_id == _WORKSPACE_ID)
_LAST_SEQ = (
    select(func.max(WorkspaceEvent.seq))
    .where(WorkspaceEvent.workspace_id == _WORKSPACE_ID, WorkspaceEvent.type.not_in(OWN_EVENTS))
    .scalar_subquery()
)
_ONLY: Final[dict[str, ColumnElement[bool]]] = {
    # Whoever was invited and has not come is none of the workspace's people.
    Notification.__tablename__: Notification.user_id.in_(_MEMBERS),
    Preference.__tablename__: Preference.user_id.in_(_MEMBERS),
    # What is being sent is for the installation that sends it.
    Announcement.__tablename__: Announcement.status == AnnouncementStatus.SENT,
    # Else each archive would begin with news of itself; between others they stay, and `seq` has no gap.
    WorkspaceEvent.__tablename__: WorkspaceEvent.seq <= _LAST_SEQ,
}
"""Of which rows alone an archive tells."""


class ArchiveRepository:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def get(self, actor: Actor, archive_id: UUID) -> AnyRow:
        """It, and the actor's `role` there."""
        statement = _ARCHIVES.where(Archive.id == archive_id)
        row = (await self._session.execute(statement, actor.binds)).one_or_none()
        if row is None:
            await ensure_signed_in(self._session, actor)
            raise ArchiveNotFoundError(archive_id)
        return row

    async def page(self, actor: Actor, workspace_id: UUID, query: PageQuery) -> Page[AnyRow]:
        statement = _ARCHIVES.where(Archive.workspace_id == workspace_id)
        return await fetch_page(self._session, statement, query, _SORT_KEYS, Archive.id, actor.binds)

    async def lock_workspace(self, actor: Actor, workspace_id: UUID) -> Role:
        """Return the actor's role."""
        return (await lock_workspace(self._session, actor, workspace_id))[1]

    async def find_under_way(self, workspace_id: UUID) -> UUID | None:
        statement = select(Archive.id).where(
            Archive.workspace_id == workspace_id, Archive.status.in_(UNDER_WAY)
        )
        return (await self._session.scalars(statement.limit(1))).one_or_none()

    async def lock(self, actor: Actor, archive_id: UUID) -> Row[Archive, Role]:
        statement = (
            select(Archive, access.c.role)
            .join(access, access.c.workspace_id == Archive.workspace_id)
            .where(Archive.id == archive_id)
            .with_for_update(of=Archive)
        )
        row = (await self._session.execute(statement, actor.binds)).one_or_none()
        if row is None:
            await ensure_signed_in(self._session, actor)
            raise ArchiveNotFoundError(archive_id)
        return row

    async def find_locked(self, archive_id: UUID) -> Archive | None:
        """For whoever makes it."""
        statement = select(Archive).where(Archive.id == archive_id).with_for_update()
        return (await self._session.scalars(statement)).one_or_none()

    async def add(self, archive: Archive) -> None:
        self._session.add(archive)
        await self._session.flush()

    async def delete(self, archive: Archive) -> None:
        await self._session.delete(archive)
        await self._session.flush()


class ContentRepository:
    """What there is in a workspace, in the order of the keys, a batch at a time; whoever may see it."""

    def __init__(self, session: AsyncSession, workspace_id: UUID) -> None:
        self._session = session
        self._binds = {"in_workspace": workspace_id}

    async def slug(self) -> str:
        statement = select(Workspace.slug).where(Workspace.id == _WORKSPACE_ID)
        return (await self._session.execute(statement, self._binds)).scalar_one()

    async def rows(self, table: Table) -> AsyncIterator[Sequence[str]]:
        """Yield them as JSON objects."""
        is_ours = (workspace_key(table) == _WORKSPACE_ID) & _ONLY.get(table.name, true())
        async for batch in self._batches(archived_columns(table), list(table.primary_key), is_ours):
            yield [row.json for row in batch]

    async def users(self) -> AsyncIterator[Sequence[str]]:
        """Yield the people whom the rows name, as JSON objects."""
        columns = [_USERS.c[name] for name in ArchivedUser.model_fields]
        async for batch in self._batches(columns, [_USERS.c.id], User.id.in_(_MEMBERS)):
            yield [row.json for row in batch]

    async def files(self) -> AsyncIterator[AnyRow]:
        """Yield of each attachment what it is, and where its bytes lie."""
        columns = [_ATTACHMENTS.c[name] for name in FILE_COLUMNS]
        is_ours = _ATTACHMENTS.c.workspace_id == _WORKSPACE_ID
        async for batch in self._batches(columns, [_ATTACHMENTS.c.id], is_ours):
            for row in batch:
                yield row

    async def _batches(
        self, columns: Sequence[Column[Any]], key: Sequence[Column[Any]], condition: ColumnElement[bool]
    ) -> AsyncIterator[Sequence[AnyRow]]:
        """Yield rows with all columns, and as `json`."""
        page = select(*columns).where(condition).order_by(*_in_order(key)).limit(BATCH)
        last: Sequence[Any] | None = None
        while True:
            behind = true() if last is None else tuple_(*_in_order(key)) > tuple_(*last)
            kept = page.where(behind).subquery("kept")
            json = cast(func.row_to_json(kept.table_valued()), Text).label("json")
            statement = select(kept, json).order_by(*_in_order([kept.c[each.name] for each in key]))
            rows = (await self._session.execute(statement, self._binds)).all()
            if rows:
                yield rows
            if len(rows) < BATCH:
                return
            last = [literal(getattr(rows[-1], each.name), each.type) for each in key]


def _in_order(key: Sequence[ColumnElement[Any]]) -> list[ColumnElement[Any]]:
    """Text as its code points are: a collation of the database's own would sort elsewhere in another way."""
    return [each.collate("C") if isinstance(each.type, String) else each for each in key]
