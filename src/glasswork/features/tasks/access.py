"""Tasks that the actor may see, as the API shows them."""

from typing import Any

from sqlalchemy import ARRAY, SQLColumnExpression, String, Uuid, and_, cast, func, select, type_coerce

from glasswork.features.projects.access import access
from glasswork.features.projects.models import Project, Status

from .models import Task, TaskLabel, Watcher

LABEL_IDS = type_coerce(
    func.array(
        select(TaskLabel.label_id)
        .where(TaskLabel.workspace_id == Task.workspace_id, TaskLabel.task_id == Task.id)
        .order_by(TaskLabel.label_id)
        .scalar_subquery()
    ),
    ARRAY(Uuid()),
)
WATCHER_IDS = type_coerce(
    func.array(
        select(Watcher.user_id)
        .where(Watcher.workspace_id == Task.workspace_id, Watcher.task_id == Task.id)
        .order_by(Watcher.user_id)
        .scalar_subquery()
    ),
    ARRAY(Uuid()),
)


def _columns(project_key: SQLColumnExpression[str]) -> tuple[Any, ...]:
    return (
        Task.id,
        Task.workspace_id,
        Task.project_id,
        (project_key + "-" + cast(Task.number, String)).label("key"),
        Task.title,
        Task.description,
        Status.key.label("status"),
        Task.priority,
        Task.assignee_id,
        LABEL_IDS.label("label_ids"),
        Task.due_at,
        Task.start_at,
        Task.estimate_minutes,
        Task.parent_id,
        Task.position,
        WATCHER_IDS.label("watcher_ids"),
        Task.external,
        Task.version,
        Task.created_by,
        Task.created_at,
        Task.updated_at,
        Task.completed_at,
        Task.archived_at,
    )


_HAS_STATUS = and_(Status.workspace_id == Task.workspace_id, Status.id == Task.status_id)
TASKS = (
    select(*_columns(access.c.key))
    .join(access, access.c.project_id == Task.project_id)
    .join(Status, _HAS_STATUS)
    .where(Task.deleted_at.is_(None))
)
"""As rows of `TaskRead`; the statement can be narrowed by columns of Task, Status and of the access."""

LISTED = (
    select(*_columns(Project.key))
    .join(Project, and_(Project.workspace_id == Task.workspace_id, Project.id == Task.project_id))
    .join(Status, _HAS_STATUS)
    .where(Task.deleted_at.is_(None), Project.deleted_at.is_(None))
)
"""The same for lists of a place, which ask once whether it may be seen: asked task by task, a stranger's list
would take as long as all tasks of the place, and the planner would guess wrong how many are left."""
