from glasswork.core.errors import NotFoundError


class PageNotFoundError(NotFoundError):
    """What everybody but an admin is told."""

    code = "NOT_FOUND"

    def __init__(self) -> None:
        super().__init__("Not Found.")


class RequestNotKeptError(NotFoundError):
    code = "REQUEST_NOT_KEPT"

    def __init__(self, request_id: str) -> None:
        super().__init__(
            f"No process remembers a request {request_id}; they keep the last ones, for an hour."
        )


class LoggerNotFoundError(NotFoundError):
    code = "LOGGER_NOT_FOUND"

    def __init__(self) -> None:
        super().__init__("There is no such logger.")
