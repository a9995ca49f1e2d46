from glasswork.core.errors import ConflictError


class LabelInUseError(ConflictError):
    code = "LABEL_IN_USE"

    def __init__(self) -> None:
        super().__init__("Tasks keep getting the label while it is being deleted.")


class StatusInUseError(ConflictError):
    code = "STATUS_IN_USE"

    def __init__(self) -> None:
        super().__init__("Tasks keep coming into the status while it is being deleted.")
