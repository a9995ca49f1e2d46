from glasswork.core.errors import NotFoundError


class ProjectDeletedError(NotFoundError):
    code = "PROJECT_DELETED"

    def __init__(self) -> None:
        super().__init__("The project was deleted for good while the import was under way.")
