from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    Integer,
    Text,
    Uuid,
    bindparam,
    column,
    extract,
    func,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.actor import Actor
from glasswork.core.events import EventCounter, WorkspaceEvent
from glasswork.core.statements import AnyRow
from glasswork.features.accounts.access import Who, is_signed_in
from glasswork.features.activity.access import COLUMNS, IS_FOR_ADMINS, PROJECT_IDS, TASK_IDS, first
from glasswork.features.workspaces.access import access, memberships_of, miss
from glasswork.features.workspaces.models import Membership, Role

from .schemas import Place

_START = (
    select(access.c.role, func.coalesce(EventCounter.last_seq, 0).label("last_seq"))
    .outerjoin(EventCounter, EventCounter.workspace_id == access.c.workspace_id)
    .where(access.c.workspace_id == bindparam("workspace_id"))
)

_LOG = (
    select(
        *COLUMNS,
        IS_FOR_ADMINS.label("is_for_admins"),
        TASK_IDS.label("task_ids"),
        PROJECT_IDS.label("project_ids"),
        extract("epoch", func.clock_timestamp() - WorkspaceEvent.at).label("age"),
    )
    .outerjoin(first, true())
    .where(
        WorkspaceEvent.workspace_id == bindparam("workspace_id"), WorkspaceEvent.seq > bindparam("after_seq")
    )
    .order_by(WorkspaceEvent.seq)
    .limit(bindparam("count"))
)

_LAST = select(EventCounter.workspace_id, EventCounter.last_seq).where(
    EventCounter.workspace_id == func.any(bindparam("workspace_ids", type_=ARRAY(Uuid())))
)

_viewers = (
    func.jsonb_to_recordset(bindparam("viewers", type_=JSONB()))
    .table_valued(
        column("place", Integer()),
        column("workspace_id", Uuid()),
        column("actor_user_id", Uuid()),
        column("actor_session_id", Uuid()),
        column("actor_token_id", Uuid()),
        column("actor_token_hash", Text()),
        column("actor_scope", Text()),
        name="viewer",
    )
    .render_derived(with_types=True)
)
_VIEWER = Who(
    _viewers.c.actor_user_id,
    _viewers.c.actor_session_id,
    _viewers.c.actor_token_id,
    _viewers.c.actor_token_hash,
    _viewers.c.actor_scope,
)
_ROLES = (
    memberships_of(_VIEWER)
    .add_columns(_viewers.c.place)
    .where(Membership.workspace_id == _viewers.c.workspace_id)
)
_SIGNED_IN = select(_viewers.c.place).where(is_signed_in(_VIEWER))


class LogRepository:
    """The log as it is, and who may see what of it; of those who stay, that is asked again and again."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def start(self, actor: Actor, workspace_id: UUID) -> AnyRow:
        """Return the actor's `role`, and the `last_seq` of the workspace."""
        binds = actor.binds | {"workspace_id": workspace_id}
        row = (await self._session.execute(_START, binds)).one_or_none()
        return row if row is not None else await miss(self._session, actor, workspace_id)

    async def after(self, workspace_id: UUID, seq: int, count: int) -> Sequence[AnyRow]:
        binds = {"workspace_id": workspace_id, "after_seq": seq, "count": count}
        return (await self._session.execute(_LOG, binds)).all()

    async def last(self, workspace_ids: Collection[UUID]) -> Mapping[UUID, int]:
        rows = await self._session.execute(_LAST, {"workspace_ids": list(workspace_ids)})
        return {row.workspace_id: row.last_seq for row in rows}

    async def roles(self, places: Sequence[Place]) -> Mapping[Place, Role]:
        """Return the roles of those who may still look, in one statement however many they are."""
        rows = await self._session.execute(_ROLES, _viewers_of(places))
        return {places[row.place]: row.role for row in rows}

    async def signed_in(self, places: Sequence[Place]) -> set[Actor]:
        """Return those whose session or API token stands."""
        return {places[place][1] for place in await self._session.scalars(_SIGNED_IN, _viewers_of(places))}


def _viewers_of(places: Sequence[Place]) -> dict[str, Any]:
    viewers = [
        {name: value and str(value) for name, value in actor.binds.items()}
        | {"place": place, "workspace_id": str(workspace_id)}
        for place, (workspace_id, actor) in enumerate(places)
    ]
    return {"viewers": viewers}
