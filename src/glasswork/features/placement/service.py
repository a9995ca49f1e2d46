from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import func
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.actor import Actor
from glasswork.core.concurrency import Precondition
from glasswork.core.errors import require
from glasswork.core.ordering import key_between, key_of
from glasswork.core.outbox import Outbox
from glasswork.core.statements import AnyRow
from glasswork.features.projects.models import Category, Status
from glasswork.features.tasks.access import Family
from glasswork.features.tasks.errors import TaskNotFoundError
from glasswork.features.tasks.events import TaskUpdated
from glasswork.features.tasks.policy import can_write
from glasswork.features.tasks.service import TaskService

from .errors import unknown_neighbour, unknown_project
from .repository import PlacementRepository
from .schemas import Progress, SubtaskQuery, Subtasks

BEFORE_ALL = ""


class PlacementService:
    """Where tasks stand: in the order, in the tree, in which project, in the archive."""

    def __init__(self, session: AsyncSession) -> None:
        self._places = PlacementRepository(session)
        self._tasks = TaskService(session)
        self._outbox = Outbox(session)

    async def subtasks(self, actor: Actor, task_id: UUID, query: SubtaskQuery) -> Subtasks:
        page = await self._places.subtasks(actor, task_id, query)
        if page.items:
            counts = page.items[0]
        else:
            await self._tasks.get(actor, task_id)
            counts = await self._places.progress(task_id)
        progress = Progress(done=counts.done, total=counts.total)
        return Subtasks(page.items, page.next_cursor, page.total, progress)

    async def put_behind(
        self, actor: Actor, task_id: UUID, after_id: UUID | None, precondition: Precondition
    ) -> AnyRow:
        """Move a task behind another one of its project, or with None ahead of all."""
        task, role = await self._places.lock(actor, task_id)
        require(can_write(role))
        precondition.check(task)
        before = await self._places.get_all(actor, [task_id])
        if not before:
            raise TaskNotFoundError(task_id)
        await self._places.lock_projects(task.workspace_id, [task.project_id])
        ahead = BEFORE_ALL
        if after_id is not None:
            found = await self._places.find_position(task.project_id, after_id)
            if found is None or after_id == task_id:
                raise unknown_neighbour()
            ahead = found
        behind = await self._places.positions_behind(task, ahead)
        if behind.standing != task.position:
            position = key_between(ahead or None, behind.next)
            await self._places.change_all([task_id], position=position)
        return await self._record(actor, task_id, before)

    async def move(self, actor: Actor, task_id: UUID, project_id: UUID, precondition: Precondition) -> AnyRow:
        """Into another project of the workspace, behind all that is there, with all that is below it."""
        family = await self._lock(actor, task_id, precondition)
        source_id, ids = family.root.project_id, [task.id for task in family.tasks]
        before = await self._places.get_all(actor, ids)
        if not before:
            raise TaskNotFoundError(task_id)
        if project_id != source_id:
            both = {source_id, project_id}
            if await self._places.lock_projects(family.root.workspace_id, both) != both:
                raise unknown_project()
            await self._places.keep_keys(family.tasks)
            await self._places.place(await self._places_in(project_id, family))
            await self._places.exchange_labels(ids, source_id, project_id)
        return await self._record(actor, task_id, before)

    async def archive(self, actor: Actor, task_id: UUID, precondition: Precondition) -> AnyRow:
        """With what stands below it and is not archived yet."""
        family = await self._lock(actor, task_id, precondition)
        ids = [] if family.root.archived_at else _standing(family, archived_at=None)
        before = await self._places.get_all(actor, ids)
        await self._places.change_all(ids, archived_at=func.now())
        return await self._record(actor, task_id, before)

    async def unarchive(self, actor: Actor, task_id: UUID, precondition: Precondition) -> AnyRow:
        """With what was archived together with it."""
        family = await self._lock(actor, task_id, precondition)
        archived_at = family.root.archived_at
        ids = _standing(family, archived_at=archived_at) if archived_at else []
        before = await self._places.get_all(actor, ids)
        await self._places.change_all(ids, archived_at=None)
        return await self._record(actor, task_id, before)

    async def _lock(self, actor: Actor, task_id: UUID, precondition: Precondition) -> Family:
        family = await self._places.lock_family(actor, task_id)
        require(can_write(family.role))
        precondition.check(family.root)
        return family

    async def _record(self, actor: Actor, task_id: UUID, before: Sequence[AnyRow]) -> AnyRow:
        """Return the task as it is now."""
        after = await self._places.get_all(actor, [task.id for task in before])
        if len(before) != len(after):
            raise TaskNotFoundError(task_id)  # since its project, or the actor's membership, has just ended
        for was, is_ in zip(before, after, strict=True):
            self._outbox.record(actor, TaskUpdated.between(TaskUpdated.show(was), is_))
        own = [task for task in after if task.id == task_id]
        return own[0] if own else await self._tasks.get(actor, task_id)

    async def _places_in(self, project_id: UUID, family: Family) -> list[dict[str, Any]]:
        """The task first, and the others in the order that they had."""
        root, now = family.root, family.root.now
        statuses = await self._places.statuses([root.project_id, project_id])
        old = {status.id: status for status in statuses if status.project_id == root.project_id}
        new = [status for status in statuses if status.project_id == project_id]
        tasks = sorted(family.tasks, key=lambda task: (task.id != root.id, task.position))
        first = await self._places.take_numbers(project_id, len(tasks))
        places = []
        for number, task in enumerate(tasks, start=first):
            status = _counterpart(old[task.status_id], new)
            is_done = status.category is Category.DONE
            places.append(
                {
                    "task_id": task.id,
                    "project_id": project_id,
                    "number": number,
                    "position": key_of(number),
                    "status_id": status.id,
                    "completed_at": (task.completed_at or now) if is_done else None,
                    "parent_id": None if task.id == root.id else task.parent_id,
                }
            )
        return places


def _standing(family: Family, *, archived_at: Any) -> list[UUID]:
    return [task.id for task in family.tasks if task.deleted_at is None and task.archived_at == archived_at]


def _counterpart(status: Status, others: Sequence[Status]) -> Status:
    """By its key, else the first of its category; where there is none, the first of all."""
    same_key = [other for other in others if other.key == status.key]
    same_category = [other for other in others if other.category is status.category]
    return [*same_key, *same_category, *others][0]
