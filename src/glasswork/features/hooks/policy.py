from glasswork.features.workspaces.models import Role


def can_manage(role: Role) -> bool:
    """Also see them: a hook tells where others may reach into the workspace."""
    return role.reaches(Role.ADMIN)
