from collections.abc import Sequence
from uuid import UUID

from glasswork.core.errors import ConflictError, NotFoundError, ValidationError


class RelationNotFoundError(NotFoundError):
    code = "RELATION_NOT_FOUND"

    def __init__(self, relation_id: UUID) -> None:
        super().__init__(f"There is no relation {relation_id}.")


class RelationExistsError(ConflictError):
    code = "RELATION_EXISTS"

    def __init__(self) -> None:
        super().__init__("The two tasks are related in this way already.")


def unknown_task() -> ValidationError:
    return ValidationError.at(
        ["body", "task_id"], "must be another task of the same workspace", "unknown_task"
    )


def cyclic_blocks(path: Sequence[str]) -> ValidationError:
    """`path` are the keys from the blocking task on to itself."""
    message = f"would make a task block itself: {' > '.join(path)}"
    refusal = ValidationError.at(["body", "task_id"], message, "cycle")
    refusal.details["path"] = list(path)
    return refusal


def too_many(most: int) -> ValidationError:
    return ValidationError.at(
        ["body", "task_id"], f"must leave each task at most {most} relations", "too_many"
    )
