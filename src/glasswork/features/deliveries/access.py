"""The change that a delivery tells of, as it stands in the log."""

from typing import Any

from sqlalchemy import and_

from glasswork.core.events import WorkspaceEvent

from .models import Delivery

ITS_EVENT = and_(WorkspaceEvent.workspace_id == Delivery.workspace_id, WorkspaceEvent.id == Delivery.event_id)
CHANGE: tuple[Any, ...] = (
    WorkspaceEvent.subject_id,
    WorkspaceEvent.actor_id,
    WorkspaceEvent.at,
    WorkspaceEvent.before,
    WorkspaceEvent.after,
)
"""What `COLUMNS` of a change has beyond those of its delivery."""
