from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    DateTime,
    Row,
    and_,
    func,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from glasswork.core.statements import AnyRow
from glasswork.features.accounts.models import User
from glasswork.features.comments.models import Comment
from glasswork.features.notifications.models import Clock, Mailing, Notification
from glasswork.features.projects.models import Project
from glasswork.features.tasks.access import task_key
from glasswork.features.tasks.models import Task
from glasswork.features.workspaces.models import Membership, Workspace

MORNING = timedelta(hours=8)
"""When daily letters come, in the zone of whom they are for."""
_ITS_PROJECT = and_(Project.workspace_id == Task.workspace_id, Project.id == Task.project_id)


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
        task_key(Project.key).label("key"),
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


class LetterRepository:
    """What of that which people are told goes out by mail; it asks for the rights of whom it is for."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

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
