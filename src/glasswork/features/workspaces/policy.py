from .models import Role


def can_edit(role: Role) -> bool:
    return role.reaches(Role.ADMIN)


def can_delete(role: Role) -> bool:
    return role is Role.OWNER
