from uuid import UUID

from glasswork.core.errors import ConflictError, NotFoundError


class TaskLinkNotFoundError(NotFoundError):
    code = "TASK_LINK_NOT_FOUND"

    def __init__(self, link_id: UUID) -> None:
        super().__init__(f"The task has no link {link_id}.")


class TaskLinkExistsError(ConflictError):
    code = "TASK_LINK_EXISTS"

    def __init__(self) -> None:
        super().__init__("The task has a link to this address.")
