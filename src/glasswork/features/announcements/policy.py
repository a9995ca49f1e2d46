from glasswork.features.workspaces.models import Role


def can_announce(role: Role) -> bool:
    return role.reaches(Role.ADMIN)
