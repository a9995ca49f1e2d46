from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from pydantic import AwareDatetime
from sqlalchemy import (
    CTE,
    JSON,
    BigInteger,
    ColumnElement,
    String,
    Uuid,
    and_,
    bindparam,
    cast,
    exists,
    func,
    or_,
    select,
    type_coerce,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.actor import Actor
from glasswork.core.events import EventCounter, WorkspaceEvent
from glasswork.core.filtering import any_of, between
from glasswork.core.paging import AnySelect, Page, SortKey, fetch_page
from glasswork.core.statements import AnyRow, Read, WrittenJson
from glasswork.features.accounts.models import User
from glasswork.features.attachments.models import Attachment
from glasswork.features.comments.models import Comment
from glasswork.features.links.models import TaskLink
from glasswork.features.projects.access import access as project_access
from glasswork.features.projects.models import Project
from glasswork.features.relations.models import Relation
from glasswork.features.tasks.access import task_brief
from glasswork.features.tasks.models import Task
from glasswork.features.workspaces.access import access
from glasswork.features.workspaces.models import Role

from .access import COLUMNS, IS_FOR_ADMINS
from .models import GONE, GONE_FROM, GONE_TO
from .schemas import ActivityQuery

_EVENTS = select(*COLUMNS)
_CHANGES = (
    select(
        WorkspaceEvent.seq,
        WorkspaceEvent.type,
        func.json_build_object(
            "type", func.split_part(WorkspaceEvent.type, ".", 1), "id", WorkspaceEvent.subject_id
        ).label("subject"),
        WorkspaceEvent.request_id,
        WorkspaceEvent.at,
        cast(WorkspaceEvent.before, WrittenJson).label("before"),
        cast(WorkspaceEvent.after, WrittenJson).label("after"),
        WorkspaceEvent.actor_id,
    )
    .join(access, access.c.workspace_id == WorkspaceEvent.workspace_id)
    .where(or_(access.c.role.in_([Role.ADMIN, Role.OWNER]), ~IS_FOR_ADMINS))
    .order_by(WorkspaceEvent.seq)
)

_told = func.coalesce(WorkspaceEvent.after, WorkspaceEvent.before)


def _of_subject(column: Any) -> ColumnElement[UUID]:
    table = column.class_
    is_it = and_(table.workspace_id == WorkspaceEvent.workspace_id, table.id == WorkspaceEvent.subject_id)
    return select(column).where(is_it).correlate(WorkspaceEvent).scalar_subquery()


_TASK_ID = func.coalesce(
    cast(func.coalesce(_told["task_id"].astext, _told["from_id"].astext), Uuid),
    _of_subject(Comment.task_id),
    _of_subject(Attachment.task_id),
    WorkspaceEvent.subject_id,
)
_TASK = type_coerce(
    select(task_brief(Project.key))
    .join(Project, and_(Project.workspace_id == Task.workspace_id, Project.id == Task.project_id))
    .where(
        Task.workspace_id == WorkspaceEvent.workspace_id,
        Task.id == _TASK_ID,
        Task.deleted_at.is_(None),
        Project.deleted_at.is_(None),
    )
    .correlate(WorkspaceEvent)
    .scalar_subquery(),
    JSON,
)
_NAME = select(User.name).where(User.id == WorkspaceEvent.actor_id).scalar_subquery()

# Subqueries, so that they are carried out for the rows of the page and for no others.
_ACTIVITY = _EVENTS.add_columns(_NAME.label("actor_name"), _TASK.label("task"))
"""Events with who did it, and which task they are about, if it stands."""

_PLACE: ColumnElement[UUID] = bindparam("place_id", type_=Uuid())
_SORT_KEYS = {"at": SortKey.of(WorkspaceEvent.at, AwareDatetime)}


def _about(tasks: CTE) -> AnySelect:
    """The ids of the tasks, and of all that was ever said, put or drawn there."""

    def of(table: Any, task_id: Any) -> AnySelect:
        is_there = and_(table.workspace_id == tasks.c.workspace_id, task_id == tasks.c.id)
        return select(table.id).join(tasks, is_there)

    def gone(task_id: ColumnElement[str]) -> AnySelect:
        was_there = and_(
            WorkspaceEvent.workspace_id == tasks.c.workspace_id, GONE, task_id == cast(tasks.c.id, String)
        )
        return select(WorkspaceEvent.subject_id).join(tasks, was_there)

    found = union_all(
        select(tasks.c.id),
        of(Comment, Comment.task_id),
        of(Attachment, Attachment.task_id),
        of(TaskLink, TaskLink.task_id),
        of(Relation, Relation.from_id),
        of(Relation, Relation.to_id),
        gone(GONE_FROM),
        gone(GONE_TO),
    ).subquery()
    return select(found.c[0])


# Whether the place may be seen is asked once, beside the events: so an index gives them in their order.
_is_mine = access.c.workspace_id == _PLACE
_OF_WORKSPACE = _ACTIVITY.where(
    WorkspaceEvent.workspace_id == select(access.c.workspace_id).where(_is_mine).scalar_subquery(),
    or_(
        exists(select(access.c.role).where(_is_mine, access.c.role.in_([Role.ADMIN, Role.OWNER]))),
        ~IS_FOR_ADMINS,
    ),
)
_tasks_of_project = (
    select(Task.workspace_id, Task.id).where(Task.project_id == _PLACE).cte("tasks_of_project")
)
_OF_PROJECT = _ACTIVITY.where(
    WorkspaceEvent.workspace_id
    == select(project_access.c.workspace_id).where(project_access.c.project_id == _PLACE).scalar_subquery(),
    WorkspaceEvent.subject_id.in_(union_all(select(_PLACE), _about(_tasks_of_project))),
)
_this_task = select(Task.workspace_id, Task.id).where(Task.id == _PLACE).cte("this_task")
_OF_TASK = _ACTIVITY.where(
    WorkspaceEvent.workspace_id
    == select(project_access.c.workspace_id)
    .join(Task, Task.project_id == project_access.c.project_id)
    .where(Task.id == _PLACE, Task.deleted_at.is_(None))
    .scalar_subquery(),
    WorkspaceEvent.subject_id.in_(_about(_this_task)),
)


# As rows of `ChangeRead`.
_CHANGES_AFTER = Read(
    _CHANGES.where(
        WorkspaceEvent.workspace_id == _PLACE, WorkspaceEvent.seq > bindparam("seen", type_=BigInteger())
    ).limit(bindparam("limit", type_=BigInteger()))
)
_LAST = Read(select(EventCounter.last_seq).where(EventCounter.workspace_id == _PLACE))


class ChangeRepository:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def after(self, actor: Actor, workspace_id: UUID, seq: int, limit: int) -> Sequence[AnyRow]:
        binds = actor.binds | {"place_id": workspace_id, "seen": seq, "limit": limit}
        return await _CHANGES_AFTER.all(self._session, binds)

    async def last(self, workspace_id: UUID) -> int:
        """Return the number of the last change."""
        row = await _LAST.find(self._session, {"place_id": workspace_id})
        return 0 if row is None else row.last_seq


class ActivityRepository:
    """Pages are empty, too, where there is no such place for the actor.

    No index has the events of a project in their order: they are found by what they are about, and sorted.
    """

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def of_workspace(self, actor: Actor, workspace_id: UUID, query: ActivityQuery) -> Page[AnyRow]:
        return await self._page(_OF_WORKSPACE, actor, workspace_id, query)

    async def of_project(self, actor: Actor, project_id: UUID, query: ActivityQuery) -> Page[AnyRow]:
        return await self._page(_OF_PROJECT, actor, project_id, query)

    async def of_task(self, actor: Actor, task_id: UUID, query: ActivityQuery) -> Page[AnyRow]:
        return await self._page(_OF_TASK, actor, task_id, query)

    async def _page(
        self, statement: AnySelect, actor: Actor, place_id: UUID, query: ActivityQuery
    ) -> Page[AnyRow]:
        narrowed = statement.where(*_filters(actor, query))
        binds = actor.binds | {"place_id": place_id}
        return await fetch_page(self._session, narrowed, query, _SORT_KEYS, WorkspaceEvent.seq, binds)


def _filters(actor: Actor, query: ActivityQuery) -> Iterator[ColumnElement[bool]]:
    yield from any_of(WorkspaceEvent.type, query.type)
    yield from any_of(WorkspaceEvent.actor_id, query.actor_id, me=actor.user_id)
    yield from between(WorkspaceEvent.at, query.at_after, query.at_before)
