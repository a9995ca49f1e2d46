from glasswork.features.workspaces.models import Role


def can_create(role: Role) -> bool:
    return role.reaches(Role.MEMBER)


def can_edit(role: Role) -> bool:
    return role.reaches(Role.ADMIN)


def can_delete(role: Role) -> bool:
    return role.reaches(Role.ADMIN)


def can_label(role: Role) -> bool:
    return role.reaches(Role.MEMBER)
