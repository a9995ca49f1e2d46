"""All tasks of a place with what is said about them, batch by batch."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Text, bindparam, func, select, true, tuple_, type_coerce
from sqlalchemy.dialects.postgresql import ARRAY

from glasswork.core.actor import Actor
from glasswork.core.db import Database
from glasswork.core.paging import AnySelect
from glasswork.core.statements import AnyRow
from glasswork.features.accounts.models import User
from glasswork.features.comments.access import COMMENTS
from glasswork.features.comments.models import Comment
from glasswork.features.projects.access import access as project_access
from glasswork.features.projects.access import access_to
from glasswork.features.projects.models import Label, Project
from glasswork.features.tasks.access import LISTED
from glasswork.features.tasks.models import Task, TaskLabel
from glasswork.features.workspaces.access import access, role_in
from glasswork.features.workspaces.models import Membership

BATCH: Final = 200
"""Texts may be long: so many tasks are a few megabytes at most."""
_FIRST: Final = UUID(int=0)

_LABELS = type_coerce(
    func.array(
        select(Label.name)
        .join(TaskLabel, (TaskLabel.workspace_id == Label.workspace_id) & (TaskLabel.label_id == Label.id))
        .where(TaskLabel.workspace_id == Task.workspace_id, TaskLabel.task_id == Task.id)
        .order_by(func.lower(Label.name), Label.id)
        .scalar_subquery()
    ),
    ARRAY(Text()),
)


def _username(user_id: Any) -> ColumnElement[str | None]:
    return (
        select(User.username)
        .join(Membership, Membership.user_id == User.id)
        .where(
            Membership.workspace_id == Task.workspace_id,
            Membership.user_id == user_id,
            Membership.removed_at.is_(None),
        )
        .scalar_subquery()
    )


_TASKS = (
    LISTED.add_columns(
        Task.number,
        Project.key.label("project_key"),
        _LABELS.label("labels"),
        _username(Task.assignee_id).label("assignee"),
        _username(Task.created_by).label("creator"),
    )
    .where(Task.workspace_id == bindparam("workspace_id"))
    .limit(BATCH)
)
# By what an index has in order. The number is that of the project: only within it a task keeps its place.
_OF_PROJECT = _TASKS.where(
    select(project_access.c.role).where(project_access.c.project_id == bindparam("project_id")).exists(),
    Task.project_id == bindparam("project_id"),
    Task.number > bindparam("after"),
).order_by(Task.number)
_OF_WORKSPACE = _TASKS.where(
    select(access.c.role).where(access.c.workspace_id == bindparam("workspace_id")).exists(),
    Task.id > bindparam("after"),
).order_by(Task.id)
_COMMENTS = (
    COMMENTS.where(
        Comment.task_id.in_(bindparam("task_ids", expanding=True)),
        tuple_(Comment.task_id, Comment.id) > tuple_(bindparam("after_task"), bindparam("after")),
    )
    .order_by(Comment.task_id, Comment.id)
    .limit(BATCH)
)
_ARCHIVED: Final[dict[str, ColumnElement[bool]]] = {
    "false": Task.archived_at.is_(None),
    "true": Task.archived_at.is_not(None),
    "all": true(),
}


@dataclass(frozen=True, slots=True)
class Place:
    workspace_id: UUID
    project_id: UUID | None
    """None: all projects."""


class ExportRepository:
    """Each batch is a statement for itself: a slow reader holds neither a connection nor a snapshot."""

    def __init__(self, database: Database, actor: Actor, place: Place) -> None:
        self._database = database
        self._actor = actor
        self._place = place

    async def tasks(self, archived: str) -> AsyncIterator[Sequence[AnyRow]]:
        """Yield at most `BATCH` at a time."""
        place = {"workspace_id": self._place.workspace_id, "project_id": self._place.project_id}
        of_project = self._place.project_id is not None
        statement = (_OF_PROJECT if of_project else _OF_WORKSPACE).where(_ARCHIVED[archived])
        after: int | UUID = 0 if of_project else _FIRST
        while rows := await self._rows(statement, place | {"after": after}):
            yield rows
            after = rows[-1].number if of_project else rows[-1].id

    async def comments(self, tasks: Sequence[AnyRow]) -> AsyncIterator[Sequence[AnyRow]]:
        """Yield those about the tasks, at most `BATCH` at a time."""
        binds = {"task_ids": [task.id for task in tasks], "after_task": _FIRST, "after": _FIRST}
        while rows := await self._rows(_COMMENTS, binds):
            yield rows
            binds |= {"after_task": rows[-1].task_id, "after": rows[-1].id}

    async def ensure_visible(self) -> None:
        """Raise what an outsider is told: to who has lost access meanwhile the rest looks like none."""
        async with self._database.reading() as session:
            if self._place.project_id is None:
                await role_in(session, self._actor, self._place.workspace_id)
            else:
                await access_to(session, self._actor, self._place.project_id)

    async def _rows(self, statement: AnySelect, binds: dict[str, Any]) -> Sequence[AnyRow]:
        async with self._database.reading() as session:
            return (await session.execute(statement, self._actor.binds | binds)).all()
