"""The failures that a caller can understand; anything else is a bug and becomes a 500.

AppError
├── MalformedRequestError     400
├── AuthenticationError       401
├── PermissionDeniedError     403
├── NotFoundError             404
├── MethodNotAllowedError     405
├── RequestTimeoutError       408
├── ConflictError             409
├── PreconditionFailedError   412
├── PayloadTooLargeError      413
├── UnsupportedMediaTypeError 415
├── RangeNotSatisfiableError  416
├── ValidationError           422
├── RateLimitError            429
├── ServiceUnavailableError   503
└── InsufficientStorageError  507
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal


class AppError(Exception):
    """Subclass a kind below, in the slice's errors.py, and give it a code."""

    status: ClassVar[int]
    code: ClassVar[str]
    keeps_changes: ClassVar[bool] = False
    """Whether what was written before the refusal is committed all the same."""

    def __init__(self, message: str, *, headers: dict[str, str] | None = None, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.headers = headers or {}
        self.details = details


class MalformedRequestError(AppError):
    """The body cannot be read: JSON that is none, or a form that breaks off."""

    status = 400
    code = "MALFORMED_REQUEST"


class AuthenticationError(AppError):
    """Who asks is not known."""

    status = 401
    code = "NOT_AUTHENTICATED"

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message, headers={"WWW-Authenticate": "Bearer"}, **details)


class PermissionDeniedError(AppError):
    """A member without the right; to an outsider there is nothing, see 404."""

    status = 403
    code = "PERMISSION_DENIED"


class NotFoundError(AppError):
    """There is no such path; of a thing, that there is none for whoever asks."""

    status = 404
    code = "NOT_FOUND"


class MethodNotAllowedError(AppError):
    """The path is there, but not with this method; `Allow` names those that are."""

    status = 405
    code = "METHOD_NOT_ALLOWED"


class ConflictError(AppError):
    """What is there already stands against it."""

    status = 409
    code = "CONFLICT"


class RequestTimeoutError(AppError):
    """The request did not arrive in time."""

    status = 408
    code = "REQUEST_TIMEOUT"


class PreconditionFailedError(AppError):
    """What `If-Match` or its like names does not hold."""

    status = 412
    code = "PRECONDITION_FAILED"


class PayloadTooLargeError(AppError):
    """The body is larger than is taken."""

    status = 413
    code = "PAYLOAD_TOO_LARGE"


class UnsupportedMediaTypeError(AppError):
    """Content of a kind that is not taken here."""

    status = 415
    code = "UNSUPPORTED_MEDIA_TYPE"


class RangeNotSatisfiableError(AppError):
    status = 416
    code = "RANGE_NOT_SATISFIABLE"

    def __init__(self, size: int) -> None:
        super().__init__(f"There are {size} bytes.", headers={"Content-Range": f"bytes */{size}"})


class ValidationError(AppError):
    """A field is not valid; `errors` in the details says which, where, and why."""

    status = 422
    code = "VALIDATION_ERROR"

    @classmethod
    def at(cls, loc: Sequence[str | int], message: str, code: str = "invalid") -> "ValidationError":
        """A single wrong field, in the shape that the schema's own refusals have."""
        return cls("The request is not valid.", errors=[{"loc": list(loc), "code": code, "message": message}])


class HeadersTooLargeError(AppError):
    """The request line and the headers are larger than is taken."""

    status = 431
    code = "HEADERS_TOO_LARGE"


class RateLimitError(AppError):
    status = 429
    code = "RATE_LIMITED"

    def __init__(self, retry_after: int) -> None:
        super().__init__("Too many requests.", headers={"Retry-After": str(retry_after)})


class ServiceUnavailableError(AppError):
    status = 503
    code = "SERVICE_UNAVAILABLE"

    def __init__(self, message: str, retry_after: int = 1) -> None:
        super().__init__(message, headers={"Retry-After": str(retry_after)})


class InsufficientStorageError(AppError):
    """There is no room for it."""

    status = 507
    code = "INSUFFICIENT_STORAGE"


class TransientError(ServiceUnavailableError):
    """The database undid everything, through no fault of the caller's: done again it may well succeed."""

    def __init__(self, reason: Literal["serialization", "deadlock", "lock", "connection"]) -> None:
        super().__init__("The database undid this; try again.")
        self.reason = reason


class OutcomeUnknownError(ServiceUnavailableError):
    """The connection was lost between COMMIT and its answer."""

    code = "OUTCOME_UNKNOWN"

    def __init__(self) -> None:
        super().__init__(
            "Whether this was stored is not known. To try again is safe with the Idempotency-Key that it had;"
            " without one, look first."
        )


class BrokenOffError(Exception):
    """Tells the server to break off an answer; where a bug is why, it is in the request's log line.

    Whoever sees an exception on its way out writes down its text, which may hold a caller's secret.
    """


def require(allowed: bool) -> None:
    if not allowed:
        raise PermissionDeniedError("Your role does not allow this.")


def reason_of(fault: Mapping[str, Any]) -> str:
    """Return the words of one of pydantic's errors, without what it puts before those of a validator."""
    words: str = fault["msg"]
    if words.startswith("Value should have"):  # of a secret, whose characters it calls items
        words = words.replace("items after validation", "characters")
    return words.removeprefix("Value error, ")


EXIT_UNAVAILABLE = 69  # as in BSD's sysexits
EXIT_CONFIGURATION = 78


class StartError(Exception):
    """Not for callers but for the person at the terminal: what is wrong, and what to do."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code
