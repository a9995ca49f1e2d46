from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, Uuid, bindparam, column, func, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.events import EventCounter, WorkspaceEvent
from glasswork.core.statements import AnyRow
from glasswork.features.activity.access import COLUMNS

_LAST = select(EventCounter.workspace_id, EventCounter.last_seq)

_seen = (
    func.unnest(bindparam("workspace_ids", type_=ARRAY(Uuid())), bindparam("seqs", type_=ARRAY(BigInteger())))
    .table_valued(column("workspace_id", Uuid()), column("seq", BigInteger()), name="seen")
    .render_derived()
)
_next = (
    select(*COLUMNS, WorkspaceEvent.workspace_id, WorkspaceEvent.id, WorkspaceEvent.traceparent)
    .where(WorkspaceEvent.workspace_id == _seen.c.workspace_id, WorkspaceEvent.seq > _seen.c.seq)
    .order_by(WorkspaceEvent.seq)
    .limit(bindparam("count"))
    .lateral("next")
)
_AFTER = select(_next).select_from(_seen).join(_next, true()).order_by(_next.c.workspace_id, _next.c.seq)


class LogRepository:
    """The log of all workspaces, for who may see everything."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def last(self) -> Mapping[UUID, int]:
        """Return the number of the last event of each workspace."""
        return {row.workspace_id: row.last_seq for row in await self._session.execute(_LAST)}

    async def after(self, seen: Mapping[UUID, int], count: int) -> Sequence[AnyRow]:
        """Return the events that follow those that were seen, at most `count` of each workspace."""
        binds = {"workspace_ids": list(seen), "seqs": list(seen.values()), "count": count}
        return (await self._session.execute(_AFTER, binds)).all()
