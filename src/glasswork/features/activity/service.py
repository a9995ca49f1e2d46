from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.actor import Actor
from glasswork.core.db import AnyRow
from glasswork.features.workspaces.access import role_in

from .repository import ChangeRepository
from .schemas import ChangePage, ChangeQuery, ChangeRead, Subject


class ChangeService:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session
        self._changes = ChangeRepository(session)

    async def page(self, actor: Actor, workspace_id: UUID, query: ChangeQuery) -> ChangePage:
        seen = int(query.cursor or 0)
        rows = await self._changes.after(actor, workspace_id, seen, query.limit)
        if not rows:
            await role_in(self._session, actor, workspace_id)
        items = [change_of(row) for row in rows]
        return ChangePage(items=items, next_cursor=str(items[-1].seq if items else seen))


def change_of(row: AnyRow) -> ChangeRead:
    """Show a row of `COLUMNS`."""
    return ChangeRead(
        seq=row.seq,
        type=row.type,
        subject=Subject(type=row.type.partition(".")[0], id=row.subject_id),
        actor_id=row.actor_id,
        request_id=row.request_id,
        at=row.at,
        before=row.before,
        after=row.after,
    )
