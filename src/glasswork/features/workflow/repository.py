from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    Text,
    Uuid,
    and_,
    case,
    delete,
    func,
    insert,
    literal,
    select,
    type_coerce,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from glasswork.core.actor import Actor
from glasswork.core.paging import Page, PageQuery, SortKey, fetch_page
from glasswork.core.schemas import Int32
from glasswork.core.statements import AnyRow
from glasswork.features.accounts.access import ensure_signed_in
from glasswork.features.projects.access import access, lock_projects
from glasswork.features.projects.models import Status, Transition

from .errors import StatusNotFoundError

_Following = aliased(Status)
_NEXT = type_coerce(
    func.array(
        select(_Following.key)
        .join(
            Transition,
            and_(Transition.workspace_id == _Following.workspace_id, Transition.to_id == _Following.id),
        )
        .where(
            Transition.workspace_id == Status.workspace_id,
            Transition.project_id == Status.project_id,
            Transition.from_id == Status.id,
        )
        # Not by position, which may change without this status.
        .order_by(_Following.key.collate("C"))
        .scalar_subquery()
    ),
    ARRAY(Text()),
)
_STATUSES = select(
    Status.id,
    Status.workspace_id,
    Status.project_id,
    Status.key,
    Status.name,
    Status.category,
    Status.color,
    Status.position,
    case((Status.is_restricted, _NEXT)).label("next"),
    Status.version,
    Status.created_at,
    Status.updated_at,
)
_SEEN = _STATUSES.join(access, access.c.project_id == Status.project_id)
_SORT_KEYS = {"position": SortKey.of(Status.position, Int32)}


class StatusRepository:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def page(self, actor: Actor, project_id: UUID, query: PageQuery) -> Page[AnyRow]:
        statement = _SEEN.where(Status.project_id == project_id)
        return await fetch_page(self._session, statement, query, _SORT_KEYS, Status.id, actor.binds)

    async def get(self, actor: Actor, status_id: UUID) -> AnyRow:
        """It, and the actor's `role` there."""
        statement = _SEEN.add_columns(access.c.role).where(Status.id == status_id)
        row = (await self._session.execute(statement, actor.binds)).one_or_none()
        if row is None:
            await ensure_signed_in(self._session, actor)
            raise StatusNotFoundError(status_id)
        return row

    async def lock_all(self, workspace_id: UUID, project_id: UUID) -> Sequence[AnyRow]:
        """Let nobody else change the project's statuses; return them in order, or none if it has gone."""
        standing = await lock_projects(self._session, workspace_id, [project_id])
        return await self.all(project_id) if standing else []

    async def all(self, project_id: UUID) -> Sequence[AnyRow]:
        statement = _STATUSES.where(Status.project_id == project_id).order_by(Status.position)
        return (await self._session.execute(statement)).all()

    async def next_ids(self, status: AnyRow) -> set[UUID]:
        """What may follow a restricted status."""
        statement = select(Transition.to_id).where(
            Transition.workspace_id == status.workspace_id,
            Transition.project_id == status.project_id,
            Transition.from_id == status.id,
        )
        return set((await self._session.scalars(statement)).all())

    async def add(self, status: Status) -> None:
        self._session.add(status)
        await self._session.flush()

    async def set_next(self, status: AnyRow | Status, next_ids: Collection[UUID] | None) -> None:
        await self._session.execute(
            delete(Transition).where(
                Transition.workspace_id == status.workspace_id,
                Transition.project_id == status.project_id,
                Transition.from_id == status.id,
            )
        )
        if next_ids:
            origin = {
                "workspace_id": status.workspace_id,
                "project_id": status.project_id,
                "from_id": status.id,
            }
            await self._session.execute(insert(Transition), [origin | {"to_id": to_id} for to_id in next_ids])
        await self.change(status.id, {"is_restricted": next_ids is not None})

    async def change(self, status_id: UUID, fields: Mapping[str, Any]) -> None:
        """Without a new version, which `arrange` gives."""
        await self._session.execute(
            update(Status)
            .where(Status.id == status_id)
            .values(**fields)
            .execution_options(synchronize_session=False)
        )

    async def arrange(self, order: Sequence[UUID], changed: Collection[UUID]) -> None:
        """Number the statuses in this order; those that have changed get a new version."""
        place = func.array_position(literal(list(order), ARRAY(Uuid())), Status.id) - 1
        await self._session.execute(
            update(Status)
            .where(Status.id.in_(changed))
            .values(position=place, version=Status.version + 1, updated_at=func.now())
            .execution_options(synchronize_session=False)
        )

    async def remove(self, status: AnyRow) -> None:
        await self._session.execute(delete(Status).where(Status.id == status.id))
