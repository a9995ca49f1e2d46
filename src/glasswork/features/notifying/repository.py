from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    DateTime,
    Row,
    String,
    Text,
    Uuid,
    and_,
    cast,
    func,
    or_,
    select,
    type_coerce,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from glasswork.core.db import AnyRow
from glasswork.core.events import WorkspaceEvent
from glasswork.features.accounts.models import User
from glasswork.features.comments.models import Comment
from glasswork.features.invitations.models import Invitation
from glasswork.features.notifications.models import Clock, Mailing, Notification, Preference
from glasswork.features.projects.models import Project
from glasswork.features.tasks.models import Task, Watcher
from glasswork.features.workspaces.models import Membership, Workspace

MORNING = timedelta(hours=8)
"""When daily letters come, in the zone of whom they are for."""
SOON = timedelta(days=1)

_WATCHERS = type_coerce(
    func.array(
        select(Watcher.user_id)
        .where(Watcher.workspace_id == Task.workspace_id, Watcher.task_id == Task.id)
        .scalar_subquery()
    ),
    ARRAY(Uuid()),
)
_ITS_PROJECT = and_(Project.workspace_id == Task.workspace_id, Project.id == Task.project_id)
_Parent = aliased(Comment)


def last_morning(zone: ColumnElement[str], now: ColumnElement[datetime]) -> ColumnElement[datetime]:
    there = func.timezone(zone, now)
    return func.timezone(
        zone, func.date_trunc("day", there - MORNING) + MORNING, type_=DateTime(timezone=True)
    )


_LAST_MORNING = last_morning(func.coalesce(Clock.time_zone, "UTC"), func.now())
_WAITS = and_(
    Notification.mailing == Mailing.DAILY, Notification.mailed_at.is_(None), Notification.read_at.is_(None)
)
_Author = aliased(User)
_TOLD = (
    select(
        Notification.id,
        Notification.kind,
        Notification.user_id,
        Notification.created_at,
        User.name,
        User.email,
        _Author.name.label("actor_name"),
        Workspace.name.label("workspace_name"),
        Notification.task_id,
        (Project.key + "-" + cast(Task.number, String)).label("key"),
        Task.title,
        Comment.body,
    )
    .join(User, User.id == Notification.user_id)
    .join(Workspace, Workspace.id == Notification.workspace_id)
    .join(Task, and_(Task.workspace_id == Notification.workspace_id, Task.id == Notification.task_id))
    .join(Project, _ITS_PROJECT)
    .join(
        Membership,
        and_(
            Membership.workspace_id == Notification.workspace_id,
            Membership.user_id == Notification.user_id,
        ),
    )
    .outerjoin(_Author, _Author.id == Notification.actor_id)
    .outerjoin(
        Comment,
        and_(
            Comment.workspace_id == Notification.workspace_id,
            Comment.id == Notification.comment_id,
            Comment.deleted_at.is_(None),
        ),
    )
    .where(
        User.is_active,
        Workspace.deleted_at.is_(None),
        Project.deleted_at.is_(None),
        Task.deleted_at.is_(None),
        Membership.removed_at.is_(None),
        Notification.read_at.is_(None),
    )
)
"""What is still news, to people who may still see it."""


