from uuid import UUID

from glasswork.core.errors import NotFoundError


class AnnouncementNotFoundError(NotFoundError):
    code = "ANNOUNCEMENT_NOT_FOUND"

    def __init__(self, announcement_id: UUID) -> None:
        super().__init__(f"There is no announcement {announcement_id}.")


class LettersLeftError(Exception):
    """The mail server took some letters not yet; the job tries them again later."""
