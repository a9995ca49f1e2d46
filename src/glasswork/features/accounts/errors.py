from datetime import timedelta
from uuid import UUID

from glasswork.core.actor import Scope
from glasswork.core.errors import (
    AuthenticationError,
    ConflictError,
    NotFoundError,
    PermissionDeniedError,
    ValidationError,
)


class InvalidCredentialsError(AuthenticationError):
    code = "INVALID_CREDENTIALS"

    def __init__(self) -> None:
        super().__init__("The e-mail or username and the password do not belong together.")


class SessionEndedError(AuthenticationError):
    code = "SESSION_ENDED"

    def __init__(self) -> None:
        super().__init__("This session has ended. Log in again.")


class SessionRequiredError(PermissionDeniedError):
    code = "SESSION_REQUIRED"

    def __init__(self) -> None:
        super().__init__("An API token does not do here. Log in.")


class ReauthenticationRequiredError(PermissionDeniedError):
    code = "REAUTHENTICATION_REQUIRED"

    def __init__(self, max_age: timedelta) -> None:
        seconds = int(max_age.total_seconds())
        super().__init__("Prove once more who you are, at /auth/reauthenticate.", max_age=seconds)


class MissingScopeError(PermissionDeniedError):
    code = "MISSING_SCOPE"

    def __init__(self, scope: Scope) -> None:
        super().__init__(f"The API token lacks the scope {scope}.", scope=scope)


class InvalidRefreshTokenError(AuthenticationError):
    code = "INVALID_REFRESH_TOKEN"

    def __init__(self) -> None:
        super().__init__("The refresh token is not valid, or no longer.")


class RefreshTokenReusedError(InvalidRefreshTokenError):
    """Somebody has an old token: the session ends, and that is kept although the request is refused."""

    keeps_changes = True


class EmailTakenError(ConflictError):
    code = "EMAIL_TAKEN"

    def __init__(self) -> None:
        super().__init__("There is an account with this e-mail address.")


class UsernameTakenError(ConflictError):
    code = "USERNAME_TAKEN"

    def __init__(self) -> None:
        super().__init__("There is an account with this username.")


class UnfitPasswordError(ValidationError):
    def __init__(self, field: str, message: str) -> None:
        error = {"loc": ["body", field], "code": "unfit_password", "message": message}
        super().__init__("The request is not valid.", errors=[error])


class RegistrationClosedError(PermissionDeniedError):
    code = "REGISTRATION_CLOSED"

    def __init__(self) -> None:
        super().__init__("No accounts are opened here, or only for those who are invited.")


class TooYoungError(PermissionDeniedError):
    code = "TOO_YOUNG"

    def __init__(self, min_age: int) -> None:
        super().__init__(f"Accounts are for people of {min_age} years and more.", min_age=min_age)


class SessionNotFoundError(NotFoundError):
    code = "SESSION_NOT_FOUND"

    def __init__(self, session_id: UUID) -> None:
        super().__init__(f"You have no session {session_id}, or it has ended.")


class UserNotFoundError(NotFoundError):
    code = "USER_NOT_FOUND"

    def __init__(self, user: UUID | str) -> None:
        super().__init__(f"There is no user {user}.")
