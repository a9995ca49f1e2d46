from collections.abc import Sequence
from uuid import UUID

from glasswork.core.errors import NotFoundError, ValidationError


class TaskNotFoundError(NotFoundError):
    code = "TASK_NOT_FOUND"

    def __init__(self, task: UUID | str) -> None:
        super().__init__(f"There is no task {task}.")


def unknown_status(allowed: Sequence[str]) -> ValidationError:
    return ValidationError.at(["body", "status"], f"must be one of: {', '.join(allowed)}", "unknown_status")


def unknown_labels() -> ValidationError:
    return ValidationError.at(["body", "label_ids"], "must be labels of the task's project", "unknown_label")


def unknown_assignee() -> ValidationError:
    return ValidationError.at(
        ["body", "assignee_id"], "must be a member of the workspace", "unknown_assignee"
    )
