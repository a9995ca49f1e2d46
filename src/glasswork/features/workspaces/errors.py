from uuid import UUID

from glasswork.core.errors import ConflictError, NotFoundError, PermissionDeniedError


class WorkspaceNotFoundError(NotFoundError):
    code = "WORKSPACE_NOT_FOUND"

    def __init__(self, workspace_id: UUID | str) -> None:
        super().__init__(f"There is no workspace {workspace_id}.")


class SlugTakenError(ConflictError):
    code = "SLUG_TAKEN"

    def __init__(self) -> None:
        super().__init__("There is a workspace with this slug.")


class MemberNotFoundError(NotFoundError):
    code = "MEMBER_NOT_FOUND"

    def __init__(self, user_id: UUID) -> None:
        super().__init__(f"User {user_id} is not a member of the workspace.")


class AlreadyMemberError(ConflictError):
    code = "ALREADY_MEMBER"

    def __init__(self) -> None:
        super().__init__("The account is a member of the workspace already.")


class LastOwnerError(ConflictError):
    code = "LAST_OWNER"

    def __init__(self) -> None:
        super().__init__("A workspace keeps at least one owner.")


class InvitationNotFoundError(NotFoundError):
    """The token is unknown, used, withdrawn or too old: the same answer for all of them."""

    code = "INVITATION_NOT_FOUND"

    def __init__(self) -> None:
        super().__init__("There is no such invitation, or no longer.")


class InvitedSomebodyElseError(PermissionDeniedError):
    code = "INVITED_SOMEBODY_ELSE"

    def __init__(self) -> None:
        super().__init__("The invitation is for the account with another e-mail address.")
