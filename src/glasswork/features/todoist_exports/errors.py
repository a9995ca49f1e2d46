from glasswork.core.errors import ValidationError


class NoTodoistError(ValidationError):
    code = "NO_TODOIST_EXPORT"

    def __init__(self) -> None:
        super().__init__(
            "The file is neither a CSV of Todoist, with columns TYPE and CONTENT, nor a ZIP of such."
        )
