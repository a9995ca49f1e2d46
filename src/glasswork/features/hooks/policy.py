from uuid import UUID

from glasswork.features.workspaces.models import Role


def can_manage(role: Role) -> bool:
    """Also see them: a hook tells where others may reach into the workspace."""
    return role.reaches(Role.ADMIN)


def purpose_of(hook_id: UUID) -> str:
    """Of the seal of its secrets: in no other one's row they open."""
    return f"hook:{hook_id}"
