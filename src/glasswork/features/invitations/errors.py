from glasswork.core.errors import ConflictError, NotFoundError, PermissionDeniedError


class AlreadyMemberError(ConflictError):
    code = "ALREADY_MEMBER"

    def __init__(self) -> None:
        super().__init__("The account is a member of the workspace already.")


class InvitationNotFoundError(NotFoundError):
    """The token is unknown, used, withdrawn or too old: the same answer for all of them."""

    code = "INVITATION_NOT_FOUND"

    def __init__(self) -> None:
        super().__init__("There is no such invitation, or no longer.")


class InvitedSomebodyElseError(PermissionDeniedError):
    code = "INVITED_SOMEBODY_ELSE"

    def __init__(self) -> None:
        super().__init__("The invitation is for the account with another e-mail address.")
