from glasswork.features.workspaces.models import Role


def can_audit(role: Role) -> bool:
    return role.reaches(Role.ADMIN)
