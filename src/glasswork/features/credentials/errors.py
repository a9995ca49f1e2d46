from glasswork.core.errors import MalformedRequestError, PermissionDeniedError


class InvalidOneTimeTokenError(MalformedRequestError):
    """Unknown, used or too old: the same answer for all of them."""

    code = "INVALID_ONE_TIME_TOKEN"

    def __init__(self) -> None:
        super().__init__("The token is not valid, or no longer.")


class WrongPasswordError(PermissionDeniedError):
    code = "WRONG_PASSWORD"

    def __init__(self) -> None:
        super().__init__("That is not your password.")
