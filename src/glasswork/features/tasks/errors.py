from collections.abc import Sequence
from uuid import UUID

from glasswork.core.errors import ConflictError, NotFoundError, ValidationError


class TaskNotFoundError(NotFoundError):
    code = "TASK_NOT_FOUND"

    def __init__(self, task: UUID | str) -> None:
        super().__init__(f"There is no task {task}.")


class TransitionNotAllowedError(ConflictError):
    code = "TRANSITION_NOT_ALLOWED"

    def __init__(self, allowed: Sequence[str]) -> None:
        super().__init__("The task's status leads to none of that kind.", allowed=list(allowed))


class StatusRemovedError(ConflictError):
    code = "STATUS_REMOVED"

    def __init__(self) -> None:
        super().__init__("The status has just been deleted.")


def transition_not_allowed(allowed: Sequence[str]) -> ValidationError:
    message = f"must be one of: {', '.join(allowed)}" if allowed else "cannot change: nothing may follow it"
    return ValidationError.at(["body", "status"], message, "transition_not_allowed")


def unknown_status(allowed: Sequence[str]) -> ValidationError:
    return ValidationError.at(["body", "status"], f"must be one of: {', '.join(allowed)}", "unknown_status")


def invalid_recurrence(field: str, message: str) -> ValidationError:
    return ValidationError.at(["body", "recurrence", field], message, "invalid_recurrence")


def recurrence_without_date() -> ValidationError:
    return ValidationError.at(
        ["body", "recurrence"], "needs a due_at or a start_at to begin with", "invalid_recurrence"
    )


def unknown_labels() -> ValidationError:
    return ValidationError.at(
        ["body", "label_ids"], "must be labels of the task's project or its workspace", "unknown_label"
    )


def unknown_assignee() -> ValidationError:
    return ValidationError.at(
        ["body", "assignee_id"], "must be a member of the workspace", "unknown_assignee"
    )


def unknown_parent() -> ValidationError:
    return ValidationError.at(["body", "parent_id"], "must be a task of the same project", "unknown_parent")


def cyclic_parent(path: Sequence[str]) -> ValidationError:
    """`path` are the keys from the task up to itself."""
    message = f"would make the task a part of itself: {' > '.join(path)}"
    refusal = ValidationError.at(["body", "parent_id"], message, "cycle")
    refusal.details["path"] = list(path)
    return refusal


def too_deep(most: int) -> ValidationError:
    return ValidationError.at(["body", "parent_id"], f"must leave at most {most} levels of tasks", "too_deep")
