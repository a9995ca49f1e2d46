from uuid import UUID

from glasswork.core.errors import ConflictError, NotFoundError


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
