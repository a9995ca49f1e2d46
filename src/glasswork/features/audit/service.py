from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.actor import Actor
from glasswork.core.errors import require
from glasswork.core.paging import Page
from glasswork.core.statements import AnyRow
from glasswork.features.accounts.access import require_admin
from glasswork.features.workspaces.access import role_in

from . import policy
from .repository import AuditRepository
from .schemas import AuditActor, AuditQuery, AuditRead, AuditSubject, Via, WorkspaceAuditRead


class AuditService:
    """Who did what, from where: the events as those see them who answer for others."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session
        self._audit = AuditRepository(session)

    async def page_of_workspace(
        self, actor: Actor, workspace_id: UUID, query: AuditQuery
    ) -> Page[WorkspaceAuditRead]:
        require(policy.can_audit(await role_in(self._session, actor, workspace_id)))
        page = await self._audit.page_of_workspace(actor, workspace_id, query)
        items = [WorkspaceAuditRead(**_fields(row), seq=row.seq) for row in page.items]
        return Page(items, page.next_cursor, page.total)

    async def page_of_installation(self, actor: Actor, query: AuditQuery) -> Page[AuditRead]:
        await require_admin(self._session, actor)
        page = await self._audit.page_of_installation(actor, query)
        return Page([AuditRead(**_fields(row)) for row in page.items], page.next_cursor, page.total)


def _fields(row: AnyRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "at": row.at,
        "type": row.type,
        "actor": row.actor_id and AuditActor(id=row.actor_id, name=row.actor_name),
        "via": _via(row),
        "request_id": row.request_id,
        "subject": AuditSubject(type=row.type.partition(".")[0], id=row.subject_id),
        "before": row.before,
        "after": row.after,
    }


def _via(row: AnyRow) -> Via:
    if row.api_token_id is not None:
        return Via(kind="api_token", id=row.api_token_id, name=row.api_token_name)
    if row.session_id is not None:
        return Via(kind="session", id=row.session_id, name=None)
    return Via(kind="system", id=None, name=None)
