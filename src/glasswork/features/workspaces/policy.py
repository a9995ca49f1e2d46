from typing import Final
from uuid import UUID

from glasswork.core.actor import Actor
from glasswork.core.guessing import Guess, Limit

from .errors import InvitationNotFoundError, InvitedSomebodyElseError
from .models import Role

INVITATION_TOKEN: Final = Guess(
    "invitation_token", address=Limit(50), wrong=(InvitationNotFoundError, InvitedSomebodyElseError)
)


def can_edit(role: Role) -> bool:
    return role.reaches(Role.ADMIN)


def can_delete(role: Role) -> bool:
    return role is Role.OWNER


def can_transfer(role: Role) -> bool:
    return role is Role.OWNER


def can_invite(role: Role, invited: Role) -> bool:
    """Nobody gives a higher role than their own."""
    return role.reaches(Role.ADMIN) and role.reaches(invited)


def can_see_invitations(role: Role) -> bool:
    return role.reaches(Role.ADMIN)


def can_change_role(role: Role, current: Role, wanted: Role) -> bool:
    return role.reaches(Role.ADMIN) and role.reaches(current) and role.reaches(wanted)


def can_remove(actor: Actor, role: Role, member_id: UUID, member_role: Role) -> bool:
    """Everybody may leave."""
    return actor.user_id == member_id or (role.reaches(Role.ADMIN) and role.reaches(member_role))
