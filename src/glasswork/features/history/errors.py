from glasswork.core.errors import ConflictError


class NothingToUndoError(ConflictError):
    code = "NOTHING_TO_UNDO"

    def __init__(self) -> None:
        super().__init__("What happened last to this task is no change of its fields.")


class CannotUndoError(ConflictError):
    code = "CANNOT_UNDO"

    def __init__(self, reason: str) -> None:
        super().__init__(f"The last change cannot be undone: {reason}")
