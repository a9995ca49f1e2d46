from glasswork.core.errors import ConflictError, RateLimitError, ServiceUnavailableError

RETRY_SECONDS = 5


class TooManyStreamsError(RateLimitError):
    code = "TOO_MANY_STREAMS"

    def __init__(self, limit: int) -> None:
        super().__init__(RETRY_SECONDS)
        self.message = f"You have {limit} streams open, which is the most (LIVE_STREAMS_PER_USER)."


class StreamsExhaustedError(ServiceUnavailableError):
    code = "STREAMS_EXHAUSTED"

    def __init__(self) -> None:
        super().__init__("This process has as many streams as it can bear (LIVE_STREAMS).", RETRY_SECONDS)


class AheadOfLogError(ConflictError):
    """Whoever has seen it has a copy of another log, or of one that was put back to an earlier state."""

    code = "AHEAD_OF_LOG"

    def __init__(self, last_seq: int) -> None:
        super().__init__(
            f"The last change has the number {last_seq}: read the state anew, and follow from there.",
            last_seq=last_seq,
        )
