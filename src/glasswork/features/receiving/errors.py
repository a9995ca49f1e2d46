from glasswork.core.errors import AuthenticationError, ConflictError, PermissionDeniedError
from glasswork.core.signatures import TOLERANCE


class InvalidSignatureError(AuthenticationError):
    """Signed with no secret of the hook, or not at all."""

    code = "INVALID_SIGNATURE"


class StaleMessageError(AuthenticationError):
    code = "STALE_MESSAGE"

    def __init__(self) -> None:
        seconds = int(TOLERANCE.total_seconds())
        super().__init__(f"The message's timestamp is more than {seconds} s from now.", tolerance=seconds)


class MessageRepeatedError(ConflictError):
    code = "MESSAGE_REPEATED"

    def __init__(self) -> None:
        super().__init__("A message with this id, or with this signature, was taken before.")


class HookWithoutRightsError(PermissionDeniedError):
    code = "HOOK_WITHOUT_RIGHTS"

    def __init__(self) -> None:
        super().__init__("Whoever made the hook may not change tasks there any more, or the project is gone.")


def header_missing(name: str) -> InvalidSignatureError:
    return InvalidSignatureError(f"The header {name} is missing, or is not what it should be.", header=name)


def signature_wrong() -> InvalidSignatureError:
    return InvalidSignatureError("The signature is not that of these bytes by the hook's secret.")
