"""Who may see which change of a workspace, and the columns of a change."""

from typing import Any, Final

from sqlalchemy import or_

from glasswork.core.events import WorkspaceEvent

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

_FOR_ADMINS: Final = ("invitation.%", "hook.%")
# As in their lists: they are for the eyes of admins.
IS_FOR_ADMINS = or_(*(WorkspaceEvent.type.like(types) for types in _FOR_ADMINS))
