from uuid import UUID

from glasswork.features.workspaces.models import Role


def can_create(role: Role) -> bool:
    return role.reaches(Role.MEMBER)


def can_edit(role: Role) -> bool:
    return role.reaches(Role.ADMIN)


def can_delete(role: Role) -> bool:
    return role.reaches(Role.ADMIN)


def can_label(role: Role, project_id: UUID | None) -> bool:
    """Make, change and delete labels of a project, or with None those of the whole workspace."""
    return role.reaches(Role.ADMIN if project_id is None else Role.MEMBER)
