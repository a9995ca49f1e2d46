from collections.abc import Collection, Sequence
from uuid import UUID

from pydantic import AwareDatetime
from sqlalchemy import (
    JSON,
    Row,
    Text,
    and_,
    bindparam,
    case,
    cast,
    func,
    or_,
    select,
    type_coerce,
    union_all,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from glasswork.core.actor import Actor
from glasswork.core.db import violated_constraint
from glasswork.core.paging import Page, PageQuery, SortKey, fetch_page
from glasswork.core.statements import AnyRow
from glasswork.features.projects.access import access
from glasswork.features.projects.models import Project, Status
from glasswork.features.tasks.access import TASKS, lock_tasks, task_brief, task_key
from glasswork.features.tasks.models import Task
from glasswork.features.workspaces.access import access as workspace_access
from glasswork.features.workspaces.models import Role

from .errors import RelationExistsError, RelationNotFoundError
from .models import Kind, Relation
from .schemas import Side

_INVERSE = {Kind.BLOCKS.value: Side.BLOCKED_BY.value, Kind.DUPLICATES.value: Side.DUPLICATED_BY.value}
_kind = cast(Relation.kind, Text)
_common = (
    Relation.workspace_id,
    Relation.id,
    Relation.version,
    Relation.created_at,
    Relation.updated_at,
)
_sides = union_all(
    select(
        *_common, _kind.label("kind"), Relation.from_id.label("task_id"), Relation.to_id.label("other_id")
    ),
    select(
        *_common,
        case(_INVERSE, value=_kind, else_=_kind).label("kind"),
        Relation.to_id.label("task_id"),
        Relation.from_id.label("other_id"),
    ),
).subquery("sides")
_Asked, _Home = aliased(Task), aliased(Project)
_RELATIONS = (
    select(
        _sides.c.id,
        _sides.c.workspace_id,
        _sides.c.kind,
        _sides.c.version,
        _sides.c.created_at,
        _sides.c.updated_at,
        type_coerce(
            task_brief(access.c.key, status=Status.key),
            JSON,
        ).label("task"),
    )
    .select_from(_sides)
    .join(_Asked, and_(_Asked.workspace_id == _sides.c.workspace_id, _Asked.id == _sides.c.task_id))
    .join(_Home, and_(_Home.workspace_id == _Asked.workspace_id, _Home.id == _Asked.project_id))
    .join(Task, and_(Task.workspace_id == _sides.c.workspace_id, Task.id == _sides.c.other_id))
    .join(access, access.c.project_id == Task.project_id)
    .join(Status, and_(Status.workspace_id == Task.workspace_id, Status.id == Task.status_id))
    .where(_Asked.deleted_at.is_(None), _Home.deleted_at.is_(None), Task.deleted_at.is_(None))
)
"""Of a task that stands to tasks that do, from its side."""
_SORT_KEYS = {"created_at": SortKey.of(_sides.c.created_at, AwareDatetime)}

_blocks = (
    select(Relation.workspace_id, Relation.from_id, Relation.to_id)
    .where(Relation.from_id == bindparam("task_id"), Relation.kind == Kind.BLOCKS)
    .cte("blocks", recursive=True)
)
_Next = aliased(Relation)
_blocks = _blocks.union(
    select(_Next.workspace_id, _Next.from_id, _Next.to_id).join(
        _blocks,
        and_(
            _Next.workspace_id == _blocks.c.workspace_id,
            _Next.from_id == _blocks.c.to_id,
            _Next.kind == Kind.BLOCKS,
        ),
    )
)
_BLOCKED = select(_blocks.c.from_id, _blocks.c.to_id)


class RelationRepository:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def get(self, actor: Actor, task_id: UUID, relation_id: UUID) -> AnyRow:
        row = await self.find(actor, task_id, relation_id)
        if row is None:
            raise RelationNotFoundError(relation_id)
        return row

    async def find(self, actor: Actor, task_id: UUID, relation_id: UUID) -> AnyRow | None:
        statement = _RELATIONS.where(_sides.c.task_id == task_id, _sides.c.id == relation_id)
        return (await self._session.execute(statement, actor.binds)).one_or_none()

    async def page(self, actor: Actor, task_id: UUID, query: PageQuery) -> Page[AnyRow]:
        statement = _RELATIONS.where(_sides.c.task_id == task_id)
        return await fetch_page(self._session, statement, query, _SORT_KEYS, _sides.c.id, actor.binds)

    async def lock_tasks(self, actor: Actor, task_ids: Collection[UUID]) -> dict[UUID, Role]:
        """Lock them in one order; return the actor's role in the workspace of each that is there."""
        return {task.id: role for task, role, _ in await lock_tasks(self._session, actor, task_ids)}

    async def find_standing(self, actor: Actor, workspace_id: UUID, task_id: UUID) -> AnyRow | None:
        statement = TASKS.where(Task.workspace_id == workspace_id, Task.id == task_id)
        return (await self._session.execute(statement, actor.binds)).one_or_none()

    async def lock(self, actor: Actor, relation_id: UUID) -> Row[Relation, Role]:
        statement = (
            select(Relation, workspace_access.c.role)
            .join(workspace_access, workspace_access.c.workspace_id == Relation.workspace_id)
            .where(Relation.id == relation_id)
            .with_for_update(of=Relation)
        )
        row = (await self._session.execute(statement, actor.binds)).one_or_none()
        if row is None:
            raise RelationNotFoundError(relation_id)
        return row

    async def lock_blocks(self, workspace_id: UUID) -> None:
        """Until the commit nobody else adds to what blocks what in the workspace."""
        key = func.hashtextextended(f"blocks {workspace_id}", 0)
        await self._session.execute(select(func.pg_advisory_xact_lock(key)))

    async def blocked_by(self, task_id: UUID) -> Sequence[tuple[UUID, UUID]]:
        """Return who blocks whom, from the task on, as pairs; also those that are deleted."""
        rows = await self._session.execute(_BLOCKED, {"task_id": task_id})
        return [(row[0], row[1]) for row in rows]

    async def keys(self, task_ids: Collection[UUID]) -> dict[UUID, str]:
        statement = (
            select(Task.id, task_key(Project.key))
            .join(Project, and_(Project.workspace_id == Task.workspace_id, Project.id == Task.project_id))
            .where(Task.id.in_(task_ids))
        )
        return {row[0]: row[1] for row in await self._session.execute(statement)}

    async def count_most(self, workspace_id: UUID, task_ids: Collection[UUID]) -> int:
        """Count the relations of the one of the tasks that has the most."""
        each = [
            select(func.count())
            .where(
                Relation.workspace_id == workspace_id,
                or_(Relation.from_id == task_id, Relation.to_id == task_id),
            )
            .scalar_subquery()
            for task_id in task_ids
        ]
        most: int = (await self._session.execute(select(func.greatest(*each)))).scalar_one()
        return most

    async def add(self, relation: Relation) -> Relation:
        self._session.add(relation)
        try:
            await self._session.flush()
        except IntegrityError as error:
            if violated_constraint(error) == "uq_relations_workspace_id_from_id_kind_to_id":
                raise RelationExistsError from error
            raise
        return relation

    async def delete(self, relation: Relation) -> None:
        await self._session.delete(relation)
        await self._session.flush()
