from uuid import UUID

from glasswork.core.actor import Actor
from glasswork.features.workspaces.models import Role


def can_transfer(role: Role) -> bool:
    return role is Role.OWNER


def can_change_role(role: Role, current: Role, wanted: Role) -> bool:
    return role.reaches(Role.ADMIN) and role.reaches(current) and role.reaches(wanted)


def can_remove(actor: Actor, role: Role, member_id: UUID, member_role: Role) -> bool:
    """Everybody may leave."""
    return actor.user_id == member_id or (role.reaches(Role.ADMIN) and role.reaches(member_role))
