from typing import Final

from glasswork.core.guessing import Guess, Limit
from glasswork.features.workspaces.models import Role

from .errors import InvitationNotFoundError, InvitedSomebodyElseError

INVITATION_TOKEN: Final = Guess(
    "invitation_token", address=Limit(50), wrong=(InvitationNotFoundError, InvitedSomebodyElseError)
)


def can_invite(role: Role, invited: Role) -> bool:
    """Nobody gives a higher role than their own."""
    return role.reaches(Role.ADMIN) and role.reaches(invited)


def can_see_invitations(role: Role) -> bool:
    return role.reaches(Role.ADMIN)
