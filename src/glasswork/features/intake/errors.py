from glasswork.core.errors import ServiceUnavailableError


class PostponedError(ServiceUnavailableError):
    """A source asks not to be called for a while."""

    code = "SOURCE_POSTPONED"

    def __init__(self, seconds: int) -> None:
        super().__init__("The source asks to be called later.", retry_after=seconds)
        self.seconds = seconds
