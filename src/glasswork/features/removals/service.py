from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.actor import Actor
from glasswork.core.concurrency import Precondition
from glasswork.core.outbox import Outbox
from glasswork.core.statements import AnyRow
from glasswork.features.projects.errors import LabelNotFoundError
from glasswork.features.projects.service import LabelService
from glasswork.features.tasks.events import TaskUpdated
from glasswork.features.workflow.errors import StatusNotFoundError
from glasswork.features.workflow.service import StatusService

from .repository import Locked, RemovalRepository


class RemovalService:
    """Labels and statuses go, and their tasks do without."""

    def __init__(self, session: AsyncSession) -> None:
        self._removals = RemovalRepository(session)
        self._labels = LabelService(session)
        self._workflow = StatusService(session)
        self._outbox = Outbox(session)

    async def delete_label(self, actor: Actor, label_id: UUID, precondition: Precondition) -> None:
        await self._removals.repeat_while_used(lambda: self._delete_label(actor, label_id, precondition))

    async def delete_status(
        self, actor: Actor, status_id: UUID, move_to: str | None, precondition: Precondition
    ) -> None:
        """Its tasks, also deleted and archived ones, go to the status with the key `move_to`."""
        await self._removals.repeat_while_used(
            lambda: self._delete_status(actor, status_id, move_to, precondition)
        )

    async def _delete_label(self, actor: Actor, label_id: UUID, precondition: Precondition) -> None:
        label = await self._labels.prepare_deletion(actor, label_id, precondition)
        locked = await self._removals.lock_labelled(label)
        before = await self._removals.get_all(actor, locked.living_ids)
        await self._removals.take_label_off(label, locked.task_ids)
        if not await self._record_all(actor, locked, before):
            raise LabelNotFoundError(label_id)

    async def _delete_status(
        self, actor: Actor, status_id: UUID, move_to: str | None, precondition: Precondition
    ) -> None:
        status = await self._workflow.get_to_edit(actor, status_id)
        locked = await self._removals.lock_in_status(status)
        has_tasks = bool(locked.task_ids)
        removal = await self._workflow.prepare_deletion(status, move_to, precondition, has_tasks=has_tasks)
        if removal.target is not None:
            before = await self._removals.get_all(actor, locked.living_ids)
            await self._removals.move_all(locked.task_ids, removal.target)
            if not await self._record_all(actor, locked, before):
                raise StatusNotFoundError(status_id)
        await self._removals.ensure_empty(status)
        await self._workflow.finish_deletion(actor, removal)

    async def _record_all(self, actor: Actor, locked: Locked, before: Sequence[AnyRow]) -> bool:
        """Return whether the actor still sees them: the membership may just have ended."""
        after = await self._removals.get_all(actor, locked.living_ids)
        if not len(locked.living_ids) == len(before) == len(after):
            return False
        for was, is_ in zip(before, after, strict=True):
            self._outbox.record(actor, TaskUpdated.between(TaskUpdated.show(was), is_))
        return True
