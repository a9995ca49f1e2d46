"""Who may see which change of a workspace, where it happened, and the columns of a change."""

from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Uuid, case, cast, func, or_, select
from sqlalchemy.dialects.postgresql import array
from sqlalchemy.orm import aliased

from glasswork.core.events import WorkspaceEvent
from glasswork.features.tasks.models import Task

COLUMNS: tuple[Any, ...] = (
    WorkspaceEvent.seq,
    WorkspaceEvent.type,
    WorkspaceEvent.subject_id,
    WorkspaceEvent.actor_id,
    WorkspaceEvent.request_id,
    WorkspaceEvent.at,
    WorkspaceEvent.before,
    WorkspaceEvent.after,
)

# As in their own lists: they are for the eyes of admins.
_FOR_ADMINS = ("invitation", "webhook", "hook", "export", "calendar_feed", "archive")
IS_FOR_ADMINS = or_(*(WorkspaceEvent.type.startswith(f"{kind}.") for kind in _FOR_ADMINS))

# What an update does not repeat, as the task of a comment, stands in the first event of its subject.
_First = aliased(WorkspaceEvent)
first = (
    select(_First.after.label("whole"))
    .where(_First.workspace_id == WorkspaceEvent.workspace_id, _First.subject_id == WorkspaceEvent.subject_id)
    .order_by(_First.seq)
    .limit(1)
    .lateral("first")
)


def _id(fields: Any, name: str) -> ColumnElement[UUID]:
    return cast(fields[name].astext, Uuid())


def _subject_of(kind: str) -> ColumnElement[Any]:
    return case((WorkspaceEvent.type.startswith(f"{kind}."), WorkspaceEvent.subject_id))


TASK_IDS = array(
    [_subject_of("task"), *(_id(first.c.whole, name) for name in ("task_id", "from_id", "to_id"))]
)
# Where a task lay then, tells the last event before that says it; its row, when the log is blanked.
_Place = aliased(WorkspaceEvent)
_lay_in = (
    select(_id(_Place.after, "project_id"))
    .where(
        _Place.workspace_id == WorkspaceEvent.workspace_id,
        _Place.subject_id == Task.id,
        _Place.seq <= WorkspaceEvent.seq,
        _Place.after.has_key("project_id"),
    )
    .order_by(_Place.seq.desc())
    .limit(1)
    .correlate(Task, WorkspaceEvent)
    .scalar_subquery()
)
PROJECT_IDS: ColumnElement[Any] = func.array_cat(
    array(
        [
            _subject_of("project"),
            _id(WorkspaceEvent.before, "project_id"),
            _id(WorkspaceEvent.after, "project_id"),
            case((~WorkspaceEvent.type.startswith("task."), _id(first.c.whole, "project_id"))),
        ]
    ),
    func.array(
        select(func.coalesce(_lay_in, Task.project_id))
        .where(Task.workspace_id == WorkspaceEvent.workspace_id, Task.id == func.any(TASK_IDS))
        .correlate(WorkspaceEvent, first)
        .scalar_subquery()
    ),
    type_=ARRAY(Uuid()),
)
