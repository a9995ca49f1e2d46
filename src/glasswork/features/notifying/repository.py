from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    Row,
    Text,
    Uuid,
    and_,
    cast,
    func,
    or_,
    select,
    type_coerce,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from glasswork.core.events import WorkspaceEvent
from glasswork.core.statements import AnyRow
from glasswork.features.accounts.models import User
from glasswork.features.comments.models import Comment
from glasswork.features.invitations.models import Invitation
from glasswork.features.notifications.models import Mailing, Notification, Preference
from glasswork.features.projects.models import Project
from glasswork.features.tasks.models import Task, Watcher
from glasswork.features.workspaces.models import Membership, Workspace

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
            .join(User, User.id == Task.assignee_id)
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
                User.is_active,
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
