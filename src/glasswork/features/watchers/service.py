from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.actor import Actor
from glasswork.core.concurrency import Precondition
from glasswork.core.errors import require
from glasswork.core.outbox import Outbox
from glasswork.core.statements import AnyRow
from glasswork.features.tasks.events import TaskUpdated
from glasswork.features.tasks.service import TaskService
from glasswork.features.workspaces.errors import MemberNotFoundError

from . import policy
from .repository import WatcherRepository


class WatcherService:
    """Who wants to know what becomes of a task."""

    def __init__(self, session: AsyncSession) -> None:
        self._watchers = WatcherRepository(session)
        self._tasks = TaskService(session)
        self._outbox = Outbox(session)

    async def watch(self, actor: Actor, task_id: UUID, user_id: UUID, precondition: Precondition) -> AnyRow:
        task = await self._lock(actor, task_id, user_id, precondition)
        if not await self._watchers.has_member(task.workspace_id, user_id):
            raise MemberNotFoundError(user_id)
        await self._watchers.add(task, user_id)
        return await self._record(actor, task)

    async def unwatch(self, actor: Actor, task_id: UUID, user_id: UUID, precondition: Precondition) -> AnyRow:
        """Also somebody who is no longer a member."""
        task = await self._lock(actor, task_id, user_id, precondition)
        await self._watchers.remove(task, user_id)
        return await self._record(actor, task)

    async def _lock(self, actor: Actor, task_id: UUID, user_id: UUID, precondition: Precondition) -> AnyRow:
        role = await self._watchers.lock(actor, task_id)
        task = await self._tasks.get(actor, task_id)
        require(policy.can_watch(role, user_id == actor.user_id))
        precondition.check(task)
        return task

    async def _record(self, actor: Actor, before: AnyRow) -> AnyRow:
        after = await self._tasks.get(actor, before.id)
        self._outbox.record(actor, TaskUpdated.between(TaskUpdated.show(before), after))
        return after
