from glasswork.core.errors import ConflictError


class LabelInUseError(ConflictError):
    code = "LABEL_IN_USE"

    def __init__(self) -> None:
        super().__init__("Tasks keep getting the label while it is being deleted.")


class TooManyTasksError(ConflictError):
    code = "TOO_MANY_TASKS"

    def __init__(self, limit: int) -> None:
        message = f"More than {limit:,} tasks would have to change. Change some of them first, in bulk."
        super().__init__(message, limit=limit)


class StatusInUseError(ConflictError):
    code = "STATUS_IN_USE"

    def __init__(self) -> None:
        super().__init__("Tasks keep coming into the status while it is being deleted.")