class NotifyingRepository:
    """It asks nothing of rights but those of whom it tells."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def find_event(self, event_id: UUID) -> WorkspaceEvent | None:
        statement = select(WorkspaceEvent).where(WorkspaceEvent.id == event_id)
        return (await self._session.scalars(statement)).one_or_none()

    async def find_task(self, workspace_id: UUID, task_id: UUID) -> AnyRow | None:
        """Return `id`, `project_id` and `watcher_ids` of one that stands."""
        statement = (
            select(Task.id, Task.project_id, _WATCHERS.label("watcher_ids"))
            .join(Project, _ITS_PROJECT)
            .where(
                Task.workspace_id == workspace_id,
                Task.id == task_id,
                Task.deleted_at.is_(None),
                Project.deleted_at.is_(None),
            )
        )
        return (await self._session.execute(statement)).one_or_none()

    async def find_comment(self, workspace_id: UUID, comment_id: UUID) -> AnyRow | None:
        """Return `task_id`, and who wrote what it replies to, as `replied_to`."""
        statement = (
            select(Comment.task_id, _Parent.author_id.label("replied_to"))
            .outerjoin(
                _Parent,
                and_(_Parent.workspace_id == Comment.workspace_id, _Parent.id == Comment.reply_to_id),
            )
            .where(
                Comment.workspace_id == workspace_id, Comment.id == comment_id, Comment.deleted_at.is_(None)
            )
        )
        return (await self._session.execute(statement)).one_or_none()

    async def members(self, workspace_id: UUID, user_ids: Collection[UUID]) -> set[UUID]:
        """Return those of them who may see the workspace."""
        statement = (
            select(Membership.user_id)
            .join(User, User.id == Membership.user_id)
            .join(Workspace, Workspace.id == Membership.workspace_id)
            .where(
                Membership.workspace_id == workspace_id,
                Membership.user_id.in_(user_ids),
                Membership.removed_at.is_(None),
                Workspace.deleted_at.is_(None),
                User.is_active,
            )
        )
        return set((await self._session.scalars(statement)).all())

    async def preferences(self, user_ids: Collection[UUID], project_id: UUID | None) -> Sequence[Preference]:
        """Return those that hold everywhere, and those for the project."""
        statement = select(Preference).where(
            Preference.user_id.in_(user_ids),
            or_(Preference.project_id.is_(None), Preference.project_id == project_id),
        )
        return (await self._session.scalars(statement)).all()

    async def add(self, rows: Sequence[Mapping[str, Any]]) -> Sequence[Row[UUID, Mailing]]:
        """Store those that are not there; return their `id` and `mailing`."""
        new = insert(Notification).values(rows).on_conflict_do_nothing()
        added = await self._session.execute(new.returning(Notification.id, Notification.mailing))
        return added.all()

    async def due_soon(self, limit: int) -> Sequence[AnyRow]:
        """Return tasks that are due within a day, and whose assignee has not been told of that date."""
        event_id = cast(func.md5(cast(Task.id, Text) + cast(func.extract("epoch", Task.due_at), Text)), Uuid)
        is_told = (
            select(Notification.id)
            .where(Notification.user_id == Task.assignee_id, Notification.event_id == event_id)
            .exists()
        )
        statement = (
            select(
                Task.workspace_id,
                Task.id,
                Task.project_id,
                Task.assignee_id,
                event_id.label("event_id"),
            )
            .join(Project, _ITS_PROJECT)
            .join(Workspace, Workspace.id == Task.workspace_id)
            .join(
                Membership,
                and_(Membership.workspace_id == Task.workspace_id, Membership.user_id == Task.assignee_id),
            )
            .where(
                Task.due_at.between(func.now(), func.now() + SOON),
                Task.completed_at.is_(None),
                Task.archived_at.is_(None),
                Task.deleted_at.is_(None),
                Project.deleted_at.is_(None),
                Workspace.deleted_at.is_(None),
                Membership.removed_at.is_(None),
                ~is_told,
            )
            .limit(limit)
        )
        return (await self._session.execute(statement)).all()

    async def find_invited(self, workspace_id: UUID, invitation_id: UUID) -> UUID | None:
        """Return whose account has the address of an invitation that waits for an answer."""
        statement = (
            select(User.id)
            .join(Invitation, func.lower(Invitation.email) == func.lower(User.email))
            .where(
                Invitation.workspace_id == workspace_id,
                Invitation.id == invitation_id,
                Invitation.accepted_at.is_(None),
                Invitation.withdrawn_at.is_(None),
                User.is_active,
            )
        )
        return (await self._session.scalars(statement)).one_or_none()

    async def find_told(self, notification_id: UUID) -> AnyRow | None:
        statement = _TOLD.where(Notification.id == notification_id)
        return (await self._session.execute(statement)).one_or_none()

    async def waiting(self, limit: int) -> Sequence[Row[UUID, datetime]]:
        """Return who is due a daily letter, and the morning that it is of."""
        statement = (
            select(Notification.user_id, _LAST_MORNING.label("morning"))
            .outerjoin(Clock, Clock.user_id == Notification.user_id)
            .where(_WAITS, Notification.created_at < _LAST_MORNING)
            .distinct()
            .limit(limit)
        )
        return (await self._session.execute(statement)).all()

    async def daily(self, user_id: UUID, until: datetime, limit: int) -> Sequence[AnyRow]:
        statement = _TOLD.where(
            _WAITS, Notification.user_id == user_id, Notification.created_at < until
        ).order_by(Notification.created_at)
        return (await self._session.execute(statement.limit(limit))).all()

    async def mark_mailed(self, user_id: UUID, until: datetime) -> None:
        """Also what is no news any more, or is for nobody to see."""
        await self._session.execute(
            update(Notification)
            .where(
                Notification.user_id == user_id,
                Notification.mailing == Mailing.DAILY,
                Notification.mailed_at.is_(None),
                Notification.created_at < until,
            )
            .values(mailed_at=func.now())
            .execution_options(synchronize_session=False)
        )
