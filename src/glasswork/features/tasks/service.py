from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import func
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.actor import Actor
from glasswork.core.concurrency import Precondition
from glasswork.core.errors import require
from glasswork.core.outbox import Outbox
from glasswork.core.recurrence import InvalidRecurrenceError
from glasswork.core.statements import AnyRow
from glasswork.features.projects.models import Category
from glasswork.features.workflow.service import StatusService

from . import policy
from .errors import (
    TaskNotFoundError,
    TransitionNotAllowedError,
    cyclic_parent,
    invalid_recurrence,
    recurrence_without_date,
    too_deep,
    transition_not_allowed,
    unknown_assignee,
    unknown_labels,
    unknown_parent,
    unknown_status,
)
from .events import TaskCreated, TaskDeleted, TaskRestored, TaskUpdated
from .models import MAX_LEVELS, Task
from .repository import TaskRepository
from .schemas import Recurrence, TaskCreate, TaskUpdate


class TaskService:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session
        self._tasks = TaskRepository(session)
        self._outbox = Outbox(session)
        self._workflow = StatusService(session)

    async def create(self, actor: Actor, project_id: UUID, new: TaskCreate) -> AnyRow:
        statuses = await self._tasks.place(actor, project_id)
        project = statuses[0]
        require(policy.can_write(project.role))
        status = statuses[0] if new.status is None else _with_key(statuses, new.status)
        fields = new.model_dump(exclude={"status", "label_ids", "recurrence"})
        task = Task(
            workspace_id=project.workspace_id, project_id=project_id, created_by=actor.user_id, **fields
        )
        _recur(task, new.recurrence)
        task.move_to(status, project.now)
        await self._check_assignee(task)
        await self._check_labels(task, new.label_ids)
        if new.parent_id is not None:
            await self._tasks.lock_all(actor, [new.parent_id])
            await self._check_parent(task, new.parent_id)
        made = await self._tasks.add(task, project.project_key, status.key, new.label_ids)
        await self._tasks.add_labels((task, label_id) for label_id in new.label_ids)
        self._outbox.record(actor, TaskCreated.of(made))
        return made

    async def get(self, actor: Actor, task_id: UUID) -> AnyRow:
        return await self._tasks.get(actor, task_id)

    async def get_by_key(self, actor: Actor, workspace_id: UUID, key: str) -> AnyRow:
        return await self._tasks.get_by_key(actor, workspace_id, key)

    async def find_by_keys(
        self, actor: Actor, workspace_id: UUID, keys: Collection[str]
    ) -> dict[str, AnyRow]:
        """Those that are there, by the keys that were asked for."""
        ids = await self._tasks.ids_by_keys(workspace_id, keys)
        tasks = {task.id: task for task in await self._tasks.get_all(actor, list(ids.values()))}
        return {key: tasks[task_id] for key, task_id in ids.items() if task_id in tasks}

    async def update(
        self, actor: Actor, task_id: UUID, changes: TaskUpdate, precondition: Precondition
    ) -> AnyRow:
        task, role, now = await self._tasks.lock(actor, task_id, changes.parent_id)
        require(policy.can_write(role))
        before = await self._tasks.get(actor, task_id)
        fields = changes.sent()
        precondition.check(before, fields)
        label_ids, status = fields.pop("label_ids", None), fields.pop("status", None)
        task.change({name: value for name, value in fields.items() if name != "recurrence"})
        if "recurrence" in fields:
            _recur(task, changes.recurrence)
        if task.recurrence is not None and not (task.due_at or task.start_at):
            raise recurrence_without_date()
        if "assignee_id" in fields:
            await self._check_assignee(task)
        if task.parent_id is not None and task.parent_id != before.parent_id:
            await self._check_parent(task, task.parent_id)
        if status is not None and status != before.status:
            task.move_to(await self._following(task, status), now)
        if label_ids is not None and set(label_ids) != set(before.label_ids):
            await self._check_labels(task, label_ids)
            await self._tasks.set_labels(task, set(label_ids))
            task.touch()
        return await self._store(actor, task, before)

    async def complete(self, actor: Actor, task_id: UUID, precondition: Precondition) -> AnyRow:
        return await self._move_to_category(actor, task_id, Category.DONE, precondition)

    async def reopen(self, actor: Actor, task_id: UUID, precondition: Precondition) -> AnyRow:
        return await self._move_to_category(actor, task_id, Category.TODO, precondition)

    async def delete(self, actor: Actor, task_id: UUID, precondition: Precondition) -> None:
        """With its subtasks."""
        family = await self._tasks.lock_family(actor, task_id)
        require(policy.can_write(family.role))
        precondition.check(family.root)
        before = await self._tasks.get_all(
            actor, [task.id for task in family.tasks if task.deleted_at is None]
        )
        if not before:
            raise TaskNotFoundError(task_id)  # since its project, or the actor's membership, has ended
        await self._tasks.change_all([task.id for task in before], deleted_at=func.now())
        for task in before:
            self._outbox.record(actor, TaskDeleted.of(task))

    async def restore(self, actor: Actor, task_id: UUID) -> AnyRow:
        """With the subtasks that went with it; a part of what is still deleted it is no longer."""
        family = await self._tasks.lock_family(actor, task_id, deleted=True)
        require(policy.can_write(family.role))
        gone_at = family.root.deleted_at
        if gone_at is not None:
            gone = [task.id for task in family.tasks if task.deleted_at == gone_at]
            await self._tasks.change_all(gone, deleted_at=None)
            if family.root.parent_id is not None:
                await self._tasks.detach_from_deleted(task_id)
            for task in await self._tasks.get_all(actor, gone):
                self._outbox.record(actor, TaskRestored.of(task))
        return await self._tasks.get(actor, task_id)

    async def _move_to_category(
        self, actor: Actor, task_id: UUID, category: Category, precondition: Precondition
    ) -> AnyRow:
        task, role, now = await self._tasks.lock(actor, task_id)
        require(policy.can_write(role))
        precondition.check(task)
        before = await self._tasks.get(actor, task_id)
        statuses = await self._tasks.statuses(task.project_id)
        current = next(status for status in statuses if status.id == task.status_id)
        if (current.category is Category.DONE) != (category is Category.DONE):
            following = await self._workflow.following(current, statuses)
            if not any(status.category is category for status in following):
                raise TransitionNotAllowedError([status.key for status in following])
            task.move_to(_first(following, category), now)
        return await self._store(actor, task, before)

    async def _store(self, actor: Actor, task: Task, before: AnyRow) -> AnyRow:
        done_at = task.completed_at if before.completed_at is None else None
        following = task.pass_on(done_at) if done_at is not None else None
        await self._tasks.flush()
        after = await self._tasks.get(actor, task.id)
        self._outbox.record(actor, TaskUpdated.between(TaskUpdated.show(before), after))
        if following is not None and done_at is not None:
            await self._add_next(actor, following, after, done_at)
        return after

    async def _following(self, task: Task, key: str) -> AnyRow:
        statuses = await self._tasks.statuses(task.project_id)
        wanted = _with_key(statuses, key)
        current = next(status for status in statuses if status.id == task.status_id)
        following = await self._workflow.following(current, statuses)
        if wanted not in following:
            raise transition_not_allowed([status.key for status in following])
        return wanted

    async def _add_next(self, actor: Actor, task: Task, done: AnyRow, now: datetime) -> None:
        """As the one that is done, but to do; those who have left the workspace are not taken along."""
        task.created_by = actor.user_id
        status = _first(await self._tasks.statuses(task.project_id), Category.TODO)
        task.move_to(status, now)
        if task.assignee_id and not await self._tasks.has_member(task.workspace_id, task.assignee_id):
            task.assignee_id = None
        await self._tasks.add(task, done.key.rpartition("-")[0], status.key)
        await self._tasks.add_labels((task, label_id) for label_id in done.label_ids)
        await self._tasks.copy_watchers(done.id, task)
        self._outbox.record(actor, TaskCreated.of(await self._tasks.get(actor, task.id)))

    async def _check_assignee(self, task: Task) -> None:
        assignee_id = task.assignee_id
        if assignee_id is not None and not await self._tasks.has_member(task.workspace_id, assignee_id):
            raise unknown_assignee()

    async def _check_parent(self, task: Task, parent_id: UUID) -> None:
        """The project's lock keeps its tree as it is until the commit."""
        await self._tasks.lock_project(task)
        ancestry = await self._tasks.ancestry(parent_id)
        if not ancestry or ancestry[0].deleted_at or ancestry[0].project_id != task.project_id:
            raise unknown_parent()
        keys = [above.key for above in ancestry]
        for level, above in enumerate(ancestry):
            if above.id == task.id:
                raise cyclic_parent([above.key, *keys[: level + 1]])
        if len(ancestry) + (await self._tasks.height(task.id) or 1) > MAX_LEVELS:
            raise too_deep(MAX_LEVELS)

    async def _check_labels(self, task: Task, label_ids: Sequence[UUID]) -> None:
        if label_ids and not await self._tasks.has_labels(task, set(label_ids)):
            raise unknown_labels()


def _recur(task: Task, wanted: Recurrence | None) -> None:
    if wanted is None:
        task.recurrence = None
        return
    if not (task.due_at or task.start_at):
        raise recurrence_without_date()
    try:
        task.recur(wanted.rule, wanted.time_zone)
    except InvalidRecurrenceError as error:
        raise invalid_recurrence(error.field, str(error)) from error


def _first(statuses: Sequence[AnyRow], category: Category) -> AnyRow:
    return next(status for status in statuses if status.category is category)


def _with_key(statuses: Sequence[AnyRow], key: str) -> AnyRow:
    for status in statuses:
        if status.key == key:
            return status
    raise unknown_status([status.key for status in statuses])
