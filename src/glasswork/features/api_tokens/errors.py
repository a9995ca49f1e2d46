from uuid import UUID

from glasswork.core.errors import NotFoundError, ValidationError


class ApiTokenNotFoundError(NotFoundError):
    code = "API_TOKEN_NOT_FOUND"

    def __init__(self, token_id: UUID) -> None:
        super().__init__(f"You have no API token {token_id}, or no longer.")


class ScopeBeyondWorkspaceError(ValidationError):
    def __init__(self) -> None:
        error = {
            "loc": ["body", "scopes"],
            "code": "scope_beyond_workspace",
            "message": "what concerns the installation is in no workspace",
        }
        super().__init__("The request is not valid.", errors=[error])
