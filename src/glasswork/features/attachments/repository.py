from typing import Any
from uuid import UUID

from pydantic import AwareDatetime
from sqlalchemy import Row, and_, bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.actor import Actor
from glasswork.core.paging import Page, PageQuery, SortKey, fetch_page
from glasswork.core.statements import AnyRow
from glasswork.features.accounts.access import ensure_signed_in
from glasswork.features.projects.access import access
from glasswork.features.projects.models import Project
from glasswork.features.tasks.models import Task
from glasswork.features.workspaces.access import access as workspace_access
from glasswork.features.workspaces.models import Role, Workspace

from .errors import AttachmentNotFoundError
from .models import Attachment

_COLUMNS: tuple[Any, ...] = (
    Attachment.id,
    Attachment.workspace_id,
    Attachment.task_id,
    Attachment.name,
    Attachment.size,
    Attachment.sha256,
    Attachment.media_type,
    Attachment.thumbnail_id.is_not(None).label("has_thumbnail"),
    Attachment.version,
    Attachment.created_by,
    Attachment.created_at,
    Attachment.updated_at,
    Attachment.object_id,
    Attachment.thumbnail_id,
    Attachment.thumbnail_size,
)
_OF_TASK = and_(Task.workspace_id == Attachment.workspace_id, Task.id == Attachment.task_id)
_ATTACHMENTS = (
    select(*_COLUMNS)
    .join(Task, _OF_TASK)
    .join(access, access.c.project_id == Task.project_id)
    .where(Task.deleted_at.is_(None))
)
_ATTACHMENT = _ATTACHMENTS.where(Attachment.id == bindparam("attachment_id"))
_LINKED = (
    select(*_COLUMNS)
    .join(Task, _OF_TASK)
    .join(Project, and_(Project.workspace_id == Task.workspace_id, Project.id == Task.project_id))
    .join(Workspace, Workspace.id == Task.workspace_id)
    .where(
        Task.deleted_at.is_(None),
        Project.deleted_at.is_(None),
        Workspace.deleted_at.is_(None),
        Attachment.id == bindparam("attachment_id"),
    )
)
"""For whoever has a link."""
_SORT_KEYS = {
    "name": SortKey.of(Attachment.name.collate("C"), str),
    "size": SortKey.of(Attachment.size, int),
    "created_at": SortKey.of(Attachment.created_at, AwareDatetime),
}


class AttachmentRepository:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def get(self, actor: Actor, attachment_id: UUID) -> AnyRow:
        binds = actor.binds | {"attachment_id": attachment_id}
        row = (await self._session.execute(_ATTACHMENT, binds)).one_or_none()
        if row is None:
            await ensure_signed_in(self._session, actor)
            raise AttachmentNotFoundError(attachment_id)
        return row

    async def find_linked(self, attachment_id: UUID) -> AnyRow | None:
        return (await self._session.execute(_LINKED, {"attachment_id": attachment_id})).one_or_none()

    async def page(self, actor: Actor, task_id: UUID, query: PageQuery) -> Page[AnyRow]:
        statement = _ATTACHMENTS.where(Attachment.task_id == task_id)
        return await fetch_page(self._session, statement, query, _SORT_KEYS, Attachment.id, actor.binds)

    async def lock(self, actor: Actor, attachment_id: UUID) -> Row[Attachment, Role]:
        statement = (
            select(Attachment, workspace_access.c.role)
            .join(workspace_access, workspace_access.c.workspace_id == Attachment.workspace_id)
            .where(Attachment.id == attachment_id)
            .with_for_update(of=Attachment)
        )
        row = (await self._session.execute(statement, actor.binds)).one_or_none()
        if row is None:
            raise AttachmentNotFoundError(attachment_id)
        return row

    async def find(self, attachment_id: UUID) -> Attachment | None:
        """Whoever may see it."""
        statement = select(Attachment).where(Attachment.id == attachment_id)
        return (await self._session.scalars(statement)).one_or_none()

    async def find_locked(self, attachment_id: UUID) -> Attachment | None:
        statement = select(Attachment).where(Attachment.id == attachment_id).with_for_update()
        return (await self._session.scalars(statement)).one_or_none()

    async def flush(self) -> None:
        await self._session.flush()

    async def delete(self, attachment: Attachment) -> None:
        await self._session.delete(attachment)
        await self._session.flush()
