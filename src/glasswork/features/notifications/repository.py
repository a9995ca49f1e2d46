from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from pydantic import AwareDatetime
from sqlalchemy import JSON, String, and_, bindparam, cast, delete, func, or_, select, type_coerce, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.actor import Actor
from glasswork.core.db import AnyRow
from glasswork.core.filtering import any_of
from glasswork.core.paging import Page, SortKey, fetch_page
from glasswork.features.accounts.access import ACTOR_ID, IS_SIGNED_IN, ensure_signed_in, is_open_to_token
from glasswork.features.projects.access import access
from glasswork.features.tasks.models import Task
from glasswork.features.workspaces.models import Workspace

from .errors import NotificationNotFoundError
from .models import Clock, Habit, Notification
from .schemas import NotificationQuery

_MINE = and_(
    Notification.user_id == ACTOR_ID,
    Notification.is_shown,
    IS_SIGNED_IN,
    is_open_to_token(Notification.workspace_id),
)
_NOTIFICATIONS = (
    select(
        Notification.id,
        Notification.kind,
        Notification.workspace_id,
        type_coerce(
            func.json_build_object(
                *("id", Task.id),
                *("key", access.c.key + "-" + cast(Task.number, String)),
                *("title", Task.title),
            ),
            JSON,
        ).label("task_shown"),
        Notification.task_id,
        Notification.comment_id,
        Notification.actor_id,
        Notification.created_at,
        Notification.read_at,
    )
    .join(Workspace, Workspace.id == Notification.workspace_id)
    .outerjoin(Task, and_(Task.workspace_id == Notification.workspace_id, Task.id == Notification.task_id))
    .outerjoin(access, and_(access.c.project_id == Task.project_id, Task.deleted_at.is_(None)))
    .where(
        _MINE,
        Workspace.deleted_at.is_(None),
        or_(Notification.task_id.is_(None), access.c.project_id.is_not(None)),
    )
)
"""Of what the actor may see now, whatever they could see when it happened."""
_NOTIFICATION = _NOTIFICATIONS.where(Notification.id == bindparam("notification_id"))
_SORT_KEYS = {"created_at": SortKey.of(Notification.created_at, AwareDatetime)}
