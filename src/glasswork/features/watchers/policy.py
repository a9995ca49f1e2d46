from glasswork.features.workspaces.models import Role


def can_watch(role: Role, is_self: bool) -> bool:
    """Everybody for himself; who works there also for others."""
    return is_self or role.reaches(Role.MEMBER)
