from glasswork.core.errors import StartError

EXIT_USAGE = 2


class StripError(StartError):
    """No base can be made of what was asked for; nothing has been written."""

    def __init__(self, message: str) -> None:
        super().__init__(message, EXIT_USAGE)
