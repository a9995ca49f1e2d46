from glasswork.core.errors import ConflictError


class AheadOfLogError(ConflictError):
    """Whoever has seen it has a copy of another log, or of one that was put back to an earlier state."""

    code = "AHEAD_OF_LOG"

    def __init__(self, last_seq: int) -> None:
        super().__init__(
            f"The last change has the number {last_seq}: read the state anew, and follow from there.",
            last_seq=last_seq,
        )
