"""Who may see which change of a workspace, and the columns of a change."""

from typing import Any

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

# As in the list of invitations: they are for the eyes of admins.
IS_FOR_ADMINS = WorkspaceEvent.type.like("invitation.%")
