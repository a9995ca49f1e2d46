from glasswork.core.errors import RateLimitError, ServiceUnavailableError

RETRY_SECONDS = 5


class TooManyStreamsError(RateLimitError):
    """One account has as many streams open as it may have (`LIVE_STREAMS_PER_USER`)."""

    code = "TOO_MANY_STREAMS"

    def __init__(self, limit: int) -> None:
        super().__init__(RETRY_SECONDS)
        self.message = f"You have {limit} streams open, which is the most (LIVE_STREAMS_PER_USER)."


class StreamsExhaustedError(ServiceUnavailableError):
    code = "STREAMS_EXHAUSTED"

    def __init__(self) -> None:
        super().__init__("This process has as many streams as it can bear (LIVE_STREAMS).", RETRY_SECONDS)
