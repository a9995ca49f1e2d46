from collections.abc import Sequence
from uuid import UUID

from glasswork.core.errors import ConflictError, NotFoundError, ValidationError
from glasswork.features.projects.models import Category


class StatusNotFoundError(NotFoundError):
    code = "STATUS_NOT_FOUND"

    def __init__(self, status_id: UUID) -> None:
        super().__init__(f"There is no status {status_id}.")


class StatusKeyTakenError(ConflictError):
    code = "STATUS_KEY_TAKEN"

    def __init__(self) -> None:
        super().__init__("There is a status with this key in the project.")


class TooManyStatusesError(ConflictError):
    code = "TOO_MANY_STATUSES"

    def __init__(self, most: int) -> None:
        super().__init__(f"A project has at most {most} statuses.", most=most)


class LastStatusError(ConflictError):
    code = "LAST_STATUS"

    def __init__(self, category: Category) -> None:
        super().__init__(f"It is the project's last status of the category {category}.", category=category)


def unknown_next(allowed: Sequence[str]) -> ValidationError:
    return ValidationError.at(["body", "next"], _one_of(allowed), "unknown_status")


def unknown_target(allowed: Sequence[str]) -> ValidationError:
    return ValidationError.at(["query", "move_to"], _one_of(allowed), "unknown_status")


def missing_target(allowed: Sequence[str]) -> ValidationError:
    return ValidationError.at(
        ["query", "move_to"], f"its tasks need another status: {_one_of(allowed)}", "missing"
    )


def position_out_of_range(highest: int) -> ValidationError:
    return ValidationError.at(["body", "position"], f"must be from 0 to {highest}", "position_out_of_range")


def _one_of(allowed: Sequence[str]) -> str:
    return f"must be other statuses of the project: {', '.join(allowed)}"
