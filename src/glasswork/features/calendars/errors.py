from uuid import UUID

from glasswork.core.errors import NotFoundError, ValidationError


class CalendarFeedNotFoundError(NotFoundError):
    code = "CALENDAR_FEED_NOT_FOUND"

    def __init__(self, feed_id: UUID) -> None:
        super().__init__(f"You have no calendar feed {feed_id}.")


class CalendarNotFoundError(NotFoundError):
    """One that never was, that was revoked, or whose maker may not see it any more: they look alike."""

    code = "CALENDAR_NOT_FOUND"

    def __init__(self) -> None:
        super().__init__("There is no such calendar, or there is none any more.")


def unknown_project() -> ValidationError:
    return ValidationError.at(["body", "project_id"], "must be a project of the workspace", "unknown_project")
