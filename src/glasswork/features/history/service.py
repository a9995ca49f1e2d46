from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import pydantic
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.actor import Actor
from glasswork.core.concurrency import Precondition
from glasswork.core.errors import ConflictError, ValidationError, require
from glasswork.core.paging import Page
from glasswork.core.statements import AnyRow
from glasswork.features.tasks import policy
from glasswork.features.tasks.errors import TaskNotFoundError
from glasswork.features.tasks.events import TaskCreated, TaskDeleted, TaskUpdated
from glasswork.features.tasks.schemas import TaskRead, TaskUpdate
from glasswork.features.tasks.service import TaskService

from .errors import CannotUndoError, NothingToUndoError
from .repository import HistoryRepository
from .schemas import FieldChange, HistoryEntry, HistoryQuery

_COUNTED: Final = {"version", "updated_at"}
"""They change with every change."""
_FOLLOWING: Final = _COUNTED | {"completed_at"}
"""They change with something else, and so they do when that is undone."""
_ADDED: Final[dict[str, Any]] = {
    "parent_id": None,
    "recurrence": None,
    "watcher_ids": [],
    "archived_at": None,
}
"""Events of before migration 0009 do not have them yet."""


class HistoryService:
    """What happened to a task, told by its events; that of a deleted task too."""

    def __init__(self, session: AsyncSession) -> None:
        self._history = HistoryRepository(session)
        self._tasks = TaskService(session)

    async def page(self, actor: Actor, task_id: UUID, query: HistoryQuery) -> Page[HistoryEntry]:
        page = await self._history.page(actor, task_id, query)
        return Page([_entry(event) for event in page.items], page.next_cursor, page.total)

    async def get(self, actor: Actor, task_id: UUID, at: datetime | None) -> AnyRow | TaskRead:
        """Return the task as it is, or as it was at a moment."""
        if at is None:
            return await self._tasks.get(actor, task_id)
        then = await self._history.then(actor, task_id, at)
        if then.type == TaskDeleted.type:
            raise TaskNotFoundError(task_id)
        return TaskRead.model_validate(_ADDED | {"position": then.position} | then.fields)

    async def undo(self, actor: Actor, task_id: UUID, precondition: Precondition) -> AnyRow:
        require(policy.can_write(await self._history.lock(actor, task_id)))
        now = await self._tasks.get(actor, task_id)
        last = await self._history.last(actor, task_id)
        if last is None or last.type != TaskUpdated.type:
            raise NothingToUndoError
        changes = _to_undo(last, TaskUpdated.show(now))
        try:
            return await self._tasks.update(actor, task_id, changes, precondition)
        except (ValidationError, ConflictError) as refusal:
            raise CannotUndoError(_reason(refusal)) from refusal


def _to_undo(last: AnyRow, now: Mapping[str, Any]) -> TaskUpdate:
    wanted = {name: value for name, value in last.before.items() if name not in _FOLLOWING}
    if any(now[name] != last.after[name] for name in wanted):
        raise CannotUndoError("the task is no longer as the change left it.")
    if last.before.get("recurrence") and last.after.get("completed_at"):
        raise CannotUndoError("it made the next task. Reopen this one instead.")
    try:
        return TaskUpdate.model_validate(wanted)
    except pydantic.ValidationError as error:
        names = ", ".join(sorted(wanted.keys() - TaskUpdate.model_fields.keys()) or wanted)
        raise CannotUndoError(f"{names} cannot be set back like this.") from error


def _reason(refusal: ValidationError | ConflictError) -> str:
    errors = refusal.details.get("errors")
    return f"{errors[0]['loc'][-1]} {errors[0]['message']}." if errors else refusal.message


def _entry(event: AnyRow) -> HistoryEntry:
    return HistoryEntry(
        seq=event.seq,
        at=event.at,
        actor_id=event.actor_id,
        request_id=event.request_id,
        type=event.type,
        changes=list(_changes(event)),
    )


def _changes(event: AnyRow) -> Iterator[FieldChange]:
    if event.type not in {TaskCreated.type, TaskUpdated.type}:
        return
    before = event.before or dict.fromkeys(event.after)
    for field, after in event.after.items():
        if field not in _COUNTED and before[field] != after:
            yield FieldChange(field=field, before=before[field], after=after)
