from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.actor import Actor
from glasswork.core.statements import AnyRow
from glasswork.features.tasks.access import change_tasks, lock_task
from glasswork.features.tasks.models import Watcher
from glasswork.features.workspaces.models import Membership, Role


class WatcherRepository:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def lock(self, actor: Actor, task_id: UUID) -> Role:
        """Lock the task, and return the actor's role there."""
        _, role, _ = await lock_task(self._session, actor, task_id)
        return role

    async def has_member(self, workspace_id: UUID, user_id: UUID) -> bool:
        statement = select(Membership.user_id).where(
            Membership.workspace_id == workspace_id,
            Membership.user_id == user_id,
            Membership.removed_at.is_(None),
        )
        return (await self._session.execute(statement)).first() is not None

    async def add(self, task: AnyRow, user_id: UUID) -> None:
        """The task gets a new version, since what is shown of it changes."""
        row = {"workspace_id": task.workspace_id, "task_id": task.id, "user_id": user_id}
        added = insert(Watcher).values(row).on_conflict_do_nothing().returning(Watcher.user_id)
        if (await self._session.execute(added)).first():
            await change_tasks(self._session, [task.id])

    async def remove(self, task: AnyRow, user_id: UUID) -> None:
        """As `add` does."""
        removed = delete(Watcher).where(
            Watcher.workspace_id == task.workspace_id,
            Watcher.task_id == task.id,
            Watcher.user_id == user_id,
        )
        if (await self._session.execute(removed.returning(Watcher.user_id))).first():
            await change_tasks(self._session, [task.id])
