from glasswork.core.errors import StartError

EXIT_USAGE = 2


class RefusedError(StartError):
    """What was asked for cannot be made; nothing has been written."""

    def __init__(self, message: str) -> None:
        super().__init__(message, EXIT_USAGE)
