from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.actor import Actor
from glasswork.core.db import AnyRow
from glasswork.core.events import WorkspaceEvent
from glasswork.features.workspaces.access import access
from glasswork.features.workspaces.models import Role

from .access import COLUMNS, IS_FOR_ADMINS

_CHANGES = (
    select(*COLUMNS)
    .join(access, access.c.workspace_id == WorkspaceEvent.workspace_id)
    .where(or_(access.c.role.in_([Role.ADMIN, Role.OWNER]), ~IS_FOR_ADMINS))
    .order_by(WorkspaceEvent.seq)
)


class ChangeRepository:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def after(self, actor: Actor, workspace_id: UUID, seq: int, limit: int) -> Sequence[AnyRow]:
        statement = _CHANGES.where(WorkspaceEvent.workspace_id == workspace_id, WorkspaceEvent.seq > seq)
        return (await self._session.execute(statement.limit(limit), actor.binds)).all()
