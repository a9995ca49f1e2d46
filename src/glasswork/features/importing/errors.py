from glasswork.core.errors import ConflictError, NotFoundError


class ProjectDeletedError(NotFoundError):
    code = "PROJECT_DELETED"

    def __init__(self) -> None:
        super().__init__("The project was deleted for good while the import was under way.")


class AbandonedError(ConflictError):
    code = "IMPORT_ABANDONED"

    def __init__(self) -> None:
        super().__init__("Something went wrong each time that it was tried; it is told in the log.")
