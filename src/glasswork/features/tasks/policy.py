from glasswork.features.workspaces.models import Role


def can_write(role: Role) -> bool:
    """Create, change, complete, delete and restore: a team shares its tasks."""
    return role.reaches(Role.MEMBER)
