from datetime import timedelta

from glasswork.core.errors import AuthenticationError, ConflictError, NotFoundError, PermissionDeniedError


class SecondFactorRequiredError(AuthenticationError):
    """The first factor was right; that a password was hashed anew meanwhile is kept."""

    code = "SECOND_FACTOR_REQUIRED"
    keeps_changes = True

    def __init__(self, challenge: str, lifetime: timedelta) -> None:
        message = "Send a code of your app, or a recovery code, with the challenge to /auth/second-factor."
        super().__init__(message, challenge=challenge, expires_in=int(lifetime.total_seconds()))
        self.headers["Cache-Control"] = "no-store"


class InvalidSecondFactorError(AuthenticationError):
    """That it was tried is counted, although it is refused."""

    code = "INVALID_SECOND_FACTOR"
    keeps_changes = True

    def __init__(self) -> None:
        super().__init__("The code is not valid, or no longer.")


class InvalidChallengeError(AuthenticationError):
    code = "INVALID_CHALLENGE"

    def __init__(self) -> None:
        super().__init__("The challenge is not valid, or no longer. Log in again.")


class WrongCodeError(PermissionDeniedError):
    """For who is logged in already. That it was tried is counted, although it is refused."""

    code = "WRONG_CODE"
    keeps_changes = True

    def __init__(self) -> None:
        super().__init__("A code of your app, or a recovery code, is needed, and that is none.")


class TotpEnabledError(ConflictError):
    code = "TOTP_ENABLED"

    def __init__(self) -> None:
        super().__init__("There is a second factor already. Take it off first.")


class TotpNotFoundError(NotFoundError):
    code = "TOTP_NOT_FOUND"

    def __init__(self) -> None:
        super().__init__("There is no second factor.")
