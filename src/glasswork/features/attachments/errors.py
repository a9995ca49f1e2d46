from uuid import UUID

from glasswork.core.errors import NotFoundError


class AttachmentNotFoundError(NotFoundError):
    code = "ATTACHMENT_NOT_FOUND"

    def __init__(self, attachment_id: UUID) -> None:
        super().__init__(f"There is no attachment {attachment_id}.")


class ThumbnailNotFoundError(NotFoundError):
    code = "THUMBNAIL_NOT_FOUND"

    def __init__(self, attachment_id: UUID) -> None:
        super().__init__(f"The attachment {attachment_id} has no thumbnail, or not yet.")


class LinkNotFoundError(NotFoundError):
    """One that was never given, that has expired, or whose file is gone: they look alike."""

    code = "LINK_NOT_FOUND"

    def __init__(self) -> None:
        super().__init__("There is no such link, or there is none any more.")
