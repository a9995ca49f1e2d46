from uuid import UUID

from glasswork.core.errors import NotFoundError, ValidationError


class NotificationNotFoundError(NotFoundError):
    code = "NOTIFICATION_NOT_FOUND"

    def __init__(self, notification_id: UUID) -> None:
        super().__init__(f"There is no notification {notification_id}.")


class SubscriptionNotFoundError(NotFoundError):
    """Of a link that was never in a letter, or whose account is gone."""

    code = "SUBSCRIPTION_NOT_FOUND"

    def __init__(self) -> None:
        super().__init__("There is nothing to unsubscribe from.")


def unknown_project(place: int) -> ValidationError:
    loc: list[str | int] = ["body", "preferences", place, "project_id"]
    return ValidationError.at(loc, "must be a project that you may see", "unknown_project")


def said_twice(place: int) -> ValidationError:
    return ValidationError.at(["body", "preferences", place], "is there twice", "value_error")
