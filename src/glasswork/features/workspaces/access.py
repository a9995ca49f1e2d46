"""What the actor may see, as a join of every statement about a tenant's rows."""

from sqlalchemy import select

from glasswork.features.accounts.access import ACTOR_ID, IS_SIGNED_IN, is_open_to_token

from .models import Membership, Workspace

access = (
    select(Membership.workspace_id, Membership.role)
    .join(Workspace, Workspace.id == Membership.workspace_id)
    .where(
        Membership.user_id == ACTOR_ID,
        Membership.removed_at.is_(None),
        Workspace.deleted_at.is_(None),
        IS_SIGNED_IN,
        is_open_to_token(Membership.workspace_id),
    )
    .subquery("access")
)
"""The actor's workspaces, with the role there: `workspace_id`, `role`."""
